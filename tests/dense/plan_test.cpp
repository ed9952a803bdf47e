#include "dense/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backend/random_cases.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;

TEST(Plan, NothingIsOverwrittenThatSomeoneElseReads) {
  NetworkBuilder net("shared", {3, 1, 1});
  const auto a = net.batch_norm("a", 0);
  const auto relu = net.relu("relu", a);
  const auto sum = net.add("sum", relu, a);
  const auto last = net.relu("last", sum);
  net.linear("fc", last, 2);
  EXPECT_THAT(plan_uses(net.finish()),
              ElementsAre(NodeUse{}, NodeUse{false, {0}}, NodeUse{}, NodeUse{false, {relu, a}},
                          NodeUse{true, {sum}}, NodeUse{false, {last}}));
}

TEST(Plan, ReadsOnlyWhatIsThereAndDropsEveryValueOnce) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    const std::vector<NodeUse> uses = plan_uses(network);
    std::vector<bool> there(network.nodes.size(), false);
    there[0] = true;
    for (std::size_t n = 1; n < network.nodes.size(); ++n) {
      for (const std::int32_t input : network.nodes[n].inputs) {
        EXPECT_TRUE(there[static_cast<std::size_t>(input)]);
      }
      there[n] = true;
      for (const std::int32_t value : uses[n].last_reads) {
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
