#include "growth/seed.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/temporary_folder.h"
#include "graph/networks.h"
#include "growth/rank.h"
#include "paths/sums.h"
#include "score/phew.h"
#include "topology/allocation.h"
#include "topology/reachability.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

Network network_of(std::string_view name, std::int64_t width) {
  const bool digits = name == "mlp" || name == "lenet5";
  const Shape input = digits ? Shape{1, 28, 28} : Shape{3, 32, 32};
  return build_network(name, {.input = input, .classes = 10, .width = width});
}

struct NamedNetwork {
  std::string_view name;
  std::int64_t width;
};
constexpr NamedNetwork kNetworks[] = {{"mlp", 30}, {"lenet5", 4}, {"resnet8", 4}, {"resnet20", 4}};

/// A loss w' A w / 2 with a diagonal A between 1 and 2 that depends on the position alone.
ConnectionValues quadratic_gradient(const TrainingState& state, std::uint64_t batch) {
  ConnectionValues values = state.values.weights;
  RandomStream stream(7, "curvature", batch);
  for (std::vector<float>& layer : values) {
    for (float& value : layer) {
      value *= static_cast<float>(1 + stream.uniform());
    }
  }
  return values;
}

/// A v.
ConnectionValues quadratic_curvature(const TrainingState& state, const ConnectionValues& direction,
                                     std::uint64_t batch) {
  TrainingState along = state;
  along.values.weights = direction;
  return quadratic_gradient(along, batch);
}

Mask make(std::string_view rule, const Network& network, const Parameters& initial,
          std::int64_t present, std::uint64_t seed, bool inverted = false) {
  SeedRequest request{network, initial, present, seed};
  request.gradients = quadratic_gradient;
  request.curvature = quadratic_curvature;
  request.rounds = 5;
  request.inverted = inverted;
  const testing::TemporaryFolder folder;
  if (rule == "table") {
    request.allocation = folder / "densities.txt";
    std::ofstream file(request.allocation);
    for (const Layer& layer : network.layers) {
      file << layer.name << " 0.5\n";
    }
  }
  return find_seed_rule(rule).make(request).mask;
}

TEST(SeedRules, MakeExactCountsFromTheSeedOrFromTheWeightsAlone) {
  for (const auto& [name, width] : kNetworks) {
    const Network network = network_of(name, width);
    const Parameters initial = initial_parameters(network, 1);
    const Parameters other_initial = initial_parameters(network, 2);
    for (const SeedRule& rule : seed_rule_table()) {
      for (const double density : {0.01, 0.05, 0.2, 0.5, 1.0}) {
        const std::int64_t present = present_for_density(network, density);
        if ((rule.name == "dense") != (density == 1) && rule.name != "random") {
          continue;  // whole networks are the business of dense, and of random as its limit
        }
        if (rule.name == "uniform_dense_first" && present < network.layers[0].connections() + 10) {
          continue;
        }
        SCOPED_TRACE(fmt::format("{} {} {}", name, rule.name, density));
        const Mask mask = make(rule.name, network, initial, present, 1);
        EXPECT_NO_THROW(check_sizes(network, mask));
        EXPECT_EQ(mask.present(), present);
        EXPECT_EQ(make(rule.name, network, initial, present, 1), mask);
        if (density < 1) {
          EXPECT_EQ(make(rule.name, network, initial, present, 2) == mask, rule.scored);
          const bool weights_matter = rule.scored || rule.name == "phew";
          EXPECT_EQ(make(rule.name, network, other_initial, present, 1) == mask, !weights_matter);
        }
      }
    }
  }
}

TEST(SeedRules, ScoredRulesKeepTheOthersWhenInverted) {
  const Network network = network_of("resnet8", 4);
  const Parameters initial = initial_parameters(network, 1);
  for (const SeedRule& rule : seed_rule_table()) {
    if (rule.scored) {
      SCOPED_TRACE(rule.name);
      const std::int64_t half = network.connections() / 2;
      const Mask mask = make(rule.name, network, initial, half, 1);
      const Mask inverse = make(rule.name, network, initial, network.connections() - half, 1, true);
      if (rule.name == "synflow") {
        EXPECT_LT(jaccard(mask, inverse), 0.2);  // its rounds do not see the same networks
      } else {
        EXPECT_EQ(absent(network, mask), inverse);
      }
    }
  }
}

