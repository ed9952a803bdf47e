#include "topology/allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StrEq;
using Counts = std::vector<std::int64_t>;
using Shares = std::vector<double>;

TEST(LargestRemainder, GivesTheUnitsLeftToTheLargestRemainders) {
  EXPECT_THAT(largest_remainder(Shares{1.5, 2.3, 3.2}, 7, Counts{9, 9, 9}), ElementsAre(2, 2, 3));
  EXPECT_THAT(largest_remainder(Shares{0.9, 0.9, 0.2}, 2, Counts{9, 9, 9}), ElementsAre(1, 1, 0));
  EXPECT_THAT(largest_remainder(Shares{47, 16, 15.8, 12, 6.1, 3.1}, 10, Counts{9, 9, 9, 9, 9, 9}),
              ElementsAre(5, 2, 1, 1, 1, 0));
}

TEST(LargestRemainder, TiesGoToTheLowerIndex) {
  EXPECT_THAT(largest_remainder(Shares{1, 1, 1}, 4, Counts{9, 9, 9}), ElementsAre(2, 1, 1));
  EXPECT_THAT(largest_remainder(Shares{1, 1, 1}, 5, Counts{9, 9, 9}), ElementsAre(2, 2, 1));
}

TEST(LargestRemainder, OnlyProportionsCount) {
  EXPECT_THAT(largest_remainder(Shares{0.1, 0.3}, 8, Counts{9, 9}), ElementsAre(2, 6));
  EXPECT_THAT(largest_remainder(Shares{1e200, 3e200}, 8, Counts{9, 9}), ElementsAre(2, 6));
}

TEST(LargestRemainder, WhatDoesNotFitGoesToTheOthersInProportion) {
  // 8 : 1 : 3 of 24 would be 16, 2, 6; 12 are left for 1 : 3.
  EXPECT_THAT(largest_remainder(Shares{8, 1, 3}, 24, Counts{12, 99, 99}), ElementsAre(12, 3, 9));
  // Then the last overflows in turn.
  EXPECT_THAT(largest_remainder(Shares{8, 1, 3}, 24, Counts{12, 99, 7}), ElementsAre(12, 5, 7));
  EXPECT_THAT(largest_remainder(Shares{8, 1, 3}, 24, Counts{12, 5, 7}), ElementsAre(12, 5, 7));
}

TEST(LargestRemainder, ExcessesOfLessThanOneAreSharedOutInProportionToo) {
  // Ten parts want 1.9 and hold 1: the 9 they leave go to 10 and 20 as 3 and 6.
  Shares wanted(12, 1.9);
  Counts capacity(12, 1);
  wanted[10] = 10;
  wanted[11] = 20;
  capacity[10] = capacity[11] = 99;
  const Counts result = largest_remainder(wanted, 49, capacity);
  EXPECT_EQ(result[10], 13);
  EXPECT_EQ(result[11], 26);
}

TEST(LargestRemainder, NothingIsSharedOutFromNothing) {
  EXPECT_THAT(largest_remainder(Shares{1, 2}, 0, Counts{5, 5}), ElementsAre(0, 0));
  EXPECT_THAT(largest_remainder(Shares{0, 0}, 0, Counts{5, 5}), ElementsAre(0, 0));
  EXPECT_THAT(largest_remainder(Shares{}, 0, Counts{}), IsEmpty());
}

TEST(LargestRemainder, AShareOfZeroGetsNothing) {
  EXPECT_THAT(largest_remainder(Shares{0, 1, 2}, 10, Counts{9, 9, 9}), ElementsAre(0, 3, 7));
  GCG_EXPECT_ERROR(largest_remainder(Shares{0, 1, 2}, 10, Counts{9, 2, 3}),
                   StrEq("allocation: 5 of 10 connections fit no part with a positive share"));
}

TEST(LargestRemainder, RefusesWhatCannotBeHeld) {
  GCG_EXPECT_ERROR(largest_remainder(Shares{1, 1}, 11, Counts{5, 5}),
                   StrEq("allocation: 11 connections asked for, there is room for 0 to 10"));
  GCG_EXPECT_ERROR(largest_remainder(Shares{1, 1}, -1, Counts{5, 5}), HasSubstr("-1 connections"));
  GCG_EXPECT_ERROR(largest_remainder(Shares{1, 1}, 3, Counts{5, -5}),
                   StrEq("allocation: capacity 1 is -5"));
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  GCG_EXPECT_ERROR(largest_remainder(Shares{1, 1}, 3, Counts{huge, huge}),
                   HasSubstr("more than 2^40"));
  GCG_EXPECT_ERROR(largest_remainder(Shares{1, 1}, 3, Counts{5}),
                   StrEq("allocation: 2 shares for 1 capacities"));
}

