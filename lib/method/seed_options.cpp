#include "method/seed_options.h"

#include <utility>

#include "base/lookup.h"
#include "growth/seed.h"

namespace gcg {

namespace {

DisconnectedPolicy policy_of(const SeedOptions& options) {
  if (options.disconnected == "fail") {
    return DisconnectedPolicy::fail;
  }
  if (options.disconnected == "warn") {
    return DisconnectedPolicy::warn;
  }
  if (options.disconnected == "repair") {
    return DisconnectedPolicy::repair;
  }
  return find_seed_rule(options.rule).default_policy;
}

}  // namespace

void add_seed_options(OptionList& list, SeedOptions& options) {
  list.add_choice("seed-rule", options.rule, row_names(seed_rule_table()),
                  "rule of the first mask");
  list.add("seed-density", options.density, kFraction, "density of the first mask");
  list.add_choice(
      "disconnected", options.disconnected, {"auto", "fail", "warn", "repair"},
      "what to do about hidden units on no path of the first mask, auto: fail for phew, "
      "warn for others");
}

std::int64_t apply_seed(const SeedOptions& options, MethodContext& context) {
  Seed seed = make_seed(context.network, context.state.values, options.rule, options.density,
                        policy_of(options), context.seed);
  if (!seed.warning.empty()) {
    context.record.warnings.push_back(seed.warning);
  }
  context.state.mask = std::move(seed.mask);
  clear_absent(context.state);
  return seed.moved;
}

}  // namespace gcg
