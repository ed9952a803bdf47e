#include "extrapolate/joint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// Near the small ResNet of the study: 75 % without end, 4 points per octave at density 1.
const JointParameters kTruth{0.2, 0.78,          std::log(0.05), std::log(0.6),
                             0.1, std::log(4.0), std::log(0.9)};

/// Growth by a ratio with `hold` more stages at every density.
std::vector<JointPoint> growth(double ratio, int hold, double epochs = 2) {
  std::vector<JointPoint> stages;
  for (double density = 0.05; density < 0.8; density *= 1 + ratio) {
    for (int stage = 0; stage <= hold; ++stage) {
      stages.push_back({density, epochs, 0});
    }
  }
  const std::vector<double> values = joint_curve(kTruth, stages);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    stages[i].accuracy = values[i];
  }
  return stages;
}

JointOptions options_of(double epsilon) {
  JointOptions options;
  options.recipe_epochs = 20;
  options.epsilon = epsilon;
  options.seed = 3;
  return options;
}

double true_d_star(double epsilon) {
  const double left = std::pow(1 + 20 / 4.0, -0.9);
  return std::pow(1 + epsilon / ((1 - left) * 0.05), -1 / 0.6);
}

TEST(JointCurve, AtOneDensityCountsAllEpochs) {
  const std::vector<JointPoint> stages{{0.3, 2, 0}, {0.3, 3, 0}};
  const std::vector<double> values = joint_curve(kTruth, stages);
  EXPECT_DOUBLE_EQ(values[0], joint_accuracy(kTruth, 0.3, 2));
  EXPECT_DOUBLE_EQ(values[1], joint_accuracy(kTruth, 0.3, 5));
  const double limit = 0.78 - 0.05 * std::pow(0.3, -0.6);
  EXPECT_NEAR(values[1], limit - (limit - 0.2) * std::pow(1 + 5 / 4.0, -0.9), 1e-12);
}

TEST(JointCurve, EpochsAtLowerDensityCountByThePowerOfTheRatio) {
  const std::vector<JointPoint> stages{{0.1, 2, 0}, {0.4, 2, 0}};
  const double counted = 2 * std::pow(0.25, 0.1) + 2;
  EXPECT_DOUBLE_EQ(joint_curve(kTruth, stages)[1], joint_accuracy(kTruth, 0.4, counted));
}

TEST(JointFit, FindsTheDensityOfExactStages) {
  JointOptions options = options_of(0.02);
  options.own = 1e-4;
  options.common = 1e-4;
  options.priors.log_t.mean = std::log(4.0);
  const JointFit fit = fit_jointly(growth(0.4, 1), options);
  EXPECT_EQ(fit.outcome, Outcome::found);
  EXPECT_NEAR(std::log2(fit.d_star / true_d_star(0.02)), 0, 0.1);
  EXPECT_LE(fit.d_low, fit.d_star);
  EXPECT_GE(fit.d_high, fit.d_star);
}

TEST(JointFit, AnEpsilonBelowTheErrorOfTheDifferenceIsNotResolvable) {
  JointOptions options = options_of(0.0005);
  options.own = 0.2;
  const JointFit fit = fit_jointly(growth(0.4, 1), options);
  EXPECT_EQ(fit.outcome, Outcome::not_resolvable);
  EXPECT_GT(fit.difference_error, 0.0005);
  EXPECT_TRUE(std::isnan(fit.d_low));
}

TEST(JointFit, NoiseThatMovesAllStagesAlikeDoesNotMoveTheDensity) {
  std::vector<JointPoint> stages = growth(0.4, 1);
  JointOptions options = options_of(0.02);
  options.own = 0.004;
  options.common = 0.012;
  const double before = fit_jointly(stages, options).d_star;
  for (JointPoint& stage : stages) {
    stage.accuracy += 0.012;
  }
  const double after = fit_jointly(stages, options).d_star;
  EXPECT_NEAR(std::log2(after / before), 0, 0.15);
}

