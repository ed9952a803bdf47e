#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/options.h"
#include "base/program.h"

namespace gcg {

/// Sets the options of a program from "--NAME VALUE" arguments. Returns false after printing the
/// options for --help. Anything else, an option given twice or one without effect: UsageError.
inline bool read_arguments(std::span<const char* const> arguments, std::string_view about,
                           OptionList& list) {
  std::set<std::string_view> given;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string_view name = arguments[i];
    if (name == "--help") {
      fmt::print("{}\n\n", about);
      for (const Option& option : list.options()) {
        fmt::print("  --{:<16} {} (default: {})\n", option.name, option.help,
                   option.default_text.empty() ? "none" : option.default_text);
      }
      return false;
    }
    if (!name.starts_with("--")) {
      throw UsageError("command line", fmt::format("'{}' belongs to no option", name),
                       "write --NAME VALUE; --help lists the options");
    }
    if (list.find(name.substr(2)) == nullptr) {
      throw UsageError(name, "there is no such option", "--help lists them all");
    }
    if (i + 1 == arguments.size()) {
      throw UsageError(name, "its value is missing", "--help says what it is");
    }
    if (std::string_view(arguments[i + 1]).starts_with("--")) {
      throw UsageError(name,
                       fmt::format("has no value: the option {} follows it", arguments[i + 1]),
                       "--help says what it is");
    }
    if (!given.insert(name).second) {
      throw UsageError(name, "is given twice", "give it once");
    }
    list.set(name.substr(2), arguments[i + 1]);
  }
  for (const std::string_view name : given) {
    if (const std::string reason = list.find(name.substr(2))->unused(); !reason.empty()) {
      throw UsageError(name, "has no effect here: " + reason, "leave it out");
    }
  }
  return true;
}

/// An option that names a file, or none by being left out: an empty name is an error.
inline void add_file_option(OptionList& list, const std::string& name, std::string& value,
                            const std::string& help) {
  Option& option = list.add(name, value, help);
  option.set = [set = option.set, name](const std::string& text) {
    if (text.empty()) {
      throw UsageError("--" + name, "the file's name is empty",
                       "name a file, or leave the option out");
    }
    set(text);
  };
}

/// Counts and names what a data folder holds and the data set has not.
inline void print_passed_over(const std::vector<std::string>& passed_over) {
  if (passed_over.empty()) {
    return;
  }
  constexpr std::size_t most = 20;
  fmt::print("{} files or folders are not in the data set:\n", passed_over.size());
  for (std::size_t i = 0; i < std::min(passed_over.size(), most); ++i) {
    fmt::print("  {}\n", passed_over[i]);
  }
  if (passed_over.size() > most) {
    fmt::print("  and {} more\n", passed_over.size() - most);
  }
}

/// Runs a program's body on the arguments behind its name.
inline int run_program(int argc, char** argv,
                       const std::function<int(std::span<const char* const>)>& body) {
  const std::string_view path = argc > 0 ? argv[0] : "";
  return run_program(path.substr(path.rfind('/') + 1), [&] {
    return body(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(1));
  });
}

}  // namespace gcg
