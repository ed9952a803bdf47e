#include "run/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "topology/allocation.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryFolder;

GivenOptions miniature(const TemporaryFolder& folder, GivenOptions more) {
  more.insert({{"network", "resnet8"},
               {"width", "4"},
               {"data-images", "100"},
               {"data-test-images", "50"},
               {"batch-size", "32"},
               {"out", folder.path().string()}});
  return more;
}

TEST(Calibration, FlopsOfAFixedMaskAreThoseOfTheClosedForm) {
  const TemporaryFolder folder;
  const Calibration found = calibrate(miniature(folder, {{"method", "fixed_mask"},
                                                         {"seed-rule", "erk"},
                                                         {"seed-density", "0.2"},
                                                         {"disconnected", "warn"},
                                                         {"epochs", "2"}}),
                                      1);
  const Network network = build_network("resnet8", {{3, 32, 32}, 10, 4});
  const double expected =
      forward_flops(network, allocate("erk", network, present_for_density(network, 0.2)).counts) /
      forward_flops(network, layer_sizes(network));
  EXPECT_NEAR(found.flops, expected, 1e-12);
  EXPECT_GT(found.seconds, 0);
}

TEST(Calibration, FewerEpochsStandForTheWholeTraining) {
  const TemporaryFolder folder;
  const GivenOptions given = miniature(
      folder,
      {{"method", "gmp"}, {"target-density", "0.1"}, {"update-interval", "1"}, {"epochs", "8"}});
  const double whole = calibrate(given, 8).flops;
  EXPECT_NEAR(calibrate(given, 4).flops, whole, 0.05);
  EXPECT_LT(whole, 0.8);
}

TEST(Calibration, ABudgetThatIsGivenAlreadyChangesNothing) {
  const TemporaryFolder folder;
  GivenOptions given = miniature(folder, {{"method", "dense"}, {"epochs", "2"}});
  const Calibration found = calibrate(given, 2);
  EXPECT_EQ(found.flops, 1);
  EXPECT_EQ(found.method_run, found.dense_run);
  given["budget"] = "flops";
  given["cost-ratio"] = "0.5";
  EXPECT_EQ(calibrate(given, 2).dense_run, found.dense_run);
}

TEST(Calibration, EpochsThatTheRecipeDoesNotHaveAreAUsageError) {
  const TemporaryFolder folder;
  const GivenOptions given = miniature(folder, {{"method", "dense"}, {"epochs", "2"}});
  EXPECT_THROW((void)calibrate(given, 0), UsageError);
  EXPECT_THROW((void)calibrate(given, 3), UsageError);
}

TEST(Calibration, TheTextNamesTheOptionsAndTheEpochs) {
  Recipe recipe;
  recipe.epochs = 100;
  const std::string text = calibration_text({0.25, 0.1, "a", "b"}, recipe);
  EXPECT_THAT(text, HasSubstr("--budget flops --cost-ratio 0.25   400 instead of 100 epochs"));
  EXPECT_THAT(text, HasSubstr("--budget time --cost-ratio 0.1   500 instead of 100 epochs"));
}

}  // namespace
}  // namespace gcg
