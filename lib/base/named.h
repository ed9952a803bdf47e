#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gcg {

/// The texts of an enumeration whose values count from 0, in their order. Each enumeration has a
/// specialisation beside it: an array of std::string_view.
template <typename Enum>
inline constexpr std::nullptr_t kNames = nullptr;

/// The text of a value, for files and for messages.
template <typename Enum>
constexpr std::string_view name_of(Enum value) {
  return kNames<Enum>.at(static_cast<std::size_t>(value));
}

/// The value with this text. If there is none: an Error that lists the texts. `where` is the place
/// in the file that was read.
template <typename Enum>
Enum value_named(std::string_view name, const std::string& where) {
  for (std::size_t i = 0; i < kNames<Enum>.size(); ++i) {
    if (kNames<Enum>[i] == name) {
      return static_cast<Enum>(i);
    }
  }
  throw Error(where, fmt::format("\"{}\" is none of: {}", name, fmt::join(kNames<Enum>, ", ")));
}

}  // namespace gcg
