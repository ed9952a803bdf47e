#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparse/plan.h"

namespace gcg::sparse {
namespace {

using ::testing::ElementsAre;

TEST(Fusion, ANormalisationTakesUpTheReluBehindIt) {
  NetworkBuilder net("chain", {3, 4, 4});
  const auto conv = net.convolution("conv", 0, 2, {3, 3, 1, 1});
  const auto norm = net.batch_norm("norm", conv);
  const auto relu = net.relu("relu", norm);
  const auto pool = net.global_average_pool("pool", relu);
  EXPECT_THAT(fuse(net.finish()), ElementsAre(Instruction{conv, 0, -1, false, conv},
                                              Instruction{norm, conv, -1, true, relu},
                                              Instruction{pool, relu, -1, false, pool}));
}

TEST(Fusion, TheLaterOfTwoNormalisationsTakesUpTheSum) {
  NetworkBuilder net("block", {3, 1, 1});
  const auto a = net.batch_norm("a", 0);
  const auto b = net.batch_norm("b", 0);
  const auto sum = net.add("sum", b, a);
  const auto relu = net.relu("relu", sum);
  const auto fc = net.linear("fc", relu, 2);
  EXPECT_THAT(fuse(net.finish()),
              ElementsAre(Instruction{a, 0, -1, false, a}, Instruction{b, 0, a, true, relu},
                          Instruction{fc, relu, -1, false, fc}));
}

TEST(Fusion, LeavesWhatSomeoneElseReads) {
  NetworkBuilder net("shared", {3, 1, 1});
  const auto a = net.batch_norm("a", 0);
  const auto relu = net.relu("relu", a);
  const auto sum = net.add("sum", relu, a);
  const auto fc = net.linear("fc", sum, 2);
  EXPECT_THAT(
      fuse(net.finish()),
      ElementsAre(Instruction{a, 0, -1, false, a}, Instruction{relu, a, -1, false, relu},
                  Instruction{sum, relu, a, false, sum}, Instruction{fc, sum, -1, false, fc}));
}

}  // namespace
}  // namespace gcg::sparse
