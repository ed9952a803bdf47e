#include <gmock/gmock.h>

#include <map>

#include "base/error.h"
#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::vector<CurvePoint>& points, const ExtrapolationOptions& options) {
  try {
    (void)extrapolate(points, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// A curve of every extrapolator that comes within 0.02 of A(1) well below 1. A new row of the
/// table needs a row here: the test says so.
const std::map<std::string_view, std::vector<double>> kCurves = {
    {"logistic", {0.7, 2, 0.06}},
    {"power", {0.75, 0.02, 0.8}},
    {"exponential", {0.7, 0.1}},
    {"gain", {0.01, 0.7}},
};

TEST(ExtrapolatorTable, HasFourRowsFoundByName) {
  std::vector<std::string_view> names;
  for (const ExtrapolatorEntry& entry : extrapolator_table()) {
    names.push_back(entry.name);
    EXPECT_EQ(&find_extrapolator(entry.name), &entry);
    EXPECT_FALSE(entry.about.empty());
  }
  EXPECT_THAT(names, ElementsAre("logistic", "power", "exponential", "gain"));
}

TEST(ExtrapolatorTable, AnUnknownNameIsAnErrorThatListsTheNames) {
  EXPECT_THROW(find_extrapolator("cubic"), UsageError);
  EXPECT_THAT(error_of({}, options_for("cubic", 0.01)),
              HasSubstr("'cubic' is none of: logistic, power, exponential, gain"));
}

TEST(ExtrapolatorTable, EveryExtrapolatorRecoversItsOwnCurve) {
  for (const ExtrapolatorEntry& entry : extrapolator_table()) {
    SCOPED_TRACE(entry.name);
    const std::vector<double>& parameters = kCurves.at(entry.name);
    ASSERT_EQ(parameters.size(), entry.parameter_names.size());
    const auto points = curve_points(entry.name, parameters, growing_densities(0.03, 0.9), 10'000);
    const Extrapolation fit = extrapolate(points, options_for(entry.name, 0.02));
    EXPECT_EQ(fit.outcome, Outcome::found) << fit.note;
    ASSERT_EQ(fit.parameters.size(), parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_NEAR(fit.parameters[i], parameters[i], 1e-6) << entry.parameter_names[i];
    }
    EXPECT_NEAR(fit.chi_square, 0, 1e-9);
    for (const CurvePoint& point : points) {
      EXPECT_NEAR(entry.evaluate(point.density, fit.parameters, 0.1), point.accuracy, 1e-9);
    }
  }
}

TEST(ExtrapolatorTable, EveryExtrapolatorRepeatsItselfBitForBit) {
  for (const ExtrapolatorEntry& entry : extrapolator_table()) {
    SCOPED_TRACE(entry.name);
    const auto points = measured(
        curve_points(entry.name, kCurves.at(entry.name), growing_densities(0.03, 0.9), 10'000),
        RandomStream(7, "noise"));
    ExtrapolationOptions options = options_for(entry.name, 0.03);
    options.bootstrap = 50;
    const Extrapolation first = extrapolate(points, options);
    const Extrapolation second = extrapolate(points, options);
    ASSERT_EQ(first.outcome, Outcome::found) << first.note;
    EXPECT_EQ(first.parameters, second.parameters);
    EXPECT_EQ(first.d_star, second.d_star);
    EXPECT_EQ(first.d_low, second.d_low);
    EXPECT_EQ(first.d_high, second.d_high);
    EXPECT_EQ(first.note, second.note);
    EXPECT_LE(first.d_low, first.d_high);
  }
}

TEST(ExtrapolatorTable, EveryExtrapolatorAnswersFewStagesWithTooFewStages) {
  for (const ExtrapolatorEntry& entry : extrapolator_table()) {
    SCOPED_TRACE(entry.name);
    auto points =
        curve_points(entry.name, kCurves.at(entry.name), growing_densities(0.03, 0.9), 10'000);
    points.resize(4);
    const Extrapolation fit = extrapolate(points, options_for(entry.name, 0.02));
    EXPECT_EQ(fit.outcome, Outcome::too_few_stages);
    EXPECT_EQ(fit.note, "4 stages of at least 5");
    EXPECT_TRUE(fit.parameters.empty());
    EXPECT_TRUE(std::isnan(fit.d_star));
    EXPECT_EQ(extrapolate({}, options_for(entry.name, 0.02)).outcome, Outcome::too_few_stages);
    // Never fewer stages than parameters, whatever the option says.
    ExtrapolationOptions hasty = options_for(entry.name, 0.02);
    hasty.min_stages = 1;
    points.resize(entry.parameter_names.size() - 1);
    EXPECT_EQ(extrapolate(points, hasty).outcome, Outcome::too_few_stages);
  }
}

TEST(ExtrapolatorTable, DStarFallsAsEpsilonRises) {
  for (const ExtrapolatorEntry& entry : extrapolator_table()) {
    SCOPED_TRACE(entry.name);
    // The logistic curve for all: gain sees a slope that falls with density.
    const auto points =
        curve_points("logistic", {0.7, 2, 0.06}, growing_densities(0.02, 1), 100'000'000);
    double before = 1;
    double first = 0;
    for (const double epsilon : {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1}) {
      const Extrapolation fit = extrapolate(points, options_for(entry.name, epsilon));
      if (fit.outcome != Outcome::found) {
        continue;
      }
      first = first == 0 ? fit.d_star : first;
      EXPECT_LE(fit.d_star, before) << epsilon;
      before = fit.d_star;
    }
    EXPECT_LT(before, first);
  }
}

TEST(ExtrapolationInput, AnImpossiblePointIsAnErrorThatNamesTheStage) {
  const std::vector<CurvePoint> good =
      curve_points("logistic", {0.7, 2, 0.06}, growing_densities(0.03, 0.9), 1000);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto with = [&](std::size_t stage, CurvePoint point) {
    auto points = good;
    points[stage] = point;
    return error_of(points, options_for("logistic", 0.02));
  };
  EXPECT_EQ(with(0, {0, 0.2, 1000}), "extrapolation, stage 0: density 0 is outside of (0, 1]");
  EXPECT_EQ(with(3, {1.5, 0.2, 1000}), "extrapolation, stage 3: density 1.5 is outside of (0, 1]");
  EXPECT_THAT(with(3, {nan, 0.2, 1000}), HasSubstr("stage 3: density nan"));
  EXPECT_EQ(with(2, {good[2].density, -0.1, 1000}),
            "extrapolation, stage 2: accuracy -0.1 is outside of [0, 1]");
  EXPECT_THAT(with(2, {good[2].density, 1.01, 1000}), HasSubstr("stage 2: accuracy 1.01"));
  EXPECT_THAT(with(2, {good[2].density, nan, 1000}), HasSubstr("stage 2: accuracy nan"));
  EXPECT_THAT(with(1, {good[1].density, 0.2, 0}), HasSubstr("stage 1: 0 validation samples"));
  EXPECT_THAT(with(1, {good[1].density, 0.2, kMaxSamples + 1}),
              HasSubstr("stage 1: 1000000001 validation samples"));
  EXPECT_EQ(with(1, {0.01, 0.2, 1000}),
            "extrapolation, stage 1: density 0.01 does not exceed 0.03 of the stage before");
  EXPECT_THAT(with(1, {0.03, 0.2, 1000}), HasSubstr("stage 1: density 0.03 does not exceed"));
}

TEST(ExtrapolationInput, AnImpossibleOptionIsAUsageErrorThatNamesIt) {
  const auto with = [](auto change) {
    ExtrapolationOptions options;
    change(options);
    EXPECT_THROW(extrapolate({}, options), UsageError);
    return error_of({}, options);
  };
  EXPECT_EQ(with([](auto& o) { o.epsilon = 0; }), "extrapolation, epsilon: 0 is outside of (0, 1]");
  EXPECT_THAT(with([](auto& o) { o.epsilon = std::nan(""); }), HasSubstr("epsilon: nan"));
  EXPECT_EQ(with([](auto& o) { o.epsilon = 1, o.epsilon_relative = true; }),
            "extrapolation, relative epsilon: 1 is outside of (0, 1)");
  EXPECT_THAT(with([](auto& o) { o.chance = 1; }), HasSubstr("chance: 1 is outside of [0, 1)"));
  EXPECT_THAT(with([](auto& o) { o.min_stages = 0; }), HasSubstr("min_stages: 0"));
  EXPECT_THAT(with([](auto& o) { o.bootstrap = -1; }), HasSubstr("bootstrap: -1"));
  EXPECT_THAT(with([](auto& o) { o.bootstrap = kMaxReplicates + 1; }),
              HasSubstr("bootstrap: 1000001"));
  EXPECT_THAT(with([](auto& o) { o.confidence = 1; }), HasSubstr("confidence: 1"));
}

TEST(OutcomeNames, AreTheIdentifiers) {
  EXPECT_EQ(name_of(Outcome::too_few_stages), "too_few_stages");
  EXPECT_EQ(name_of(Outcome::found), "found");
  EXPECT_EQ(name_of(Outcome::needs_dense), "needs_dense");
  EXPECT_EQ(name_of(Outcome::not_resolvable), "not_resolvable");
  EXPECT_EQ(name_of(Outcome::undetermined), "undetermined");
  EXPECT_EQ(stop_reason_name(StopReason::none), "none");
  EXPECT_EQ(stop_reason_name(StopReason::reached_d_star), "reached_d_star");
  EXPECT_EQ(stop_reason_name(StopReason::reached_d_max), "reached_d_max");
}

}  // namespace
}  // namespace gcg