TEST(SeedRules, MagnitudeKeepsTheLargestWeightsAndQuadraticLossesAgreeWithIt) {
  const Network network = network_of("mlp", 30);
  const Parameters initial = initial_parameters(network, 1);
  const std::int64_t present = network.connections() / 10;
  const Mask mask = make("magnitude", network, initial, present, 1);
  float smallest = 1e9F;
  float largest = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    for (std::int64_t i = 0; i < mask.layers[l].size(); ++i) {
      const float weight = std::abs(initial.weights[l][static_cast<std::size_t>(i)]);
      if (mask.layers[l].test(i)) {
        smallest = std::min(smallest, weight);
      } else {
        largest = std::max(largest, weight);
      }
    }
  }
  EXPECT_GE(smallest, largest);
  // SNIP ranks by a w^2 and GraSP by (a w)^2: with a in [1, 2], what has twice the edge's weight is
  // always kept.
  for (const char* rule : {"snip", "grasp"}) {
    const Mask other = make(rule, network, initial, present, 1);
    mask.layers[0].for_each_present([&](std::int64_t i) {
      if (std::abs(initial.weights[0][static_cast<std::size_t>(i)]) > 2 * smallest) {
        EXPECT_TRUE(other.layers[0].test(i));
      }
    });
  }
}

TEST(SeedRules, SynFlowLeavesNoLayerWithoutConnectionsWhereMagnitudeDoes) {
  const Network network = network_of("resnet20", 4);
  const Parameters initial = initial_parameters(network, 1);
  SeedRequest request{network, initial, present_for_density(network, 0.01), 1};
  const auto empty_layers = [&](std::string_view rule) {
    const auto counts = find_seed_rule(rule).make(request).mask.counts();
    return std::count(counts.begin(), counts.end(), 0);
  };
  EXPECT_EQ(empty_layers("synflow"), 0);
  EXPECT_GT(empty_layers("magnitude"), 0);
  EXPECT_THAT([&] { make_seed(request, "magnitude", DisconnectedPolicy::fail); },
              ThrowsMessage<Error>(HasSubstr("have no connection left")));
  EXPECT_EQ(make_seed({network, initial, present_for_density(network, 0.1), 1}, "magnitude",
                      DisconnectedPolicy::repair)
                .mask.present(),
            present_for_density(network, 0.1));
}

TEST(SeedRules, TellHowTheirScoresCameAbout) {
  const Network network = network_of("resnet8", 4);
  const Parameters initial = initial_parameters(network, 1);
  SeedRequest request{network, initial, 500, 1};
  request.gradients = quadratic_gradient;
  request.batches = 3;
  EXPECT_EQ(find_seed_rule("snip").make(request).context,
            "3 batches from number 0 on, batch norm in training mode, float32");
  const SeedMask synflow = find_seed_rule("synflow").make(request);
  EXPECT_EQ(synflow.context, "no images, folded batch norm, float64, 100 rounds");
  // The first round sees the whole network, the others less.
  const double first = path_score_flops(network, Mask(network, true));
  EXPECT_GT(synflow.sweep_flops, 100 * first / 3);
  EXPECT_LT(synflow.sweep_flops, 100 * first);
  EXPECT_EQ(find_seed_rule("random").make(request).context, "");
  EXPECT_THAT(
      [&] {
        find_seed_rule("snip").make({network, initial, 500, 1});
      },
      ThrowsMessage<Error>(HasSubstr("needs training images")));
}

TEST(SeedRules, ErkHasTheCountsOfTheAllocation) {
  const Network network = network_of("resnet8", 4);
  const std::int64_t present = present_for_density(network, 0.3);
  EXPECT_EQ(make("erk", network, initial_parameters(network, 1), present, 1).counts(),
            allocate("erk", network, present).counts);
}

TEST(SeedRules, RandomIsUniformOverAllConnections) {
  const Network network = network_of("resnet8", 4);
  const Parameters initial = initial_parameters(network, 1);
  std::vector<std::int64_t> sums(network.layers.size(), 0);
  constexpr std::int64_t kSeeds = 100;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<std::int64_t> counts =
        make("random", network, initial, network.connections() / 10, seed).counts();
    for (std::size_t l = 0; l < sums.size(); ++l) {
      sums[l] += counts[l];
    }
  }
  for (std::size_t l = 0; l < sums.size(); ++l) {
    const double expected = 0.1 * kSeeds * static_cast<double>(network.layers[l].connections());
    EXPECT_NEAR(static_cast<double>(sums[l]), expected, 5 * std::sqrt(expected)) << l;
  }
}

TEST(SeedRules, DenseIsWholeOrAnError) {
  const Network network = network_of("resnet8", 4);
  const Parameters initial = initial_parameters(network, 1);
  EXPECT_EQ(make_seed(network, initial, "dense", 1, DisconnectedPolicy::fail, 1).mask,
            Mask(network, true));
  EXPECT_THAT([&] { make_seed(network, initial, "dense", 0.5, DisconnectedPolicy::fail, 1); },
              ThrowsMessage<Error>(HasSubstr("seed rule dense: ")));
}