// Invented worlds with the noise of 1,614 validation images.
TEST(JointFit, IsUnbiasedAndItsIntervalCoversTheTruth) {
  constexpr std::uint64_t kSeed = 11;
  constexpr int kWorlds = 100;
  const double epsilon = 0.02;
  JointOptions options = options_of(epsilon);
  options.own = 0.006;
  options.common = 0.011;
  options.draws = 400;
  double octaves = 0;
  int covered = 0;
  int resolved = 0;
  for (int world = 0; world < kWorlds; ++world) {
    RandomStream random(kSeed, "joint-worlds", static_cast<std::uint64_t>(world));
    std::vector<JointPoint> stages = growth(0.4, 1);
    const double common = options.common * random.normal();
    for (JointPoint& stage : stages) {
      stage.accuracy += common + options.own * random.normal();
    }
    const JointFit fit = fit_jointly(stages, options);
    if (fit.outcome != Outcome::found && fit.outcome != Outcome::needs_dense) {
      continue;
    }
    ++resolved;
    octaves += std::log2(fit.d_star / true_d_star(epsilon));
    covered += fit.d_low <= true_d_star(epsilon) && true_d_star(epsilon) <= fit.d_high ? 1 : 0;
  }
  ASSERT_GT(resolved, 80);
  EXPECT_NEAR(octaves / resolved, 0, 0.35);
  EXPECT_GE(covered, resolved * 9 / 10);
}

TEST(SplitNoise, TakesTheCommonPartFromWhatPairsDoNotHave) {
  JointOptions options;
  split_noise(2 * 0.006 * 0.006, 0.0124 * 0.0124, options);
  EXPECT_NEAR(options.own, 0.006, 1e-12);
  EXPECT_NEAR(options.common, std::sqrt(0.0124 * 0.0124 - 0.006 * 0.006), 1e-12);
  split_noise(1, 0.01, options);  // pairs that share nothing
  EXPECT_DOUBLE_EQ(options.own, 0.1);
  EXPECT_DOUBLE_EQ(options.common, 0);
}

TEST(JointPriors, AreReadByName) {
  const JointPriors priors = read_joint_priors("gamma=0.2:0.05,log_t=1.5:2");
  EXPECT_EQ(priors.gamma.mean, 0.2);
  EXPECT_EQ(priors.gamma.deviation, 0.05);
  EXPECT_EQ(priors.log_t.mean, 1.5);
  EXPECT_EQ(priors.a0.mean, JointPriors().a0.mean);
  EXPECT_TRUE(std::isnan(read_joint_priors("").log_t.mean));
}

TEST(JointPriors, AreReadWholeOrRefused) {
  for (const auto& [text, problem] : std::vector<std::pair<std::string, std::string>>{
           {"delta=1:1", "'delta=1:1' names no parameter"},
           {"gamma=0.1", "'gamma=0.1' is no prior"},
           {"gamma:0.1=1", "'gamma:0.1=1' is no prior"},
           {"gamma=0,1:1", "'gamma=0' is no prior"},
           {"gamma=0.1:1x", "holds '1x', which is no finite number"},
           {"gamma=nan:1", "holds 'nan'"},
           {"gamma=0.1:0", "not positive"},
           {"gamma=0.1:1,gamma=0.2:1", "second prior"},
           {"gamma=0.1:1,", "followed by a comma"}}) {
    GCG_EXPECT_ERROR(read_joint_priors(text), HasSubstr(problem));
  }
}

TEST(JointFit, RefusesStagesThatAreNone) {
  GCG_EXPECT_ERROR(fit_jointly(std::vector<JointPoint>(2, {0.1, 2, 0.5}), options_of(0.02)),
                   HasSubstr("at least 3"));
  const std::vector<JointPoint> falling{{0.1, 2, 0.5}, {0.2, 2, 0.5}, {0.1, 2, 0.5}};
  GCG_EXPECT_ERROR(fit_jointly(falling, options_of(0.02)), HasSubstr("stage 2"));
}

}  // namespace
}  // namespace gcg
