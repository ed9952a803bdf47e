#include "dense/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backend/random_cases.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;

TEST(Plan, NothingIsFusedOrOverwrittenThatSomeoneElseReads) {
  NetworkBuilder net("shared", {3, 1, 1});
  const auto a = net.batch_norm("a", 0);
  const auto relu = net.relu("relu", a);
  const auto sum = net.add("sum", relu, a);
  const auto last = net.relu("last", sum);
  const auto fc = net.linear("fc", last, 2);
  EXPECT_THAT(make_plan(net.finish()),
              ElementsAre(Instruction{a, 0, -1, false, a, false, {0}},
                          Instruction{relu, a, -1, false, relu, false, {}},
                          Instruction{sum, relu, a, false, sum, false, {relu, a}},
                          Instruction{last, sum, -1, false, last, true, {sum}},
                          Instruction{fc, last, -1, false, fc, false, {last}}));
}

TEST(Plan, ReadsOnlyWhatIsThereAndDropsEveryValueOnce) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    std::vector<bool> there(network.nodes.size(), false);
    there[0] = true;
    for (const Instruction& instruction : make_plan(network)) {
      EXPECT_TRUE(there[static_cast<std::size_t>(instruction.input)]);
      if (instruction.other >= 0) {
        EXPECT_TRUE(there[static_cast<std::size_t>(instruction.other)]);
      }
      there[static_cast<std::size_t>(instruction.output)] = true;
      for (const std::int32_t value : instruction.last_reads) {
        EXPECT_TRUE(there[static_cast<std::size_t>(value)]);
        there[static_cast<std::size_t>(value)] = false;
      }
    }
    EXPECT_TRUE(there.back());
    EXPECT_EQ(std::ranges::count(there, true), 1);
  }
}

}  // namespace
}  // namespace gcg
