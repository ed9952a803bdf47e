#include "growth/grow.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "backend/slots.h"
#include "base/error.h"
#include "graph/networks.h"
#include "growth/units.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Network small_resnet() {
  return build_network("resnet8", {.input = {3, 8, 8}, .classes = 4, .width = 2});
}

/// fc1 (3 -> 2), ReLU, fc2 (2 -> 2).
Network two_layers() {
  NetworkBuilder net("two", {3, 1, 1});
  net.linear("fc2", net.relu("relu", net.linear("fc1", 0, 2)), 2);
  return net.finish();
}

Mask random_mask(const Network& network, double density, std::uint64_t seed) {
  RandomStream stream(seed, "test-mask");
  Mask mask(network, false);
  for (LayerMask& layer : mask.layers) {
    for (std::int64_t i = 0; i < layer.size(); ++i) {
      if (stream.uniform() < density) {
        layer.set(i);
      }
    }
  }
  return mask;
}

Scores random_scores(const Network& network, std::uint64_t seed) {
  RandomStream stream(seed, "test-scores");
  Scores scores;
  for (const Layer& layer : network.layers) {
    std::vector<double>& values = scores.log_values.emplace_back();
    for (std::int64_t i = 0; i < layer.connections(); ++i) {
      values.push_back(3 * stream.normal());
    }
  }
  return scores;
}

bool disjoint(const Mask& a, const Mask& b) {
  Mask both = a;
  unite(both, b);
  return both.present() == a.present() + b.present();
}

Mask united(Mask a, const Mask& b) {
  unite(a, b);
  return a;
}

TEST(SelectGlobal, AddsExactlyTheCountAmongAbsentConnections) {
  const Network network = small_resnet();
  const SamplingLaw laws[] = {{1, 0}, {0, 0}, {2, 0.3}, {kInfinity, 0}};
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    for (const SamplingLaw& law : laws) {
      SCOPED_TRACE(fmt::format("seed {} beta {} lambda {}", seed, law.beta, law.lambda));
      const Mask mask = random_mask(network, 0.3, seed);
      const Scores scores = random_scores(network, seed);
      for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, std::int64_t{100},
                                       mask.connections() - mask.present()}) {
        const Mask added =
            select_global(network, mask, scores, count, law, RandomStream(seed, "select"));
        EXPECT_EQ(added.present(), count);
        EXPECT_TRUE(disjoint(mask, added));
        EXPECT_EQ(select_global(network, mask, scores, count, law, RandomStream(seed, "select")),
                  added);
      }
      EXPECT_NE(select_global(network, mask, scores, 100, {1, 0}, RandomStream(seed, "select")),
                select_global(network, mask, scores, 100, {1, 0}, RandomStream(seed, "select", 1)));
    }
  }
}

TEST(SelectGlobal, GreedyTakesTheLargestScoresOfAllLayers) {
  const Network network = two_layers();
  Mask mask(network, false);
  mask.layers[0].set(2);
  mask.layers[1].set(0);
  Scores scores{{{1, 2, 100, 3, 4, 5}, {std::nan(""), -1, 4.5, 7}}};
  const Mask added =
      select_global(network, mask, scores, 3, {kInfinity, 0}, RandomStream(1, "select"));
  Mask expected(network, false);
  expected.layers[0].set(5);
  expected.layers[1].set(2);
  expected.layers[1].set(3);
  EXPECT_EQ(added, expected);
}

TEST(SelectGlobal, NamesLayerAndConnectionOfBadScores) {
  const Network network = two_layers();
  const Mask mask(network, false);
  Scores scores = uniform_scores(network);
  scores.log_values[1][2] = std::nan("");
  const auto select = [&] {
    select_global(network, mask, scores, 1, {}, RandomStream(1, "select"));
  };
  EXPECT_THAT(select,
              ThrowsMessage<Error>(HasSubstr("two: fc2: the log score of connection 2 is nan")));
  scores.log_values[1][2] = kInfinity;
  EXPECT_THAT(select,
              ThrowsMessage<Error>(HasSubstr("two: fc2: the log score of connection 2 is inf")));
  scores.log_values[1].pop_back();
  EXPECT_THAT(select, ThrowsMessage<Error>(HasSubstr("two: fc2: 3 scores for 4 connections")));
  scores.log_values.pop_back();
  EXPECT_THAT(select, ThrowsMessage<Error>(HasSubstr("scores of 1 layers, the network has 2")));
}

