#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace gcg {

/// The row of a table with this name. If there is none: a UsageError that lists the names. `where`
/// is the option that asked for it, "--method".
template <typename Table>
const auto& find_row(const Table& table, std::string_view name, std::string_view where) {
  std::vector<std::string_view> names;
  for (const auto& row : table) {
    if (row.name == name) {
      return row;
    }
    names.push_back(row.name);
  }
  throw UsageError(where, fmt::format("'{}' is none of: {}", name, fmt::join(names, ", ")),
                   "gcg_run --list says what each of them is");
}

/// The names of a table's rows, for the choices of an option.
template <typename Table>
std::vector<std::string> row_names(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) {
    names.emplace_back(row.name);
  }
  return names;
}

}  // namespace gcg
