#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gcg {

/// A work that tables cite: the text in their rows, and its BibTeX entry.
struct Reference {
  std::string_view text;
  std::string_view bibtex;
};

/// Works that rows of tables cite, each cited at least once.
std::span<const Reference> reference_table();

/// Works that no row cites: those with which the paper compares the search for a density.
std::span<const Reference> related_works();

/// The text of gcg_run --bibtex: all entries of both tables.
std::string bibtex();

}  // namespace gcg
