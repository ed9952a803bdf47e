#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "extrapolate/joint.h"

namespace gcg {

namespace {

constexpr std::array<Prior JointPriors::*, kJointParameters> kPriors{
    &JointPriors::a0,    &JointPriors::a1,    &JointPriors::log_c, &JointPriors::log_alpha,
    &JointPriors::gamma, &JointPriors::log_t, &JointPriors::log_b};

[[noreturn]] void refuse(std::string_view word, const std::string& problem) {
  throw UsageError(
      "--joint-priors", fmt::format("'{}' {}", word, problem),
      fmt::format("write NAME=MEAN:DEVIATION, with commas between several; the names are {}",
                  fmt::join(kJointParameterNames, ", ")));
}

double number(std::string_view text, std::string_view word) {
  const auto value = whole_number_text<double>(text);
  if (!value || !std::isfinite(*value)) {
    refuse(word, fmt::format("holds '{}', which is no finite number", text));
  }
  return *value;
}

}  // namespace

JointPriors read_joint_priors(std::string_view text) {
  JointPriors priors;
  std::set<std::string_view> seen;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (comma != std::string_view::npos && text.empty()) {
      refuse(word, "is followed by a comma and nothing");
    }
    const std::size_t equals = word.find('=');
    const std::size_t colon = word.find(':', equals == std::string_view::npos ? 0 : equals);
    if (equals == std::string_view::npos || colon == std::string_view::npos) {
      refuse(word, "is no prior");
    }
    const std::string_view name = word.substr(0, equals);
    const auto* const found = std::ranges::find(kJointParameterNames, name);
    if (found == kJointParameterNames.end()) {
      refuse(word, "names no parameter of the joint fit");
    }
    if (!seen.insert(name).second) {
      refuse(word, "is the second prior of its parameter");
    }
    Prior& prior =
        priors.*kPriors.at(static_cast<std::size_t>(found - kJointParameterNames.begin()));
    prior.mean = number(word.substr(equals + 1, colon - equals - 1), word);
    prior.deviation = number(word.substr(colon + 1), word);
    if (prior.deviation <= 0) {
      refuse(word, "has a deviation that is not positive");
    }
  }
  return priors;
}

}  // namespace gcg
