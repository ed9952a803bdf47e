#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/lookup.h"
#include "base/random.h"
#include "growth/rank.h"
#include "growth/sampling.h"
#include "growth/seed.h"
#include "score/phew.h"
#include "score/score_table.h"
#include "topology/allocation.h"

namespace gcg {

namespace {

constexpr std::string_view kMaskStream = "seed-mask";

SeedMask phew(const SeedRequest& request) {
  return {phew_mask(request.network, request.initial, request.present,
                    RandomStream(request.seed, kMaskStream))};
}

std::vector<std::int64_t> uniform_sample(std::int64_t size, std::int64_t n, RandomStream stream) {
  const std::vector<double> log_scores(static_cast<std::size_t>(size), 0.0);
  return sample_without_replacement(log_scores, n, {.beta = 0, .lambda = 0}, stream);
}

SeedMask random(const SeedRequest& request) {
  Mask mask(request.network, false);
  std::size_t l = 0;
  std::int64_t first = 0;  // of layer l
  for (const std::int64_t i : uniform_sample(request.network.connections(), request.present,
                                             RandomStream(request.seed, kMaskStream))) {
    while (i - first >= mask.layers[l].size()) {
      first += mask.layers[l].size();
      ++l;
    }
    mask.layers[l].set(i - first);
  }
  return {std::move(mask)};
}

SeedMask random_within_layers(const SeedRequest& request, Allocation allocation) {
  const std::vector<std::int64_t>& counts = allocation.counts;
  const RandomStream streams(request.seed, kMaskStream);
  Mask mask(request.network, false);
  for (std::size_t l = 0; l < counts.size(); ++l) {
    for (const std::int64_t i : uniform_sample(mask.layers[l].size(), counts[l], streams.at(l))) {
      mask.layers[l].set(i);
    }
  }
  return {.mask = std::move(mask), .allocation = std::move(allocation)};
}

SeedMask allocated(const SeedRequest& request, std::string_view allocation) {
  return random_within_layers(request, allocate(allocation, request.network, request.present));
}

SeedMask uniform(const SeedRequest& request) { return allocated(request, "uniform"); }
SeedMask uniform_dense_first(const SeedRequest& request) {
  return allocated(request, "uniform_dense_first");
}
SeedMask er(const SeedRequest& request) { return allocated(request, "er"); }
SeedMask erk(const SeedRequest& request) { return allocated(request, "erk"); }

SeedMask table(const SeedRequest& request) {
  SeedMask made = random_within_layers(
      request, read_allocation(request.allocation, request.network, request.present));
  made.remark = scaling_of_table(request.allocation, request.network, request.present);
  return made;
}

Scores ranked(Scored& scored, const SeedRequest& request) {
  return request.inverted ? inverted(std::move(scored.scores)) : std::move(scored.scores);
}

/// The connections of the dense network with the largest scores.
SeedMask largest(const SeedRequest& request, std::string_view rule) {
  const Mask all(request.network, true);
  const TrainingState state{request.initial, all};
  Scored scored = score(rule, {.network = request.network,
                               .state = state,
                               .gradients = request.gradients,
                               .curvature = request.curvature,
                               .batches = request.batches});
  Mask mask = largest_scores(request.network, all, ranked(scored, request), request.present,
                             RandomStream(request.seed, kMaskStream));
  return {std::move(mask), std::move(scored.context), scored.sweep_flops};
}

SeedMask magnitude(const SeedRequest& request) { return largest(request, "magnitude"); }
SeedMask snip(const SeedRequest& request) { return largest(request, "snip"); }
SeedMask grasp(const SeedRequest& request) { return largest(request, "grasp"); }

/// In rounds, each scored on what the one before left: after round k of n, density d^(k/n). The
/// inverted control has one round: a second would see no path.
SeedMask synflow(const SeedRequest& request) {
  const Network& network = request.network;
  const auto all = static_cast<double>(network.connections());
  TrainingState state{request.initial, Mask(network, true)};
  SeedMask result;
  const std::int64_t rounds = request.inverted ? 1 : request.rounds;
  for (std::int64_t round = 1; round <= rounds; ++round) {
    const double part = static_cast<double>(round) / static_cast<double>(rounds);
    const std::int64_t keep =
        round == rounds
            ? request.present
            : std::llround(all * std::pow(static_cast<double>(request.present) / all, part));
    Scored scored = score("synflow", {.network = network, .state = state});
    result.sweep_flops += scored.sweep_flops;
    result.context = fmt::format("{}, {} rounds", scored.context, rounds);
    state.mask =
        largest_scores(network, state.mask, ranked(scored, request), keep,
                       RandomStream(request.seed, kMaskStream, static_cast<std::uint64_t>(round)));
  }
  result.mask = std::move(state.mask);
  return result;
}

SeedMask dense(const SeedRequest& request) {
  if (request.present != request.network.connections()) {
    throw Error("seed rule dense",
                fmt::format("{} of {} connections asked for", request.present,
                            request.network.connections()),
                "ask for density 1 or take another seed rule");
  }
  return {{request.network, true}};
}

constexpr auto kFail = DisconnectedPolicy::fail;
constexpr auto kWarn = DisconnectedPolicy::warn;
constexpr std::string_view kEvci = "Evci et al. 2020, Rigging the lottery";

constexpr std::array<SeedRule, 12> kSeedRules{{
    {"phew", "random walks along large weights: every walk is a whole path",
     "Patil & Dovrolis 2021, PHEW", kFail, false, false, phew},
    {"random", "uniform over all connections", "", kWarn, false, false, random},
    {"erk", "exact ERK counts, random within layers", kEvci, kWarn, false, false, erk},
    {"er", "exact Erdos-Renyi counts, random within layers",
     "Mocanu et al. 2018, Scalable training of artificial neural networks", kWarn, false, false,
     er},
    {"uniform", "exact counts of equal density, random within layers", "", kWarn, false, false,
     uniform},
    {"uniform_dense_first", "the same with a dense first layer", kEvci, kWarn, false, false,
     uniform_dense_first},
    {"table", "layer counts from --seed-allocation-file, random within layers", "", kWarn, false,
     false, table},
    {"magnitude", "largest initial weights",
     "Han et al. 2015, Learning both weights and connections", kWarn, true, false, magnitude},
    {"snip", "largest sensitivity of the loss on training images", "Lee et al. 2019, SNIP", kWarn,
     true, true, snip},
    {"grasp", "least loss of gradient flow on training images", "Wang et al. 2020, GraSP", kWarn,
     true, true, grasp},
    {"synflow", "largest path weight, in exponential rounds",
     "Tanaka et al. 2020, Pruning neural networks without any data", kWarn, true, false, synflow},
    {"dense", "all connections", "", kWarn, false, false, dense},
}};

}  // namespace

std::span<const SeedRule> seed_rule_table() { return kSeedRules; }

const SeedRule& find_seed_rule(std::string_view name) {
  return find_row(kSeedRules, name, "--seed-rule");
}

}  // namespace gcg
