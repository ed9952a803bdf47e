#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gcg {

/// The texts of an enumeration whose values count from 0, in their order: one specialisation, an
/// array of std::string_view, beside the enumeration.
template <typename Enum>
inline constexpr std::nullptr_t kNames = nullptr;

/// The text of a value, as files hold it and people read it.
template <typename Enum>
constexpr std::string_view name_of(Enum value) {
  return kNames<Enum>.at(static_cast<std::size_t>(value));
}

/// The value with this text; an Error that lists the texts if there is none. `where` is the place
/// in a file that holds it.
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