TEST(SeedRules, AreFoundByName) {
  for (const SeedRule& rule : seed_rule_table()) {
    EXPECT_EQ(find_seed_rule(rule.name).about, rule.about);
  }
  EXPECT_EQ(find_seed_rule("phew").default_policy, DisconnectedPolicy::fail);
  EXPECT_EQ(find_seed_rule("random").default_policy, DisconnectedPolicy::warn);
  EXPECT_THAT([] { find_seed_rule("lottery"); },
              ThrowsMessage<UsageError>(HasSubstr("'lottery' is none of: phew, random, erk")));
}

TEST(PresentForDensity, RoundsAndChecks) {
  const Network network = network_of("mlp", 30);
  const std::int64_t all = 784 * 30 + 30 * 10 + 10 * 10;
  EXPECT_EQ(present_for_density(network, 1), all);
  EXPECT_EQ(present_for_density(network, 0.05), 1196);  // 0.05 x 23920
  EXPECT_EQ(present_for_density(network, 0.6 / 23920), 1);
  EXPECT_THAT([&] { present_for_density(network, 0.4 / 23920); },
              ThrowsMessage<Error>(HasSubstr("leaves none")));
  for (const double density : {0.0, -0.1, 1.0001, std::nan("")}) {
    EXPECT_THAT([&] { present_for_density(network, density); },
                ThrowsMessage<Error>(HasSubstr("is not in (0, 1]")));
  }
}

TEST(PhewSeed, LeavesNoUnitDisconnectedFromTheDensitiesMeasuredOn) {
  // Walks spread over the units by chance: the density that connects all of them grows as the
  // network gets narrower and shallower.
  struct Case {
    std::string_view name;
    std::int64_t width;
    double density;
  };
  for (const Case& c : {Case{"resnet20", 16, 0.05}, Case{"resnet8", 16, 0.1},
                        Case{"resnet8", 8, 0.15}, Case{"mlp", 100, 0.05}, Case{"lenet5", 6, 0.1}}) {
    const Network network = network_of(c.name, c.width);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE(fmt::format("{} width {} seed {}", c.name, c.width, seed));
      const Seed made = make_seed(network, initial_parameters(network, seed), "phew", c.density,
                                  DisconnectedPolicy::fail, seed);
      EXPECT_EQ(made.disconnected, 0);
      EXPECT_EQ(made.moved, 0);
      EXPECT_THAT(made.warning, IsEmpty());
    }
  }
}

TEST(PhewSeed, ReachesEveryHeadAndChannelOfATransformer) {
  const Network network = build_network("vit6_small", {{3, 32, 32}});
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    SCOPED_TRACE(seed);
    const Seed made = make_seed(network, initial_parameters(network, seed), "phew", 0.05,
                                DisconnectedPolicy::fail, seed);
    EXPECT_EQ(made.disconnected, 0);
    EXPECT_EQ(made.mask.present(), present_for_density(network, 0.05));
  }
}

TEST(MakeSeed, FailNamesTheFirstUnitAndTheCounts) {
  const Network network = network_of("resnet8", 8);
  const Parameters initial = initial_parameters(network, 1);
  const std::int64_t present = present_for_density(network, 0.01);
  const Mask mask = phew_mask(network, initial, present, RandomStream(1, "seed-mask"));
  const std::int64_t disconnected = reachability(network, mask).disconnected_units();
  ASSERT_GT(disconnected, 0);
  EXPECT_THAT(
      [&] { make_seed(network, initial, "phew", 0.01, DisconnectedPolicy::fail, 1); },
      ThrowsMessage<Error>(AllOf(StartsWith("resnet8: "), HasSubstr(" unit "),
                                 HasSubstr(fmt::format("{} of {} units are on no input-output path",
                                                       disconnected, 8 * 3 + 16 * 3 + 32 * 3 + 10)),
                                 HasSubstr("seed rule phew, density 0.01"))));
  // The density it suggests is enough, and not by much more than it has to be.
  try {
    make_seed(network, initial, "phew", 0.01, DisconnectedPolicy::fail, 1);
  } catch (const Error& error) {
    const std::string text = error.what();
    const std::size_t place = text.find("ask for density ");
    ASSERT_NE(place, std::string::npos) << text;
    const double enough = std::stod(text.substr(place + 16));
    EXPECT_EQ(make_seed(network, initial, "phew", enough, DisconnectedPolicy::warn, 1).disconnected,
              0);
    EXPECT_GT(make_seed(network, initial, "phew", 0.97 * enough, DisconnectedPolicy::warn, 1)
                  .disconnected,
              0);
  }
}