TEST(LargestRemainder, RefusesSharesThatAreNoNumbers) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  GCG_EXPECT_ERROR(largest_remainder(Shares{1, -0.5}, 3, Counts{5, 5}),
                   StrEq("allocation: share 1 is -0.5: not a finite number of at least 0"));
  GCG_EXPECT_ERROR(largest_remainder(Shares{infinity, 1}, 3, Counts{5, 5}),
                   HasSubstr("share 0 is inf"));
  GCG_EXPECT_ERROR(largest_remainder(Shares{1, std::nan("")}, 3, Counts{5, 5}),
                   HasSubstr("share 1 is nan"));
  GCG_EXPECT_ERROR(largest_remainder(Shares{1e308, 1e308}, 3, Counts{5, 5}),
                   HasSubstr("too large or too small"));
  GCG_EXPECT_ERROR(largest_remainder(Shares{5e-324, 5e-324}, 3, Counts{5, 5}),
                   HasSubstr("too large or too small"));
}

TEST(LargestRemainder, KeepsSumAndCapacitiesAndStaysWithinOneOfTheQuota) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    RandomStream stream(seed, "test");
    const std::size_t parts = 1 + stream.below(12);
    Shares wanted;
    Counts capacity;
    for (std::size_t i = 0; i < parts; ++i) {
      wanted.push_back(stream.uniform_open() * (stream.below(3) == 0 ? 100 : 1));
      capacity.push_back(static_cast<std::int64_t>(stream.below(1000)));
    }
    const std::int64_t room = std::accumulate(capacity.begin(), capacity.end(), std::int64_t{0});
    const auto sum = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(room) + 1));
    const Counts result = largest_remainder(wanted, sum, capacity);
    EXPECT_EQ(std::accumulate(result.begin(), result.end(), std::int64_t{0}), sum);
    // All parts that are not full have the same scale, up to rounding to one of the two neighbours;
    // a full part would take more at that scale.
    double low = 0;
    double high = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < parts; ++i) {
      EXPECT_GE(result[i], 0);
      EXPECT_LE(result[i], capacity[i]);
      low = std::max(low, static_cast<double>(result[i] - 1) / wanted[i]);
      if (result[i] < capacity[i]) {
        high = std::min(high, static_cast<double>(result[i] + 1) / wanted[i]);
      }
    }
    EXPECT_LE(low, high);
  }
}

Network convolution_and_linear() {
  NetworkBuilder net("small", {3, 8, 8});
  const std::int32_t conv = net.convolution("conv", 0, 10, {3, 5, 1, 2});
  const std::int32_t point = net.convolution("point", conv, 20, {1, 1, 1, 0});
  net.linear("fc", net.global_average_pool("pool", point), 4);
  return net.finish();
}

TEST(UniformAllocation, HasTheSameDensityInEveryLayer) {
  const Network network = convolution_and_linear();  // 450, 200 and 80 connections
  EXPECT_THAT(allocate("uniform", network, 73).counts, ElementsAre(45, 20, 8));
  EXPECT_THAT(allocate("uniform", network, 730).counts, ElementsAre(450, 200, 80));
  EXPECT_THAT(allocate("uniform", network, 74).counts, ElementsAre(46, 20, 8));
  GCG_EXPECT_ERROR(allocate("uniform", network, 731),
                   HasSubstr("731 of 730 connections asked for"));
}

TEST(ErkAllocation, FollowsTheFormulaWithKernelTermsForConvolutionsOnly) {
  const Network network = convolution_and_linear();
  // Connections in proportion to 3 + 10 + 3 + 5, 10 + 20 + 1 + 1 and 20 + 4: 21 : 32 : 24.
  EXPECT_THAT(allocate("erk", network, 77).counts, ElementsAre(21, 32, 24));
  EXPECT_THAT(allocate("erk", network, 154).counts, ElementsAre(42, 64, 48));
}

TEST(ErkAllocation, MakesLayersDenseThatWouldExceedOneAndSolvesTheRestAgain) {
  const Network network = convolution_and_linear();
  // 308 would be 84, 128, 96: the classifier is full at 80, 228 are left for 21 : 32.
  EXPECT_THAT(allocate("erk", network, 308).counts, ElementsAre(90, 138, 80));
  EXPECT_THAT(allocate("erk", network, 730).counts, ElementsAre(450, 200, 80));
}

