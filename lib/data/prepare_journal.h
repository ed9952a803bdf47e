#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace gcg {

/// What became of one image of a data set that is being prepared.
struct JournalLine {
  std::int64_t end = 0;  ///< byte behind it, counted from kPreparedDataStart
  Digest digest{};       ///< of its bytes
  std::string problem;   ///< why it was left out; empty: it was not
};

/// How far the writing of a prepared file has come: a line of text for every image, in order.
struct PrepareJournal {
  std::vector<JournalLine> lines;
  [[nodiscard]] std::int64_t end() const { return lines.empty() ? 0 : lines.back().end; }
};

/// The lines of a journal whose images are in `partial`, whole and unchanged; what comes behind the
/// first that is not is dropped. No lines if there is no journal, or one of another source.
PrepareJournal read_journal(const std::filesystem::path& path, const std::filesystem::path& partial,
                            std::string_view source, std::int64_t threads);

/// "image END DIGEST" or "left-out END PROBLEM", and a newline.
std::string journal_line_text(const JournalLine& line);
/// The whole file: a first line that names the source, then the lines.
std::string journal_text(const PrepareJournal& journal, std::string_view source);

}  // namespace gcg
