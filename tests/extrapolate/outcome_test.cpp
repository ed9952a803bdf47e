#include <gmock/gmock.h>

#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

using testing::HasSubstr;

const std::vector<double> kLogistic{0.7, 2, 0.06};
constexpr std::int64_t kMany = 100'000'000;  // validation images: almost no noise

/// The note of a fit that must be undetermined and give no number for d*.
std::string undetermined(const std::vector<CurvePoint>& points,
                         const ExtrapolationOptions& options) {
  const Extrapolation fit = extrapolate(points, options);
  EXPECT_EQ(fit.outcome, Outcome::undetermined) << fit.note;
  EXPECT_TRUE(std::isnan(fit.d_star));
  EXPECT_TRUE(std::isnan(fit.d_low));
  EXPECT_TRUE(std::isnan(fit.d_high));
  return fit.note;
}

TEST(DStar, OfTheLogisticIsItsClosedForm) {
  // A1 = 0.9, k = 1, dh = 1/9: A(d) = 0.1 + 0.8 x 9 d / (1 + 9 d), A(1) = 0.82.
  // A(d) = 0.76: 9 d / (1 + 9 d) = 0.825, d = 0.825 / 0.175 / 9 = 11 / 21.
  const auto points =
      curve_points("logistic", {0.9, 1, 1.0 / 9}, growing_densities(0.02, 0.9), 10'000);
  const Extrapolation fit = extrapolate(points, options_for("logistic", 0.06));
  EXPECT_EQ(fit.outcome, Outcome::found);
  EXPECT_NEAR(fit.accuracy_at_one, 0.82, 1e-9);  // the curve at 1, not its asymptote 0.9
  EXPECT_NEAR(fit.d_star, 11.0 / 21, 1e-6);
  EXPECT_EQ(fit.epsilon, 0.06);
  EXPECT_THAT(fit.note, HasSubstr("A(1) = 0.8200, within 0.0600 of it from d* = 0.524 on"));
}

TEST(DStar, OfEveryCurveIsWhereBisectionFindsIt) {
  const std::vector<std::pair<std::string_view, std::vector<double>>> curves = {
      {"logistic", {0.7, 2, 0.06}}, {"logistic", {1, 1.2, 0.1}}, {"power", {0.75, 0.02, 0.8}},
      {"power", {0.9, 0.05, 0.5}},  {"exponential", {0.7, 0.1}}, {"exponential", {0.95, 0.4}},
  };
  for (const auto& [name, parameters] : curves) {
    for (const double epsilon : {0.005, 0.02, 0.05}) {
      SCOPED_TRACE(testing::Message() << name << ", epsilon " << epsilon);
      const auto points = curve_points(name, parameters, growing_densities(0.03, 1), kMany);
      const Extrapolation fit = extrapolate(points, options_for(name, epsilon));
      const double expected = bisected_d_star(name, parameters, epsilon);
      if (expected > kDenseFrom) {
        EXPECT_EQ(fit.outcome, Outcome::needs_dense) << fit.note;
        EXPECT_EQ(fit.d_star, 1);
      } else {
        EXPECT_EQ(fit.outcome, Outcome::found) << fit.note;
        EXPECT_NEAR(fit.d_star, expected, 1e-6);
      }
    }
  }
}

TEST(DStar, OfARelativeEpsilonIsThatOfTheSameShareOfTheRise) {
  const auto points = curve_points("logistic", kLogistic, growing_densities(0.02, 0.9), 10'000);
  ExtrapolationOptions relative = options_for("logistic", 0.05);
  relative.epsilon_relative = true;
  const Extrapolation fit = extrapolate(points, relative);
  EXPECT_EQ(fit.outcome, Outcome::found) << fit.note;
  EXPECT_NEAR(fit.epsilon, 0.05 * (fit.accuracy_at_one - 0.1), 1e-15);
  EXPECT_NEAR(fit.d_star, bisected_d_star("logistic", kLogistic, fit.epsilon), 1e-6);
}

TEST(DStar, DoesNotDependOnTheSampleCountsOfAnExactCurve) {
  auto points = curve_points("logistic", kLogistic, growing_densities(0.02, 0.9), 10'000);
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i].samples = i % 2 == 0 ? 2'000 : 50'000;
  }
  EXPECT_NEAR(extrapolate(points, options_for("logistic", 0.02)).d_star,
              bisected_d_star("logistic", kLogistic, 0.02), 1e-6);
}

TEST(DStar, BelowTheFirstOrBeyondTheLastStageIsSaidSo) {
  const auto late = curve_points("logistic", kLogistic, growing_densities(0.1, 1), kMany);
  const Extrapolation below = extrapolate(late, options_for("logistic", 0.2));
  EXPECT_EQ(below.outcome, Outcome::found);
  EXPECT_THAT(below.note, HasSubstr("below the first stage"));
  const auto early = curve_points("logistic", kLogistic, growing_densities(0.02, 0.2), kMany);
  const Extrapolation beyond = extrapolate(early, options_for("logistic", 0.01));
  EXPECT_EQ(beyond.outcome, Outcome::found);
  EXPECT_GT(beyond.d_star, 0.2);
  EXPECT_THAT(beyond.note, HasSubstr("beyond the last stage"));
}

TEST(NeedsDense, IsACurveThatStillRisesAtOne) {
  const std::vector<std::pair<std::string_view, std::vector<double>>> curves = {
      {"logistic", {1, 1.2, 1}}, {"power", {0.95, 0.45, 0.4}}, {"exponential", {1, 0.8}}};
  for (const auto& [name, parameters] : curves) {
    SCOPED_TRACE(name);
    const auto points = curve_points(name, parameters, {0.2, 0.3, 0.4, 0.6, 0.8, 1}, 1'000'000);
    ExtrapolationOptions options = options_for(name, 0.005);
    options.bootstrap = 50;
    const Extrapolation fit = extrapolate(points, options);
    EXPECT_EQ(fit.outcome, Outcome::needs_dense) << fit.note;
    EXPECT_GT(bisected_d_star(name, parameters, 0.005), kDenseFrom);
    EXPECT_EQ(fit.d_star, 1);
    EXPECT_EQ(fit.d_low, 1);
    EXPECT_EQ(fit.d_high, 1);
    EXPECT_THAT(fit.note, HasSubstr("still rises at density 1"));
    // A larger epsilon is met below 1.
    EXPECT_EQ(extrapolate(points, options_for(name, 0.05)).outcome, Outcome::found);
  }
}

TEST(NotResolvable, IsAnEpsilonBelowTheStandardErrorOfThePlateau) {
  const auto points = curve_points("logistic", kLogistic, growing_densities(0.02, 0.5), 2000);
  const double error = extrapolate(points, options_for("logistic", 0.05)).standard_error;
  ASSERT_GT(error, 0.001);
  const Extrapolation below = extrapolate(points, options_for("logistic", 0.99 * error));
  EXPECT_EQ(below.outcome, Outcome::not_resolvable);
  EXPECT_TRUE(std::isnan(below.d_star));
  EXPECT_NEAR(below.accuracy_at_one, 0.6971, 1e-3);
  EXPECT_THAT(below.note, HasSubstr("is below the standard error"));
  EXPECT_EQ(extrapolate(points, options_for("logistic", 1.01 * error)).outcome, Outcome::found);
}

TEST(NotResolvable, BecomesFoundWithMoreValidationImages) {
  const auto densities = growing_densities(0.02, 0.5);
  const ExtrapolationOptions options = options_for("logistic", 0.005);
  EXPECT_EQ(extrapolate(curve_points("logistic", kLogistic, densities, 1000), options).outcome,
            Outcome::not_resolvable);
  EXPECT_EQ(extrapolate(curve_points("logistic", kLogistic, densities, 100'000), options).outcome,
            Outcome::found);
}

TEST(Undetermined, IsATrajectoryThatIsFlatOrFalls) {
  for (const std::string_view name : {"logistic", "power", "exponential"}) {
    SCOPED_TRACE(name);
    std::vector<CurvePoint> flat;
    std::vector<CurvePoint> falling;
    std::vector<CurvePoint> guessing;
    for (const double d : growing_densities(0.05, 0.6)) {
      flat.push_back({d, 0.6, 5000});
      falling.push_back({d, 0.7 - 0.3 * d, 5000});
      guessing.push_back({d, 0.1, 5000});
    }
    const ExtrapolationOptions options = options_for(name, 0.02);
    (void)undetermined(flat, options);
    (void)undetermined(falling, options);
    (void)undetermined(guessing, options);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      (void)undetermined(measured(falling, RandomStream(seed, "noise")), options);
    }
  }
  std::vector<CurvePoint> flat;
  for (const double d : growing_densities(0.05, 0.6)) {
    flat.push_back({d, 0.6, 5000});
  }
  EXPECT_THAT(undetermined(flat, options_for("power", 0.02)), HasSubstr("does not rise"));
}

TEST(Undetermined, IsATrajectoryOnTheSteepPartOnly) {
  const auto densities = growing_densities(0.01, 0.05);  // half of the rise is at 0.06
  EXPECT_THAT(undetermined(curve_points("logistic", kLogistic, densities, 5000),
                           options_for("logistic", 0.02)),
              HasSubstr("the stages show no plateau"));
  // Without noise the fit is sharp, and yet nothing was seen of the upper half.
  EXPECT_THAT(undetermined(curve_points("logistic", kLogistic, densities, kMaxSamples),
                           options_for("logistic", 0.02)),
              HasSubstr("more than half of the rise lies beyond the last stage"));
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    (void)undetermined(
        measured(curve_points("logistic", kLogistic, densities, 2000), RandomStream(seed, "noise")),
        options_for("logistic", 0.02));
  }
}

TEST(Undetermined, IsAStepBetweenTwoStages) {
  // k can be anything large and dh anywhere between the two stages.
  std::vector<CurvePoint> points;
  for (const double d : growing_densities(0.05, 0.8)) {
    points.push_back({d, d < 0.2 ? 0.1 : 0.7, 5000});
  }
  const std::string note = undetermined(points, options_for("logistic", 0.02));
  EXPECT_THAT(note,
              testing::AnyOf(HasSubstr("leave parameters of the curve free"),
                             HasSubstr("is not known within"), HasSubstr("does not converge")));
}

TEST(Undetermined, IsAnEpsilonAsLargeAsTheRise) {
  const auto points = curve_points("logistic", kLogistic, growing_densities(0.02, 0.9), 10'000);
  EXPECT_THAT(undetermined(points, options_for("logistic", 0.6)),
              HasSubstr("as large as the whole rise"));
}

TEST(Note, SaysThatACurveFitsBadly) {
  auto points = curve_points("logistic", kLogistic, growing_densities(0.02, 0.9), 10'000);
  EXPECT_THAT(extrapolate(points, options_for("logistic", 0.02)).note,
              testing::Not(HasSubstr("fits badly")));
  points[8].accuracy -= 0.05;  // ten standard deviations
  const Extrapolation fit = extrapolate(points, options_for("logistic", 0.02));
  EXPECT_THAT(fit.note, HasSubstr("the curve fits badly: chi-square"));
  EXPECT_GT(fit.chi_square, 50);
}

TEST(Extrapolation, OfArbitraryAccuraciesNeverGivesADStarOutsideOfItsRange) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomStream random(seed, "arbitrary");
    std::vector<CurvePoint> points;
    double density = 0.001 + 0.1 * random.uniform();
    for (std::uint64_t n = random.below(14); density < 1 && points.size() < n;
         density *= 1.01 + random.uniform()) {
      // From smooth to wild, with exact zeros and ones among them.
      const double level =
          0.5 + 0.3 * std::log10(density) + random.normal() * 0.3 * static_cast<double>(seed % 3);
      points.push_back({density, std::clamp(level, 0.0, 1.0),
                        1 + static_cast<std::int64_t>(random.below(20'000))});
    }
    for (const ExtrapolatorEntry& entry : extrapolator_table()) {
      ExtrapolationOptions options = options_for(entry.name, 0.03);
      options.bootstrap = 10;
      const Extrapolation fit = extrapolate(points, options);
      EXPECT_FALSE(fit.note.empty());
      if (fit.outcome == Outcome::found) {
        EXPECT_GT(fit.d_star, 0);
        EXPECT_LE(fit.d_star, kDenseFrom);
        EXPECT_GE(fit.epsilon, fit.standard_error);
      } else if (fit.outcome == Outcome::needs_dense) {
        EXPECT_EQ(fit.d_star, 1);
      } else {
        EXPECT_TRUE(std::isnan(fit.d_star) && std::isnan(fit.d_low) && std::isnan(fit.d_high));
      }
    }
  }
}

}  // namespace
}  // namespace gcg