TEST(SelectGlobal, RefusesMoreThanThereIs) {
  const Network network = two_layers();
  Scores scores = uniform_scores(network);
  EXPECT_THAT(
      [&] { select_global(network, Mask(network, true), scores, 1, {}, RandomStream(1, "s")); },
      ThrowsMessage<Error>(HasSubstr("two: cannot draw 1 of 0 candidates")));
  scores.log_values[0].assign(6, -kInfinity);
  EXPECT_THAT(
      [&] { select_global(network, Mask(network, false), scores, 5, {}, RandomStream(1, "s")); },
      ThrowsMessage<Error>(HasSubstr("two: only 4 of 10 candidates have a positive weight")));
}

TEST(SelectByQuota, FillsEveryLayersQuotaExactly) {
  const Network network = small_resnet();
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Mask mask = random_mask(network, 0.5, seed);
    RandomStream source(seed, "test-quotas");
    std::vector<std::int64_t> quotas;
    for (const LayerMask& layer : mask.layers) {
      const std::int64_t absent = layer.size() - layer.count();
      quotas.push_back(
          static_cast<std::int64_t>(source.below(static_cast<std::uint64_t>(absent) + 1)));
    }
    const Mask added = select_by_quota(network, mask, random_scores(network, seed), quotas, {1, 0},
                                       RandomStream(seed, "select"));
    EXPECT_EQ(added.counts(), quotas);
    EXPECT_TRUE(disjoint(mask, added));
  }
}

TEST(SelectByQuota, LayersAreIndependentAndStagesDiffer) {
  const Network network = small_resnet();
  const Mask mask = random_mask(network, 0.2, 1);
  Scores scores = random_scores(network, 1);
  const std::vector<std::int64_t> quotas(network.layers.size(), 4);
  const RandomStream stage3(1, "select", 3);
  const Mask added = select_by_quota(network, mask, scores, quotas, {1, 0}, stage3);
  EXPECT_NE(select_by_quota(network, mask, scores, quotas, {1, 0}, stage3.at(4)), added);

  Mask other_mask = mask;
  other_mask.layers[0] = LayerMask(mask.layers[0].size());
  for (double& score : scores.log_values[0]) {
    score = -score;
  }
  Mask other = select_by_quota(network, other_mask, scores, quotas, {1, 0}, stage3);
  EXPECT_NE(other.layers[0], added.layers[0]);
  other.layers[0] = added.layers[0];
  EXPECT_EQ(other, added);
}

TEST(SelectByQuota, NamesTheLayerWithoutRoom) {
  const Network network = two_layers();
  const Scores scores = uniform_scores(network);
  const Mask mask(network, false);
  EXPECT_THAT(
      [&] {
        select_by_quota(network, mask, scores, {1, 5}, {}, RandomStream(1, "select"));
      },
      ThrowsMessage<Error>(HasSubstr("two: fc2: cannot draw 5 of 4 candidates")));
  EXPECT_THAT([&] { select_by_quota(network, mask, scores, {1}, {}, RandomStream(1, "select")); },
              ThrowsMessage<Error>(HasSubstr("quotas for 1 layers, the network has 2")));
}

TEST(QuotasTowards, ShareTheCountInProportionToWhatIsLacking) {
  const Network network = two_layers();  // 6 and 4 connections
  Mask mask(network, false);
  mask.layers[1].set(0);
  EXPECT_THAT(quotas_towards(network, mask, {6, 3}, 4), ElementsAre(3, 1));
  EXPECT_THAT(quotas_towards(network, mask, {6, 3}, 8), ElementsAre(6, 2));
  // A layer above its target gets nothing before the others have theirs.
  EXPECT_THAT(quotas_towards(network, mask, {6, 0}, 5), ElementsAre(5, 0));
  // Beyond the targets: 1 + 2 to reach them, then 4 more by 2 : 3.
  EXPECT_THAT(quotas_towards(network, mask, {2, 3}, 4), ElementsAre(2, 2));
  EXPECT_THAT(quotas_towards(network, mask, {2, 3}, 9), ElementsAre(6, 3));
  EXPECT_THAT(quotas_towards(network, mask, {0, 0}, 3), ElementsAre(2, 1));
  EXPECT_THAT(quotas_towards(network, mask, {6, 4}, 0), ElementsAre(0, 0));
}