TEST(MakeSeed, WarnKeepsTheMaskAndTellsTheSame) {
  const Network network = network_of("resnet8", 8);
  const Parameters initial = initial_parameters(network, 1);
  const Seed made = make_seed(network, initial, "random", 0.05, DisconnectedPolicy::warn, 1);
  EXPECT_EQ(made.mask, make("random", network, initial, made.mask.present(), 1));
  EXPECT_EQ(made.disconnected, reachability(network, made.mask).disconnected_units());
  EXPECT_GT(made.disconnected, 0);
  EXPECT_EQ(made.moved, 0);
  EXPECT_THAT(made.warning, HasSubstr(fmt::format("{} of 178 units", made.disconnected)));
}

TEST(MakeSeed, NeverUsedInputsAreNoDisconnectedUnits) {
  NetworkBuilder net("wide", {50, 1, 1});
  net.linear("fc", 0, 2);
  const Network network = net.finish();
  const Parameters initial = initial_parameters(network, 1);
  const Seed made = make_seed(network, initial, "random", 0.1, DisconnectedPolicy::fail, 3);
  EXPECT_EQ(made.mask.present(), 10);  // at most 10 of 50 inputs are used
}

TEST(MakeSeed, RepairConnectsEveryUnitAndKeepsTheCount) {
  for (const auto& [name, width] :
       {NamedNetwork{"mlp", 60}, {"lenet5", 6}, {"resnet8", 8}, {"resnet20", 8}}) {
    const Network network = network_of(name, width);
    for (const std::string_view rule : {"phew", "random", "erk"}) {
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
        SCOPED_TRACE(fmt::format("{} {} seed {}", name, rule, seed));
        const Parameters initial = initial_parameters(network, seed);
        const Seed made = make_seed(network, initial, rule, 0.04, DisconnectedPolicy::repair, seed);
        const Mask before = make(rule, network, initial, made.mask.present(), seed);
        EXPECT_EQ(made.mask.present(), present_for_density(network, 0.04));
        EXPECT_EQ(reachability(network, made.mask).disconnected_units(), 0);
        EXPECT_EQ(made.disconnected, reachability(network, before).disconnected_units());
        EXPECT_LE(made.moved, 2 * made.disconnected);
        EXPECT_EQ(made.moved == 0, made.disconnected == 0);
        // What was taken away are at most the connections moved.
        Mask both = before;
        unite(both, made.mask);
        EXPECT_LE(both.present(), before.present() + made.moved);
        EXPECT_EQ(make_seed(network, initial, rule, 0.04, DisconnectedPolicy::repair, seed).mask,
                  made.mask);
      }
    }
  }
}

TEST(MakeSeed, RepairMovesOnlyWhatIsNeeded) {
  // fc1 has 3 connections, all into unit 0; unit 1 lacks both sides, class 1 reads nothing.
  NetworkBuilder net("two", {3, 1, 1});
  net.linear("fc2", net.relu("relu", net.linear("fc1", 0, 2)), 2);
  const Network network = net.finish();
  const Parameters initial = initial_parameters(network, 1);
  std::int64_t repaired = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    // 4 connections are the fewest that put all of 4 units on a path.
    const Seed made = make_seed(network, initial, "random", 0.4, DisconnectedPolicy::repair, seed);
    EXPECT_EQ(made.mask.present(), 4);
    EXPECT_EQ(reachability(network, made.mask).disconnected_units(), 0);
    repaired += made.moved > 0 ? 1 : 0;
  }
  EXPECT_GT(repaired, 100);
}

TEST(MakeSeed, RepairSaysWhenTheDensityIsTooLow) {
  const Network network = network_of("resnet8", 8);
  EXPECT_THAT(
      [&] {
        make_seed(network, initial_parameters(network, 1), "random", 0.005,
                  DisconnectedPolicy::repair, 1);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("the seed cannot connect all 178 units"),
                                 HasSubstr("ask for a higher density"))));
}

TEST(MakeSeed, RefusesUnknownRulesAndDensities) {
  const Network network = network_of("resnet8", 4);
  const Parameters initial = initial_parameters(network, 1);
  EXPECT_THROW(make_seed(network, initial, "none", 0.1, DisconnectedPolicy::warn, 1), UsageError);
  EXPECT_THAT([&] { make_seed(network, initial, "random", 0, DisconnectedPolicy::warn, 1); },
              ThrowsMessage<Error>(HasSubstr("density 0 is not in (0, 1]")));
}

}  // namespace
}  // namespace gcg
