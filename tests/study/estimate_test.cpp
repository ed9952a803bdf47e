#include "study/estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// Round numbers: 100 training images, 1 s an image at density 0 .. 3 s at density 1.
WorkTimes work() {
  WorkTimes times;
  times.input = {3, 32, 32};
  times.classes = 10;
  times.train_images = 100;
  times.validation_images = 10;
  times.test_images = 20;
  times.densities = {0.1, 0.5, 1};
  times.train = {1, 2, 3};
  times.evaluate = {0.1, 0.2, 0.3};
  times.gradients = 4;
  times.statistics = 5;
  times.score = 7;
  times.record = 11;
  times.start = 13;
  return times;
}

TEST(Estimate, AnEpochCostsItsImagesItsValidationAndItsRecord) {
  // start + (100 x 3 + 10 x 0.3 + 11) + stage (5 + 7 + 11) + test 20 x 0.3
  EXPECT_DOUBLE_EQ(course_seconds(work(), {{0, 1, 1}}, 10), 13 + 314 + 23 + 6);
}

TEST(Estimate, SecondsAreLinearBetweenTheDensitiesAndConstantBeyond) {
  const auto of = [](double density) { return course_seconds(work(), {{0, density, 1}}, 10); };
  EXPECT_DOUBLE_EQ(of(0.3), (of(0.1) + of(0.5)) / 2);
  EXPECT_DOUBLE_EQ(of(0.01), of(0.1));
  EXPECT_LT(of(0.5), of(0.75));
}

TEST(Estimate, EveryStageIsMeasuredOnceWhateverItsParts) {
  const double whole = course_seconds(work(), {{0, 1, 2}}, 10);
  EXPECT_DOUBLE_EQ(course_seconds(work(), {{0, 1, 1}, {0, 1, 1}}, 10), whole);
  EXPECT_DOUBLE_EQ(course_seconds(work(), {{0, 1, 1}, {1, 1, 1}}, 10), whole + 5 + 7 + 11);
}

TEST(Estimate, DenseGradientsAreCountedByStep) {
  // One gradient of a whole batch at every fifth step: 100 / 5 images' worth.
  EXPECT_DOUBLE_EQ(course_seconds(work(), {{0, 1, 1, 0.2}}, 10),
                   course_seconds(work(), {{0, 1, 1}}, 10) + 20 * 4);
}

TEST(Estimate, TheLineThatGcgRunPrintsReadsBack) {
  const auto plan = make_run_plan({{"method", "dense"}, {"epochs", "3"}});
  const WorkTimes times = work();
  const std::string line = estimate_text(*plan, times);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const WorkTimes back = read_estimate(line);
  EXPECT_EQ(back.train, times.train);
  EXPECT_EQ(back.input, times.input);
  EXPECT_DOUBLE_EQ(plan_seconds(*plan, back), plan_seconds(*plan, times));
  GCG_EXPECT_ERROR((void)read_estimate("nonsense"), HasSubstr("estimate: byte 2: not JSON"));
  GCG_EXPECT_ERROR((void)read_estimate("{}"), HasSubstr("estimate: "));
  const std::string wrong =
      std::regex_replace(line, std::regex(R"("classes":10)"), R"("classes":1e300)");
  GCG_EXPECT_ERROR((void)read_estimate(wrong), HasSubstr("classes is 1e+300, not a whole number"));
}

TEST(Estimate, AGrowthRunIsCheaperThanItsEpochsAtFullDensity) {
  const auto seconds = [](GivenOptions options) {
    const auto plan = make_run_plan(options);
    return plan_seconds(*plan, work());
  };
  const double growth = seconds({{"method", "gcg"},
                                 {"stop", "never"},
                                 {"final", "none"},
                                 {"stage-epochs", "1"},
                                 {"growth-ratio", "1"},
                                 {"max-stages", "4"}});
  EXPECT_LT(growth, seconds({{"method", "dense"}, {"epochs", "4"}}));
}

}  // namespace
}  // namespace gcg