TEST(QuotasTowards, HaveTheExactSumWithinTheCapacities) {
  const Network network = small_resnet();
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomStream source(seed, "test-quotas");
    const Mask mask = random_mask(network, source.uniform(), seed);
    std::vector<std::int64_t> target;
    std::int64_t lacking = 0;
    for (const LayerMask& layer : mask.layers) {
      target.push_back(
          static_cast<std::int64_t>(source.below(static_cast<std::uint64_t>(layer.size()) + 1)));
      lacking += std::max<std::int64_t>(0, target.back() - layer.count());
    }
    const std::int64_t absent = mask.connections() - mask.present();
    const auto count =
        static_cast<std::int64_t>(source.below(static_cast<std::uint64_t>(absent) + 1));
    const std::vector<std::int64_t> quotas = quotas_towards(network, mask, target, count);
    EXPECT_THAT(quotas, ::testing::Each(Ge(0)));
    EXPECT_EQ(std::accumulate(quotas.begin(), quotas.end(), std::int64_t{0}), count);
    for (std::size_t l = 0; l < quotas.size(); ++l) {
      const std::int64_t present = mask.layers[l].count();
      EXPECT_LE(present + quotas[l], mask.layers[l].size());
      if (count <= lacking) {
        EXPECT_LE(present + quotas[l], std::max(present, target[l]));
      } else {
        EXPECT_GE(present + quotas[l], target[l]);
      }
    }
  }
}

TEST(QuotasTowards, RefuseImpossibleRequests) {
  const Network network = two_layers();
  const Mask mask(network, false);
  EXPECT_THAT(
      [&] {
        quotas_towards(network, mask, {6, 4}, 11);
      },
      ThrowsMessage<Error>(HasSubstr("11 new connections asked for, 10 are absent")));
  EXPECT_THAT(
      [&] {
        quotas_towards(network, mask, {6, 5}, 1);
      },
      ThrowsMessage<Error>(HasSubstr("two: fc2: a target of 5 of 4 connections")));
  EXPECT_THAT([&] { quotas_towards(network, mask, {6}, 1); },
              ThrowsMessage<Error>(HasSubstr("a target for 1 layers, the network has 2")));
}

/// A state under a mask with a slot that is set at every present connection.
TrainingState trained_state(const Network& network, const Mask& mask) {
  TrainingState state = initial_state(network, mask, 9);
  state.slots = empty_slots(network, find_optimiser("sgd"));
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    mask.layers[l].for_each_present([&](std::int64_t i) {
      state.slots[0].values.weights[l][static_cast<std::size_t>(i)] = 0.5F;
    });
  }
  return state;
}

TEST(AddConnections, KeepsOldWeightsAndStartsNewOnesAsAsked) {
  const Network network = small_resnet();
  const Mask mask = random_mask(network, 0.3, 1);
  const Parameters initial = initial_parameters(network, 9);
  const Mask added =
      select_global(network, mask, uniform_scores(network), 200, {0, 0}, RandomStream(1, "select"));
  for (const NewWeight start : {NewWeight::zero, NewWeight::initial, NewWeight::small_random}) {
    SCOPED_TRACE(static_cast<int>(start));
    const TrainingState before = trained_state(network, mask);
    TrainingState after = before;
    add_connections(network, after, added, start, initial, RandomStream(1, "new-weights"));
    EXPECT_EQ(after.mask, united(mask, added));
    EXPECT_NO_THROW(check_mask_invariant(network, after));
    EXPECT_EQ(after.values.norms, before.values.norms);
    EXPECT_EQ(after.slots, before.slots);
    double squares = 0;
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const double tenth = 0.1 * std::sqrt(2.0 / static_cast<double>(network.layers[l].fan_in()));
      for (std::int64_t i = 0; i < mask.layers[l].size(); ++i) {
        const auto index = static_cast<std::size_t>(i);
        const float weight = after.values.weights[l][index];
        if (!added.layers[l].test(i)) {
          ASSERT_EQ(weight, before.values.weights[l][index]);
        } else if (start == NewWeight::zero) {
          ASSERT_EQ(weight, 0.0F);
          ASSERT_FALSE(std::signbit(weight));
        } else if (start == NewWeight::initial) {
          ASSERT_EQ(weight, initial.weights[l][index]);
        } else {
          squares += std::pow(weight / tenth, 2);
        }
      }
    }
    if (start == NewWeight::small_random) {
      EXPECT_NEAR(squares / 200, 1, 0.4);  // 4 standard errors sqrt(2 / 200)
    }
  }
}

