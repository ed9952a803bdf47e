#include "base/json.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace gcg {

nlohmann::json parse_json(std::string_view text, const std::string& where,
                          std::string_view remedy) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(where, fmt::format("byte {}: not JSON: {}", error.byte, error.what()), remedy);
  } catch (const nlohmann::json::exception& error) {
    throw Error(where, fmt::format("not JSON: {}", error.what()), remedy);
  }
}

std::string json_text(const nlohmann::json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <typename Integer>
Integer json_integer(const nlohmann::json& value, const std::string& where, const std::string& name,
                     std::string_view remedy) {
  if (value.is_number_unsigned()) {
    if (const auto number = value.get<std::uint64_t>(); std::in_range<Integer>(number)) {
      return static_cast<Integer>(number);
    }
  } else if (value.is_number_integer()) {
    if (const auto number = value.get<std::int64_t>(); std::in_range<Integer>(number)) {
      return static_cast<Integer>(number);
    }
  }
  using Limits = std::numeric_limits<Integer>;
  throw Error(where,
              fmt::format("{} is {}, not a whole number from {} to {}", name,
                          value.is_number() ? json_text(value) : value.type_name(), Limits::min(),
                          Limits::max()),
              remedy);
}

template std::int64_t json_integer(const nlohmann::json&, const std::string&, const std::string&,
                                   std::string_view);
template std::uint64_t json_integer(const nlohmann::json&, const std::string&, const std::string&,
                                    std::string_view);

std::vector<std::int64_t> json_integers(const nlohmann::json& value, const std::string& where,
                                        const std::string& name, std::string_view remedy) {
  if (!value.is_array()) {
    throw Error(where, fmt::format("{} is {}, not an array", name, value.type_name()), remedy);
  }
  std::vector<std::int64_t> numbers;
  for (const nlohmann::json& element : value) {
    numbers.push_back(json_integer(element, where, name, remedy));
  }
  return numbers;
}

}  // namespace gcg