// The loop of the published implementation: the densest layer alone becomes dense, then anew.
Shares erk_one_layer_at_a_time(const Network& network, double present) {
  const std::vector<Layer>& layers = network.layers;
  std::vector<bool> dense(layers.size(), false);
  for (;;) {
    double rest = present;
    double divisor = 0;
    Shares raw;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Layer& layer = layers[l];
      const auto size = static_cast<double>(layer.connections());
      const bool linear =
          network.nodes[static_cast<std::size_t>(layer.node)].operation == Operation::linear;
      raw.push_back(static_cast<double>(layer.inputs + layer.outputs +
                                        (linear ? 0 : layer.kernel_height + layer.kernel_width)) /
                    size);
      if (dense[l]) {
        rest -= size;
        raw.back() = 0;
      } else {
        divisor += raw.back() * size;
      }
    }
    const double scale = divisor > 0 ? rest / divisor : 0;
    const auto densest = std::max_element(raw.begin(), raw.end());
    if (*densest * scale > 1) {
      dense[static_cast<std::size_t>(densest - raw.begin())] = true;
      continue;
    }
    Shares counts;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const auto size = static_cast<double>(layers[l].connections());
      counts.push_back(dense[l] ? size : raw[l] * scale * size);
    }
    return counts;
  }
}

TEST(ErkAllocation, AgreesWithTheLoopThatFillsOneLayerAtATime) {
  for (const NetworkEntry& entry : network_table()) {
    const Network network = build_network(entry.name, {{3, 32, 32}});
    for (const double density : {0.01, 0.05, 0.1, 0.2, 0.5, 0.8, 0.95}) {
      SCOPED_TRACE(std::string(entry.name) + " at " + std::to_string(density));
      const auto present = std::llround(density * static_cast<double>(network.connections()));
      const Counts counts = allocate("erk", network, present).counts;
      const Shares expected = erk_one_layer_at_a_time(network, static_cast<double>(present));
      EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), present);
      for (std::size_t l = 0; l < counts.size(); ++l) {
        EXPECT_LT(std::abs(static_cast<double>(counts[l]) - expected[l]), 1 + 1e-6);
      }
    }
  }
}

/// Training FLOPs at an allocation over those of the dense network.
double relative_flops(const Network& network, const Counts& counts) {
  return forward_flops(network, counts) / forward_flops(network, layer_sizes(network));
}

// Evci et al. 2020, table of ResNet-50 (stride in the 3x3): recomputed by the formula.
TEST(Allocate, GivesThePublishedFlopsOfResNet50) {
  const Network network = build_network("resnet50", {{3, 224, 224}, 1000});
  const auto flops = [&](const char* rule, double density) {
    const auto present = std::llround(density * static_cast<double>(network.connections()));
    return relative_flops(network, allocate(rule, network, present).counts);
  };
  EXPECT_NEAR(flops("uniform_dense_first", 0.2), 0.223, 0.002);
  EXPECT_NEAR(flops("uniform_dense_first", 0.1), 0.126, 0.002);
  EXPECT_NEAR(flops("erk", 0.2), 0.414, 0.002);
  EXPECT_NEAR(flops("erk", 0.1), 0.242, 0.002);
  EXPECT_NEAR(flops("uniform", 0.2), 0.2, 1e-5);
}

TEST(Allocate, EveryRuleIsExactAndRoundsByLessThanOne) {
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 6});
  for (const AllocationRule& rule : allocation_table()) {
    for (const std::int64_t present : {400, 1001, 5000, 9999}) {
      SCOPED_TRACE(std::string(rule.name) + " " + std::to_string(present));
      const Allocation allocation = allocate(rule.name, network, present);
      EXPECT_EQ(
          std::accumulate(allocation.counts.begin(), allocation.counts.end(), std::int64_t{0}),
          present);
      EXPECT_NEAR(std::accumulate(allocation.wanted.begin(), allocation.wanted.end(), 0.0),
                  static_cast<double>(present), 1e-6);
      for (std::size_t l = 0; l < network.layers.size(); ++l) {
        EXPECT_LE(allocation.counts[l], network.layers[l].connections());
        EXPECT_LT(std::abs(static_cast<double>(allocation.counts[l]) - allocation.wanted[l]),
                  1 + 1e-9);
      }
    }
  }
}

TEST(Allocate, ErdosRenyiLooksAtUnitsAlone) {
  // Densities in proportion to (n_in + n_out) / (n_in n_out), whatever the kernel.
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 6});
  const std::vector<double> wanted = allocate("er", network, 300).wanted;
  const auto by_formula = [&](std::size_t l) {
    const Layer& layer = network.layers[l];
    return static_cast<double>(layer.inputs + layer.outputs) /
           static_cast<double>(layer.inputs * layer.outputs);
  };
  const auto density = [&](std::size_t l) {
    return wanted[l] / static_cast<double>(network.layers[l].connections());
  };
  for (std::size_t l = 1; l < network.layers.size(); ++l) {
    EXPECT_NEAR(density(l) / density(0), by_formula(l) / by_formula(0), 1e-12);
  }
}

