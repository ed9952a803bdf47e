#pragma once

#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// The text of a regular file, without a byte-order mark. Errors: those of read_file, and a byte
/// that text does not contain (0, as in UTF-16), with its place.
std::string read_text(const std::filesystem::path& path);

/// The lines of a text, without their ends ("\n" or "\r\n"). Line n is element n - 1.
std::vector<std::string_view> lines_of(std::string_view text);

/// The words of a line: the parts between blanks and tabs.
std::vector<std::string_view> words_of(std::string_view line);

/// The text without blanks and tabs at either end.
std::string_view trimmed(std::string_view text);

/// The number that the whole text spells; nothing for any other text ("0,5", "0.5x", "").
template <typename Number>
std::optional<Number> whole_number_text(std::string_view text) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// The text quoted as one word for a shell, whatever it contains. Bytes that are not UTF-8, as in
/// names of files, are written as their octal numbers: the word itself is UTF-8 and can stand
/// wherever text can.
std::string shell_word(std::string_view text);

}  // namespace gcg