TEST(AddConnections, RefusesAConnectionThatIsPresent) {
  const Network network = two_layers();
  Mask mask(network, false);
  mask.layers[1].set(3);
  TrainingState state = initial_state(network, mask, 1);
  const TrainingState before = state;
  Mask added(network, false);
  added.layers[0].set(0);
  added.layers[1].set(3);
  EXPECT_THAT(
      [&] {
        add_connections(network, state, added, NewWeight::initial, initial_parameters(network, 1),
                        RandomStream(1, "new-weights"));
      },
      ThrowsMessage<Error>(HasSubstr("two: fc2: connection 3 is present already")));
  EXPECT_EQ(state, before);
}

/// Hidden units that lack both sides, straight from the definition (channels of a residual network
/// keep their number; flatten is tested by hand).
std::int64_t dead_units(const Network& network, const Mask& mask) {
  std::int64_t dead = 0;
  const auto readers = network.readers();
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    for (std::int64_t unit = 0; unit < network.layers[l].outputs; ++unit) {
      bool incoming = false;
      mask.layers[l].for_each_present(
          [&](std::int64_t i) { incoming = incoming || i / network.layers[l].fan_in() == unit; });
      bool hidden = false;
      bool outgoing = false;
      std::vector<std::int32_t> nodes{network.layers[l].node};
      while (!nodes.empty()) {
        const std::int32_t node = nodes.back();
        nodes.pop_back();
        for (const std::int32_t reader : readers[static_cast<std::size_t>(node)]) {
          const std::int32_t m = network.nodes[static_cast<std::size_t>(reader)].layer;
          if (m < 0) {
            nodes.push_back(reader);
            continue;
          }
          hidden = true;
          const Layer& layer = network.layers[static_cast<std::size_t>(m)];
          mask.layers[static_cast<std::size_t>(m)].for_each_present([&](std::int64_t i) {
            outgoing = outgoing || i / layer.taps() % layer.inputs == unit;
          });
        }
      }
      dead += hidden && !incoming && !outgoing ? 1 : 0;
    }
  }
  return dead;
}

TEST(RepairDeadUnits, GivesOneConnectionOnEitherSide) {
  const Network network = two_layers();
  Mask mask(network, false);
  mask.layers[0].set(1);  // unit 0 has an incoming one, unit 1 nothing
  const Repair repair = repair_dead_units(network, mask, RandomStream(1, "repair"), 10);
  EXPECT_EQ(repair.connections, 2);
  EXPECT_THAT(repair.incoming.counts(), ElementsAre(1, 0));
  EXPECT_THAT(repair.outgoing.counts(), ElementsAre(0, 1));
  repair.incoming.layers[0].for_each_present([](std::int64_t i) { EXPECT_EQ(i / 3, 1); });
  repair.outgoing.layers[1].for_each_present([](std::int64_t i) { EXPECT_EQ(i % 2, 1); });
}

TEST(RepairDeadUnits, LeavesUnitsAloneThatLackOneSideAndOutputs) {
  const Network network = two_layers();
  Mask mask(network, false);
  mask.layers[0].set(0);  // unit 0: incoming only
  mask.layers[1].set(3);  // unit 1: outgoing only; class 0 has nothing
  EXPECT_EQ(repair_dead_units(network, mask, RandomStream(1, "repair"), 10).connections, 0);
}

