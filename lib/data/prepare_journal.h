#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace gcg {

/// The outcome for one image of a data set that is being prepared.
struct JournalLine {
  std::int64_t end = 0;  ///< first byte after it, counted from kPreparedDataStart
  Digest digest{};       ///< SHA-256 of its bytes
  std::string problem;   ///< why it was left out; empty if it was not
};

/// How far the writing of a prepared file has come: one line of text per image, in order.
struct PrepareJournal {
  std::vector<JournalLine> lines;
  [[nodiscard]] std::int64_t end() const { return lines.empty() ? 0 : lines.back().end; }
};

/// The lines of a journal whose images are in `partial`, whole and unchanged, up to the first that
/// is not. No lines if there is no journal or it belongs to another source.
PrepareJournal read_journal(const std::filesystem::path& path, const std::filesystem::path& partial,
                            std::string_view source, std::int64_t threads);

/// The text of a line: "image END DIGEST" or "left-out END PROBLEM", and a newline.
std::string journal_line_text(const JournalLine& line);
/// The text of the whole file: a first line that names the source, then the lines.
std::string journal_text(const PrepareJournal& journal, std::string_view source);

}  // namespace gcg
