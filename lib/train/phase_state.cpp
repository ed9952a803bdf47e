#include "train/phase_state.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "base/json.h"
#include "base/named.h"

namespace gcg {

namespace {

using nlohmann::json;

constexpr const char* kAgain = "remove the run's folder and run it again";

/// Every member with its key, stated once for writing and reading. The bindings name all members: a
/// new one does not compile before it is here.
template <typename State, typename Visit>
void each_member(State& state, const Visit& visit) {
  auto& [stage, counted] = state;
  auto& [phase, mask] = stage;
  auto& [role, number, epochs, schedule, first_update, mask_updates, snapshot, gradient_average] =
      phase;
  auto& [shape, peak, warmup] = schedule;
  auto& [grown, repaired, growth_overlap, allocation, scores] = mask;
  auto& [wanted, integer] = allocation;
  visit("counted", counted);
  visit("role", role);
  visit("stage", number);
  visit("epochs", epochs);
  visit("shape", shape);
  visit("peak", peak);
  visit("warmup", warmup);
  visit("first_update", first_update);
  visit("mask_updates", mask_updates);
  visit("snapshot", snapshot);
  visit("gradient_average", gradient_average);
  visit("grown", grown);
  visit("repaired", repaired);
  visit("growth_overlap", growth_overlap);
  visit("wanted", wanted);
  visit("integer", integer);
  visit("scores", scores);
}

template <typename Value>
json to_json(const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    return name_of(value);
  } else if constexpr (std::is_same_v<Value, std::optional<std::int64_t>>) {
    return value ? json(*value) : json();
  } else if constexpr (std::is_same_v<Value, double>) {
    return std::isnan(value) ? json() : json(value);  // JSON has no NaN
  } else {
    return value;
  }
}

template <typename Value>
void from_json(const json& from, Value& value, const std::string& where, const char* key) {
  if constexpr (std::is_enum_v<Value>) {
    value = value_named<Value>(from.get<std::string>(), where);
  } else if constexpr (std::is_same_v<Value, std::optional<std::int64_t>>) {
    value = from.is_null() ? Value() : json_integer(from, where, key, kAgain);
  } else if constexpr (std::is_same_v<Value, double>) {
    value = from.is_null() ? std::numeric_limits<double>::quiet_NaN() : from.get<double>();
  } else if constexpr (std::is_same_v<Value, std::int64_t>) {
    value = json_integer(from, where, key, kAgain);
  } else if constexpr (std::is_same_v<Value, std::vector<std::int64_t>>) {
    value = json_integers(from, where, key, kAgain);
  } else {
    from.get_to(value);
  }
}

void check_version(const json& object, const std::string& where) {
  std::int64_t version = object.is_object() ? 1 : 0;
  if (object.contains("version")) {
    version = json_integer(object.at("version"), where, "version", kAgain);
  }
  if (version != kPhaseStateVersion) {
    throw Error(where,
                fmt::format("the state of its phase has version {}, this program reads {}", version,
                            kPhaseStateVersion),
                "continue the run with the version of the project that began it, or remove its "
                "folder and run it again");
  }
}

}  // namespace

std::string phase_text(const PhaseState& state) {
  json object{{"version", kPhaseStateVersion}};
  each_member(state, [&](const char* key, const auto& value) { object[key] = to_json(value); });
  return json_text(object);
}

PhaseState read_phase(const std::string& text, const std::string& where) {
  PhaseState state;
  try {
    const json object = parse_json(text, where, kAgain);
    check_version(object, where);
    std::set<std::string> known{"version"};
    each_member(state, [&](const char* key, auto& value) {
      from_json(object.at(key), value, where, key);
      known.insert(key);
    });
    for (const auto& item : object.items()) {
      if (!known.contains(item.key())) {
        throw Error(where,
                    fmt::format("the state of its phase has an unknown key \"{}\"", item.key()));
      }
    }
  } catch (const json::exception& error) {
    throw Error(where, fmt::format("the state of its phase cannot be read: {}", error.what()),
                kAgain);
  }
  return state;
}

}  // namespace gcg
