#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gcg {

/// A work that tables cite: the text that stands in their rows, and its BibTeX entry.
struct Reference {
  std::string_view text;
  std::string_view bibtex;
};

std::span<const Reference> reference_table();

/// The text of gcg_run --bibtex: all entries.
std::string bibtex();

}  // namespace gcg