TEST(RepairDeadUnits, DrawsUniformlyOnBothSides) {
  // Channel 1 of conv (two taps) is dead; fc reads it at two positions for each of two classes.
  NetworkBuilder net("flattened", {1, 1, 3});
  const std::int32_t conv = net.convolution("conv", 0, 2, {1, 2, 1, 0});
  net.linear("fc", net.flatten("flatten", conv), 2);
  const Network network = net.finish();
  Mask mask(network, false);
  mask.layers[0].set(0);
  std::vector<int> incoming(4, 0);
  std::vector<int> outgoing(8, 0);
  for (std::uint64_t k = 0; k < 4000; ++k) {
    const Repair repair = repair_dead_units(network, mask, RandomStream(1, "repair", k), 2);
    ASSERT_EQ(repair.connections, 2);
    repair.incoming.layers[0].for_each_present(
        [&](std::int64_t i) { ++incoming[static_cast<std::size_t>(i)]; });
    repair.outgoing.layers[1].for_each_present(
        [&](std::int64_t i) { ++outgoing[static_cast<std::size_t>(i)]; });
  }
  // 5 standard deviations of a binomial count.
  EXPECT_EQ(incoming[0] + incoming[1], 0);
  EXPECT_NEAR(incoming[2], 2000, 160);
  EXPECT_EQ(outgoing[0] + outgoing[1] + outgoing[4] + outgoing[5], 0);
  for (const std::size_t i : {2U, 3U, 6U, 7U}) {
    EXPECT_NEAR(outgoing[i], 1000, 140);
  }
}

TEST(RepairDeadUnits, CountsAConnectionBehindAnAdditionForBothBranches) {
  NetworkBuilder net("sum", {1, 1, 1});
  const std::int32_t a = net.convolution("a", 0, 2, {1, 1, 1, 0});
  const std::int32_t b = net.convolution("b", 0, 2, {1, 1, 1, 0});
  net.linear("fc", net.relu("relu", net.add("add", a, b)), 2);
  const Network network = net.finish();
  Mask mask(network, false);
  mask.layers[2].set(0);  // reads channel 0: a's and b's unit 0 have an outgoing connection
  const Repair repair = repair_dead_units(network, mask, RandomStream(1, "repair"), 10);
  // a's unit 1 gets both sides; its outgoing connection serves b's unit 1 too.
  EXPECT_EQ(repair.connections, 2);
  EXPECT_TRUE(repair.incoming.layers[0].test(1));
  EXPECT_THAT(repair.outgoing.counts(), ElementsAre(0, 0, 1));
}

TEST(RepairDeadUnits, LeavesNoUnitWithoutBothSidesWithinTheBudget) {
  for (const char* name : {"resnet8", "resnet20"}) {
    const Network network = build_network(name, {.input = {3, 8, 8}, .classes = 10, .width = 4});
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      SCOPED_TRACE(fmt::format("{} seed {}", name, seed));
      const Mask mask = random_mask(network, seed % 2 == 0 ? 0.004 : 0.02, seed);
      const std::int64_t dead = dead_units(network, mask);
      ASSERT_GT(dead, 0);
      const RandomStream stream(seed, "repair");
      const Repair repair = repair_dead_units(network, mask, stream, 1000000);
      const Mask repaired = united(united(mask, repair.incoming), repair.outgoing);
      EXPECT_EQ(dead_units(network, repaired), 0);
      EXPECT_GT(repair.connections, 0);
      EXPECT_LE(repair.connections, 2 * dead);
      EXPECT_EQ(repair.incoming.present(), repair.connections / 2);
      EXPECT_EQ(repair.outgoing.present(), repair.connections / 2);
      EXPECT_EQ(repaired.present(), mask.present() + repair.connections);

      // A smaller budget does the first part of the same.
      const std::int64_t budget = repair.connections / 2 + 1;
      const Repair part = repair_dead_units(network, mask, stream, budget);
      EXPECT_EQ(part.connections, budget - budget % 2);
      EXPECT_EQ(united(part.incoming, repair.incoming), repair.incoming);
      EXPECT_EQ(united(part.outgoing, repair.outgoing), repair.outgoing);
    }
  }
}

TEST(RepairDeadUnits, SpendsNothingWithoutABudget) {
  const Network network = two_layers();
  const Mask empty(network, false);
  for (const std::int64_t budget : {-1, 0, 1}) {
    EXPECT_EQ(repair_dead_units(network, empty, RandomStream(1, "repair"), budget).connections, 0);
  }
}

}  // namespace
}  // namespace gcg
