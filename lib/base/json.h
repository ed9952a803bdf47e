#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

// Parsing and writing are compiled here once: in every file that has them they take a compiler
// seconds.
namespace gcg {

/// What a text in JSON says. Errors: an Error of the place `where` with the byte and the remedy.
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          std::string_view remedy = {});

/// The text of a value, in one line or with `indent` blanks a level. Bytes that are not UTF-8
/// become U+FFFD.
std::string json_text(const nlohmann::json& value, int indent = -1);

/// The whole number that a JSON value is, for Integer = std::int64_t or std::uint64_t.
///
/// json::get casts whatever number it finds: 1.5 to 1, 2^64 - 1 to -1, and what 1e300 becomes is
/// undefined. Here those are errors, as is any other value, and 1.0: a whole number is written
/// without a point.
///
/// Errors: an Error of the place `where` with the value, called `name`, and the remedy.
template <typename Integer = std::int64_t>
Integer json_integer(const nlohmann::json& value, const std::string& where, const std::string& name,
                     std::string_view remedy = {});

/// The same of every element of an array.
std::vector<std::int64_t> json_integers(const nlohmann::json& value, const std::string& where,
                                        const std::string& name, std::string_view remedy = {});

}  // namespace gcg