TEST(Allocate, ADenseFirstLayerIsDenseAndTheOthersEqual) {
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 6});
  const Allocation allocation = allocate("uniform_dense_first", network, 1000);
  EXPECT_EQ(allocation.counts[0], network.layers[0].connections());
  const double density =
      allocation.wanted[1] / static_cast<double>(network.layers[1].connections());
  for (std::size_t l = 2; l < network.layers.size(); ++l) {
    EXPECT_NEAR(allocation.wanted[l],
                density * static_cast<double>(network.layers[l].connections()), 1e-9);
  }
  GCG_EXPECT_ERROR(allocate("uniform_dense_first", network, 161),
                   HasSubstr("stem.conv: a dense first layer has 162 connections, 161 are asked"));
  EXPECT_EQ(allocate("uniform_dense_first", network, 162).counts[1], 0);
}

TEST(Allocate, ImpossibleRequestsAreErrors) {
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 6});
  GCG_EXPECT_ERROR(allocate("erk", network, 0), HasSubstr("0 of"));
  GCG_EXPECT_ERROR(allocate("erk", network, network.connections() + 1),
                   HasSubstr("by allocation erk"));
  EXPECT_THROW((void)allocate("erkk", network, 10), UsageError);
}

struct AllocationFile : ::testing::Test {
  testing::TemporaryFolder folder;
  Network network = build_network("mlp", {{6, 1, 1}, 4, 6});  // 36, 12 and 8 connections

  std::filesystem::path write(const std::string& text) const {
    std::ofstream(folder / "table.txt") << text;
    return folder / "table.txt";
  }
};

TEST_F(AllocationFile, SharesAreScaledToTheTotal) {
  const auto file =
      write("# two densities and a dense layer\nfc3 1.0\n\nfc1 0.25 # remark\nfc2 0.5\n");
  const Allocation allocation = read_allocation(file, network, 23);  // 9 + 6 + 8
  EXPECT_THAT(allocation.counts, ElementsAre(9, 6, 8));
  EXPECT_THAT(read_allocation(file, network, 8 + 30).counts, ElementsAre(18, 12, 8));
}

TEST_F(AllocationFile, MistakesNameFileLineAndLayer) {
  const auto error = [&](const std::string& text) {
    try {
      (void)read_allocation(write(text), network, 20);
    } catch (const Error& problem) {
      return std::string(problem.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(error("fc1 0.5\nfc9 0.5\n"), HasSubstr("line 2: fc9: mlp has no layer"));
  EXPECT_THAT(error("fc1 0.5\nfc1 0.5\n"), HasSubstr("line 2: fc1: the layer is listed twice"));
  EXPECT_THAT(error("fc1 0.5\nfc2 0.5\n"), HasSubstr("layer fc3 is missing"));
  EXPECT_THAT(error("fc1 1.5\n"), HasSubstr("line 1: fc1: needs a density in [0, 1]"));
  EXPECT_THAT(error("fc1 0.5\nfc2 0,5\n"), HasSubstr("line 2: fc2: '0,5' is not a number"));
  EXPECT_THAT(error("fc1 0.5x\n"), HasSubstr("line 1: fc1: '0.5x' is not a number"));
  EXPECT_THAT(error("fc1 0.5 0.6\n"), HasSubstr("line 1: fc1: needs a density"));
  EXPECT_THAT(error("fc1 0.5 remark\n"), HasSubstr("'remark' is not a number"));
  EXPECT_THAT(error("fc1 nan\n"), HasSubstr("needs a density"));
  EXPECT_THAT(error("fc1\n"), HasSubstr("needs a density"));
  EXPECT_THAT(error("fc1 0\nfc2 1\nfc3 0\n"), HasSubstr("8 of 20 connections fit no part"));
  GCG_EXPECT_ERROR(read_allocation(folder / "nothing", network, 20), HasSubstr("cannot read"));
  GCG_EXPECT_ERROR(read_allocation(folder.path(), network, 20), HasSubstr("not a regular file"));
}

TEST_F(AllocationFile, AByteOrderMarkAndForeignLineEndsChangeNothing) {
  const auto file = write(
      "\xEF\xBB\xBF"
      "fc1 0.25\r\nfc2 0.5\r\nfc3 1\r\n");
  EXPECT_THAT(read_allocation(file, network, 23).counts, ElementsAre(9, 6, 8));
}

TEST_F(AllocationFile, SaysThatItsDensitiesTogetherAreNotTheOneAskedFor) {
  const auto file = write("fc1 0.25\nfc2 0.5\nfc3 1.0\n");  // 23 of 56
  EXPECT_EQ(scaling_of_table(file, network, 23), "");
  EXPECT_EQ(scaling_of_table(file, network, 21), "");
  EXPECT_THAT(scaling_of_table(file, network, 38),
              HasSubstr("its densities are 0.4107 of the network together and were scaled to the "
                        "density asked for (0.6786)"));
}

}  // namespace
}  // namespace gcg
