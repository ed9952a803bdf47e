#include "growth/seed.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "graph/networks.h"
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

TEST(SeedRules, MakeExactCountsThatDependOnTheSeedAlone) {
  for (const auto& [name, width] : kNetworks) {
    const Network network = network_of(name, width);
    const Parameters initial = initial_parameters(network, 1);
    const Parameters other_initial = initial_parameters(network, 2);
    for (const SeedRule& rule : seed_rule_table()) {
      for (const double density : {0.01, 0.05, 0.2, 0.5, 1.0}) {
        if ((rule.name == "dense") != (density == 1) && rule.name != "random") {
          continue;  // whole networks are the business of dense, and of random as its limit
        }
        SCOPED_TRACE(fmt::format("{} {} {}", name, rule.name, density));
        const std::int64_t present = present_for_density(network, density);
        const Mask mask = rule.make(network, initial, present, 1);
        EXPECT_NO_THROW(check_sizes(network, mask));
        EXPECT_EQ(mask.present(), present);
        EXPECT_EQ(rule.make(network, initial, present, 1), mask);
        if (density < 1) {
          EXPECT_NE(rule.make(network, initial, present, 2), mask);
        }
        if (rule.name != "phew") {
          EXPECT_EQ(rule.make(network, other_initial, present, 1), mask);
        }
      }
    }
  }
}

TEST(SeedRules, ErkHasTheCountsOfTheAllocation) {
  const Network network = network_of("resnet8", 4);
  const std::int64_t present = present_for_density(network, 0.3);
  EXPECT_EQ(
      find_seed_rule("erk").make(network, initial_parameters(network, 1), present, 1).counts(),
      erk_allocation(network, present));
}

TEST(SeedRules, RandomIsUniformOverAllConnections) {
  const Network network = network_of("resnet8", 4);
  const Parameters initial = initial_parameters(network, 1);
  std::vector<std::int64_t> sums(network.layers.size(), 0);
  constexpr std::int64_t kSeeds = 100;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<std::int64_t> counts =
        find_seed_rule("random").make(network, initial, network.connections() / 10, seed).counts();
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
  EXPECT_THAT(
      [] { find_seed_rule("lottery"); },
      ThrowsMessage<UsageError>(HasSubstr("'lottery' is none of: phew, random, erk, dense")));
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
}

TEST(MakeSeed, WarnKeepsTheMaskAndTellsTheSame) {
  const Network network = network_of("resnet8", 8);
  const Parameters initial = initial_parameters(network, 1);
  const Seed made = make_seed(network, initial, "random", 0.05, DisconnectedPolicy::warn, 1);
  EXPECT_EQ(made.mask, find_seed_rule("random").make(network, initial, made.mask.present(), 1));
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
        const Mask before = find_seed_rule(rule).make(network, initial, made.mask.present(), seed);
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
