#include "data/prepare_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "data/mapped_file.h"
#include "data/parallel.h"
#include "data/prepared.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

std::string first_line(std::string_view source) {
  return fmt::format("gcg journal 1 {}\n", hex(sha256(source)));
}

/// Cuts the text up to `end` off.
std::optional<std::string_view> cut(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at + 1);
  return part;
}

/// A line without its newline; nothing if it is no such line.
std::optional<JournalLine> parse_line(std::string_view text) {
  JournalLine line;
  const auto kind = cut(text, ' ');
  const auto end = cut(text, ' ');
  if (!kind || !end || text.empty()) {
    return std::nullopt;
  }
  const auto [rest, error] = std::from_chars(end->data(), end->data() + end->size(), line.end);
  if (error != std::errc() || rest != end->data() + end->size() || line.end < 0) {
    return std::nullopt;
  }
  if (*kind == "left-out") {
    line.problem = text;
    return line;
  }
  if (*kind != "image" || text.size() != 64) {
    return std::nullopt;
  }
  try {
    line.digest = digest_of_hex(text);
  } catch (const Error&) {
    return std::nullopt;
  }
  return line;
}

/// The lines before the first that is cut off or goes back.
std::vector<JournalLine> parse_lines(std::string_view text) {
  std::vector<JournalLine> lines;
  std::int64_t before = 0;
  while (const auto next = cut(text, '\n')) {
    std::optional<JournalLine> line = parse_line(*next);
    if (!line || (line->problem.empty() ? line->end <= before : line->end != before)) {
      break;
    }
    before = line->end;
    lines.push_back(std::move(*line));
  }
  return lines;
}

}  // namespace

PrepareJournal read_journal(const fs::path& path, const fs::path& partial, std::string_view source,
                            std::int64_t threads) {
  PrepareJournal journal;
  if (!fs::exists(path) || !fs::exists(partial)) {
    return journal;
  }
  const std::vector<std::byte> content = read_file(path);
  std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  const std::string first = first_line(source);
  if (!text.starts_with(first)) {
    return journal;
  }
  journal.lines = parse_lines(text.substr(first.size()));

  // A killed process or a full disk leaves lines behind whose images are not there.
  const MappedFile file(partial);
  const std::int64_t written = std::ssize(file.bytes()) - kPreparedDataStart;
  std::vector<char> whole(journal.lines.size(), 0);
  for_each_parallel(std::ssize(whole), threads, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    const JournalLine& line = journal.lines[index];
    const std::int64_t begin = index == 0 ? 0 : journal.lines[index - 1].end;
    whole[index] =
        !line.problem.empty() ||
        (line.end <= written &&
         sha256(file.bytes().subspan(static_cast<std::size_t>(kPreparedDataStart + begin),
                                     static_cast<std::size_t>(line.end - begin))) == line.digest);
  });
  const auto damaged = std::find(whole.begin(), whole.end(), 0);
  journal.lines.resize(static_cast<std::size_t>(damaged - whole.begin()));
  return journal;
}

std::string journal_line_text(const JournalLine& line) {
  return line.problem.empty() ? fmt::format("image {} {}\n", line.end, hex(line.digest))
                              : fmt::format("left-out {} {}\n", line.end, line.problem);
}

std::string journal_text(const PrepareJournal& journal, std::string_view source) {
  std::string text = first_line(source);
  for (const JournalLine& line : journal.lines) {
    text += journal_line_text(line);
  }
  return text;
}

}  // namespace gcg
