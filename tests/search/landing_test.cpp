#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/throws.h"
#include "search/walk.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using testing::walk;
using testing::Walk;

double any_loss(std::size_t /*stage*/, std::int64_t /*present*/) { return 1; }

SearchOptions options_of(double budget) {
  SearchOptions options;
  options.connections = 20000;
  options.budget = budget;
  return options;
}

TEST(Landing, SpendsExactlyItsBudget) {
  // Stages .05, .07, .098, .1372, .1921, .26895, .37655 of 2 epochs cost 2.3856; the next, .5272,
  // would with its final training cost 6.3264 more. What is left of 7 pays ten epochs at .46144.
  const Walk walked = walk(landing_step, options_of(7), 1000, any_loss);
  EXPECT_EQ(walked.stages.size(), 7U);
  EXPECT_EQ(walked.last.outcome, SearchOutcome::budget);
  EXPECT_EQ(walked.last.from, 6U);
  EXPECT_EQ(walked.last.present, 9228);
  EXPECT_LE(walked.cost, 7);
  EXPECT_GT(walked.cost, 7 - 10.0 / 20000);  // one connection more would be above it
}

TEST(Landing, EndsAtDensityOneWhereTheBudgetPaysIt) {
  const Walk walked = walk(landing_step, options_of(1000), 1000, any_loss);
  EXPECT_EQ(walked.stages.back().present, 20000);
  EXPECT_EQ(walked.last.present, 20000);
}

TEST(Landing, HasNoWayBackAndNeedsAFinalTraining) {
  const std::vector<SearchStage> back{{false, 1000, 1, 0}, {true, 800, 1, 0}};
  GCG_EXPECT_ERROR(landing_step(back, options_of(7)), HasSubstr("no way back"));
  SearchOptions without = options_of(7);
  without.final_epochs = 0;
  GCG_EXPECT_ERROR(landing_step(std::span(back).first(1), without), HasSubstr("there is none"));
}

TEST(Landing, CostsItsBudgetWhateverTheOptions) {
  constexpr std::uint64_t kSeed = 98;
  RandomStream random(kSeed, "landing-options");
  for (int trial = 0; trial < 3000; ++trial) {
    SCOPED_TRACE(::testing::Message() << "seed " << kSeed << ", trial " << trial);
    SearchOptions options = options_of(0.2 + 30 * random.uniform());
    options.connections = 100 + static_cast<std::int64_t>(random.below(100000));
    options.growth_ratio = 0.05 + 2 * random.uniform();
    options.stage_epochs = 1 + static_cast<std::int64_t>(random.below(8));
    options.final_epochs = 1 + static_cast<std::int64_t>(random.below(30));
    const auto all = static_cast<double>(options.connections);
    const auto first = 1 + static_cast<std::int64_t>(0.2 * random.uniform() * all);
    const double needed =
        static_cast<double>(first * (options.stage_epochs + options.final_epochs)) / all;
    if (needed > options.budget) {
      continue;
    }
    const Walk walked = walk(landing_step, options, first, any_loss);
    ASSERT_EQ(walked.last.action, SearchAction::finish);
    EXPECT_GE(walked.last.present, walked.stages.back().present);
    EXPECT_LE(walked.cost, options.budget * (1 + 1e-12));
    if (walked.last.present < options.connections) {
      EXPECT_GT(walked.cost,
                options.budget - 1.000001 * static_cast<double>(options.final_epochs) / all);
    }
  }
}

}  // namespace
}  // namespace gcg
