#include "paths/tau_core.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/throws.h"
#include "graph/networks.h"
#include "paths/reference.h"

namespace gcg::testing {
namespace {

using ::testing::HasSubstr;

/// The greedy search by its definition, on the list of all paths.
TauCore plain_tau_core(const Network& network, const PathReference& reference, double tau) {
  TauCore core;
  const double total = reference.total();
  if (total == 0) {
    return core;
  }
  std::set<std::pair<int, std::int64_t>> removed;
  while (core.covered < tau - 1e-12) {
    double best = 0;
    std::pair<int, std::int64_t> unit;
    for (const auto& [candidate, weight] : reference.unit_weights(removed)) {
      if (candidate.first != static_cast<int>(network.layers.size()) - 1 && weight > best) {
        best = weight;
        unit = candidate;
      }
    }
    if (best == 0) {
      break;
    }
    removed.insert(unit);
    core.units += 1;
    core.covered = 1 - reference.total(removed) / total;
  }
  return core;
}

/// Layers of several units with a residual branch: cores of several layers, taken in turns.
Network residual_mlp() {
  NetworkBuilder net("residual", {3, 1, 1});
  const std::int32_t x = net.linear("stem", 0, 5);
  const std::int32_t y = net.linear("branch2", net.linear("branch1", x, 3), 5);
  net.linear("classifier", net.linear("head", net.add("add", x, y), 4), 2);
  return net.finish();
}

TEST(TauCore, IsTheGreedySearchOverAllPaths) {
  int large_cores = 0;
  int cases = 0;
  for (std::uint64_t seed = 0; cases < 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomStream stream(seed, "tau-core-test");
    const Network network = seed % 2 == 0   ? random_network(stream)
                            : seed % 8 == 3 ? tiny_transformer(seed % 16 == 3 ? 1 : 2)
                                            : residual_mlp();
    const Parameters parameters = random_parameters(network, stream);
    const Mask mask = random_mask(network, seed % 16 == 11 ? 0.4 : 0.8, stream);
    for (const int power : {1, 2}) {
      const PathOptions options{PathNorm::folded, power};
      const PathReference reference(network, parameters, mask, options);
      if (reference.paths() > 3000) {
        continue;
      }
      ++cases;
      for (const double tau : {0.3, 0.9, 0.999}) {
        const TauCore expected = plain_tau_core(network, reference, tau);
        const TauCore core = tau_core(network, parameters, mask, tau, options);
        EXPECT_EQ(core.units, expected.units);
        EXPECT_NEAR(core.covered, expected.covered, 1e-9);
        large_cores += core.units >= 3 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(large_cores, 20);
}

TEST(TauCore, CoversAtLeastTauAndGrowsWithIt) {
  const Network network = build_network("resnet8", {{3, 8, 8}, 10, 8});
  for (const double density : {0.05, 0.2, 1.0}) {
    SCOPED_TRACE(density);
    RandomStream stream(7, "tau-core-test");
    const Parameters parameters = random_parameters(network, stream);
    const Mask mask = random_mask(network, density, stream);
    std::int64_t smaller = 0;
    for (const double tau : {0.01, 0.1, 0.5, 0.9, 0.99}) {
      const TauCore core = tau_core(network, parameters, mask, tau);
      EXPECT_GE(core.covered, tau - 1e-12);
      EXPECT_LE(core.covered, 1 + 1e-12);
      EXPECT_GE(core.units, std::max<std::int64_t>(1, smaller));
      smaller = core.units;
    }
  }
}

TEST(TauCore, OfABottleneckIsTheBottleneck) {
  NetworkBuilder net("hourglass", {8, 1, 1});
  std::int32_t x = net.relu("relu1", net.linear("wide1", 0, 20));
  x = net.relu("relu2", net.linear("waist", x, 3));
  x = net.relu("relu3", net.linear("wide2", x, 20));
  net.linear("classifier", x, 10);
  const Network network = net.finish();
  const Parameters parameters = initial_parameters(network, 4);
  const Mask mask(network, true);
  const TauCore core = tau_core(network, parameters, mask, 0.999);
  EXPECT_EQ(core.units, 3);
  EXPECT_NEAR(core.covered, 1, 1e-12);
  EXPECT_EQ(narrowest_layer(network), 3);
}

TEST(TauCore, TakesAsManyEqualUnitsAsTheShareAsksFor) {
  NetworkBuilder net("equal", {1, 1, 1});
  net.linear("classifier", net.linear("hidden", 0, 10), 2);
  const Network network = net.finish();
  Parameters parameters = initial_parameters(network, 4);
  for (auto& weights : parameters.weights) {
    weights.assign(weights.size(), 0.1F);
  }
  for (int units = 1; units < 10; ++units) {
    EXPECT_EQ(tau_core(network, parameters, Mask(network, true), units / 10.0).units, units);
  }
}

TEST(TauCore, DoesNotCountTheClassifiersUnits) {
  // Few classes, many hidden units: a core of classifier units would be smaller.
  const Network network = build_network("mlp", {{4, 1, 1}, 2, 30});
  const Parameters parameters = initial_parameters(network, 4);
  EXPECT_GT(tau_core(network, parameters, Mask(network, true), 0.999).units, 2);
  EXPECT_EQ(narrowest_layer(network), 10);
}

TEST(TauCore, OfANetworkWithoutPathsIsEmpty) {
  const Network network = build_network("mlp", {{4, 1, 1}, 2, 30});
  const TauCore core = tau_core(network, initial_parameters(network, 4), Mask(network, false), 0.9);
  EXPECT_EQ(core.units, 0);
  EXPECT_EQ(core.covered, 0);
}

TEST(TauCore, OfANetworkWithoutHiddenUnitsIsEmptyToo) {
  NetworkBuilder net("linear", {4, 1, 1});
  net.linear("classifier", 0, 2);
  const Network network = net.finish();
  const TauCore core = tau_core(network, initial_parameters(network, 4), Mask(network, true), 0.9);
  EXPECT_EQ(core.units, 0);
  EXPECT_EQ(core.covered, 0);
  EXPECT_EQ(narrowest_layer(network), 0);
}

TEST(TauCore, HoldsOutInAVeryDeepNetwork) {
  NetworkBuilder net("deep", {2, 1, 1});
  std::int32_t x = 0;
  for (int l = 0; l < 200; ++l) {
    x = net.linear(fmt::format("fc{}", l), x, l == 120 ? 1 : 4, false);
  }
  net.linear("last", x, 2, false);
  const Network network = net.finish();
  Parameters parameters = initial_parameters(network, 4);
  for (auto& weights : parameters.weights) {
    for (float& weight : weights) {
      weight *= 1e-30F;
    }
  }
  const TauCore core = tau_core(network, parameters, Mask(network, true), 0.9);
  EXPECT_EQ(core.units, 1);
  EXPECT_NEAR(core.covered, 1, 1e-9);
}

TEST(TauCore, RefusesAShareThatIsNone) {
  const Network network = build_network("mlp", {{4, 1, 1}, 2, 30});
  const Parameters parameters = initial_parameters(network, 4);
  for (const double tau : {0.0, 1.0, -0.5, std::numeric_limits<double>::quiet_NaN()}) {
    GCG_EXPECT_ERROR(tau_core(network, parameters, Mask(network, true), tau),
                     HasSubstr("is not in (0, 1)"));
  }
}

}  // namespace
}  // namespace gcg::testing
