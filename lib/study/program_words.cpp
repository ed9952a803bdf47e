#include "study/program_words.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace gcg {

namespace {

namespace po = boost::program_options;

/// What words are stored under that follow no option; nobody can write it on a command line.
constexpr const char* kLooseWord = "loose word";

/// Boost takes any word for the value of the option before it, also the next option.
void check_values_given(std::span<const char* const> words, const po::options_description& options,
                        std::string_view remedy) {
  for (std::size_t at = 0; at + 1 < words.size(); ++at) {
    const std::string_view word = words[at];
    const std::string_view next = words[at + 1];
    if (word == "--") {
      return;
    }
    if (!word.starts_with("--") || !next.starts_with("--")) {
      continue;
    }
    const std::string name(word.substr(2));
    const po::option_description* option = options.find_nothrow(name, false);
    if (option != nullptr && option->semantic()->min_tokens() > 0) {
      throw UsageError(
          "command line", fmt::format("{} has no value: the option {} follows it", word, next),
          fmt::format("write {0} VALUE, or {0}={1} if that is its value; {2}", word, next, remedy));
    }
  }
}

}  // namespace

po::variables_map parse_words(std::span<const char* const> words,
                              const po::options_description& options, std::string_view remedy,
                              std::span<const char* const> positions) {
  check_values_given(words, options, remedy);
  po::options_description all;
  all.add(options).add_options()(kLooseWord, po::value<std::vector<std::string>>());
  po::positional_options_description order;
  for (const char* name : positions) {
    order.add(name, 1);
  }
  order.add(kLooseWord, -1);
  // No guessing of abbreviated names: a new option could change what an old script means.
  const auto style = static_cast<int>(po::command_line_style::unix_style) &
                     ~static_cast<int>(po::command_line_style::allow_guessing);
  po::variables_map values;
  try {
    const std::vector<std::string> texts(words.begin(), words.end());
    po::store(po::command_line_parser(texts).options(all).positional(order).style(style).run(),
              values);
    if (values.count(kLooseWord) != 0) {
      throw UsageError(
          "command line",
          fmt::format("'{}' belongs to no option",
                      values[kLooseWord].as<std::vector<std::string>>().front()),
          fmt::format("{}{}", positions.empty() ? "write --NAME VALUE; " : "", remedy));
    }
    po::notify(values);
  } catch (const po::error& error) {
    throw UsageError("command line", error.what(), std::string(remedy));
  }
  return values;
}

}  // namespace gcg
