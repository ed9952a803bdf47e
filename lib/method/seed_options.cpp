#include "method/seed_options.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/lookup.h"
#include "growth/seed.h"
#include "method/warn_once.h"

namespace gcg {

namespace {

DisconnectedPolicy policy_of(const SeedOptions& options) {
  return options.disconnected == "auto" ? find_seed_rule(options.rule).default_policy
                                        : disconnected_policy(options.disconnected);
}

}  // namespace

DisconnectedPolicy disconnected_policy(std::string_view name) {
  if (name == "fail") {
    return DisconnectedPolicy::fail;
  }
  return name == "warn" ? DisconnectedPolicy::warn : DisconnectedPolicy::repair;
}

void add_seed_options(OptionList& list, SeedOptions& options) {
  list.add_choice("seed-rule", options.rule, row_names(seed_rule_table()),
                  "rule of the first mask");
  list.add("seed-density", options.density, kFraction, "density of the first mask");
  list.add_choice(
      "disconnected", options.disconnected, {"auto", "fail", "warn", "repair"},
      "what to do about units on no path of the first mask, auto: fail for phew, warn for others "
      "and for masks that were read or shuffled");
  list.add("seed-allocation-file", options.allocation_file.path,
           "densities per layer, lines 'LAYER DENSITY', for seed rule table; scaled to "
           "--seed-density")
      .identified_by([&options] { return options.allocation_file.digest(); })
      .used_if([&options] { return options.rule == "table"; }, "the seed rule is not table");
  list.add("seed-batches", options.batches, {1, 1e6},
           "batches of training images over which a seed rule averages gradients")
      .used_if([&options] { return find_seed_rule(options.rule).images; },
               "the seed rule looks at no images");
  list.add("synflow-rounds", options.rounds, {1, 1e6}, "rounds of scoring and pruning")
      .used_if([&options] { return options.rule == "synflow" && !options.inverted; },
               "the seed rule is not synflow, or is inverted, which has one round");
  list.add("seed-inverted", options.inverted, "control: keep the smallest scores")
      .used_if([&options] { return find_seed_rule(options.rule).scored; },
               "the seed rule has no scores");
}

void check_seed_options(const SeedOptions& options) {
  if (options.rule == "table" && options.allocation_file.path.empty()) {
    throw UsageError(
        "--seed-rule table", "takes the layers' densities from a file, and none is named",
        "give --seed-allocation-file FILE with a line 'LAYER DENSITY' for every layer");
  }
}

std::vector<std::string> seed_option_names() {
  return {"seed-rule",    "seed-density",   "disconnected", "seed-allocation-file",
          "seed-batches", "synflow-rounds", "seed-inverted"};
}

std::int64_t hold_to_policy(const SeedOptions& options, MethodContext& context, Mask& mask,
                            std::string_view origin) {
  if (mask.present() == 0) {
    throw Error(fmt::format("{}: {}", context.network.name, origin), "has no connection at all",
                "give a mask with connections from the input to the output");
  }
  const DisconnectedPolicy policy = options.disconnected == "auto"
                                        ? DisconnectedPolicy::warn
                                        : disconnected_policy(options.disconnected);
  const Connected connected = apply_policy(context.network, mask, policy, origin, context.seed);
  if (!connected.warning.empty()) {
    context.record.warnings.push_back(connected.warning);
  }
  return connected.moved;
}

MaskReport apply_seed(const SeedOptions& options, MethodContext& context) {
  SeedRequest request{context.network, context.state.values,
                      present_for_density(context.network, options.density), context.seed};
  request.gradients = context.gradients;
  request.curvature = context.curvature;
  request.batches = options.batches;
  request.rounds = options.rounds;
  request.inverted = options.inverted;
  request.allocation = options.allocation_file.path;
  options.allocation_file.check_unchanged();
  Seed seed = make_seed(request, options.rule, policy_of(options));
  for (const std::string& told : {seed.remark, seed.warning}) {
    if (!told.empty()) {
      warn_once(context.record, told);
    }
  }
  context.record.cost.scoring_flops += seed.sweep_flops;
  context.state.mask = std::move(seed.mask);
  clear_absent(context.state);
  MaskReport applied;
  applied.repaired = seed.moved;
  applied.allocation = std::move(seed.allocation);
  if (!seed.context.empty()) {
    applied.scores =
        fmt::format("{}{}: {}", options.rule, options.inverted ? " inverted" : "", seed.context);
  }
  return applied;
}

}  // namespace gcg
