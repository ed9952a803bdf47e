#include "study/rates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

std::vector<Rate> rates_of(const std::string& text) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "rates.toml") << text;
  return read_rates(folder / "rates.toml");
}

std::string rate(const std::string& network, const std::string& more) {
  return "[[rate]]\ndevice = \"D\"\nnetwork = \"" + network + "\"\ndata = \"cifar10\"\n" + more;
}

PlannedRun dense_run(const std::string& network, const std::string& epochs, const std::string& seed,
                     const std::string& width = "16") {
  PlannedRun run;
  run.plan = make_run_plan({{"method", "dense"},
                            {"network", network},
                            {"width", width},
                            {"data", "cifar10"},
                            {"data-dir", "/none"},
                            {"validation-fraction", "0.1"},
                            {"epochs", epochs},
                            {"seed", seed}});
  run.planned_epochs = std::stoll(epochs);
  return run;
}

/// 45,000 images trained and 5,000 evaluated in every epoch, 10,000 at the end, at 1,000 a second.
double seconds_at_1000(double epochs) { return epochs * (45 + 5 / 3.0) + 10 / 3.0; }

TEST(Rates, HoursFollowFromThePublishedSetAndThePlannedCourse) {
  std::vector<PlannedRun> planned;
  planned.push_back(dense_run("resnet20", "3", "1"));
  planned.push_back(dense_run("resnet20", "9", "1"));
  planned.push_back(dense_run("resnet20", "9", "1"));  // another curve has the same run
  planned.push_back(dense_run("resnet20", "9", "2"));
  planned.back().disk.state = DiskState::finished;
  const auto rates = rates_of(rate("resnet20", "images_per_second = 1000\n"));
  const std::vector<DeviceHours> hours = device_hours(planned, rates);
  ASSERT_EQ(hours.size(), 1U);
  EXPECT_NEAR(hours[0].total, seconds_at_1000(3) + seconds_at_1000(9), 1e-6);
  EXPECT_NEAR(hours[0].longest, seconds_at_1000(9), 1e-6);
  // Half of a run is done.
  planned[1].disk.epochs = 3;
  EXPECT_NEAR(device_hours(planned, rates)[0].longest, seconds_at_1000(9) * 2 / 3, 1e-6);
}

TEST(Rates, OneForTheWidthCountsBeforeOneForAny) {
  std::vector<PlannedRun> planned;
  planned.push_back(dense_run("resnet20", "1", "1", "16"));
  planned.push_back(dense_run("resnet20", "1", "1", "8"));
  planned.push_back(dense_run("resnet8", "1", "1"));
  const auto rates = rates_of(rate("resnet20", "images_per_second = 1000\n") +
                              rate("resnet20", "width = 8\nimages_per_second = 2e3\n"));
  const DeviceHours hours = device_hours(planned, rates)[0];
  EXPECT_NEAR(hours.total, 1.5 * seconds_at_1000(1), 1e-6);
  EXPECT_EQ(hours.unknown_runs, 1);
  EXPECT_THAT(device_text(hours), HasSubstr("for want of a rate: 1 runs of resnet8 on cifar10"));
}

TEST(Rates, ManyDevicesAreNoFasterThanTheLongestRun) {
  EXPECT_EQ(device_text({"D", 36000, 1800}), "D: 10.0 h on 1, 1.2 h on 8, 0.5 h on 64");
}

TEST(Rates, WhatIsNoRateIsToldWithItsLine) {
  GCG_EXPECT_ERROR((void)rates_of("[[rate]]\ndevice = 3\n"), HasSubstr("rates.toml:1"));
  GCG_EXPECT_ERROR((void)rates_of(rate("a", "images_per_second = -1\n")), HasSubstr("above 0"));
  GCG_EXPECT_ERROR((void)rates_of(rate("a", "images_per_second = 1\nspeed = 2\n")),
                   HasSubstr("'speed'"));
  GCG_EXPECT_ERROR((void)rates_of(rate("a", "images_per_second = 1\nwidth = \"x\"\n")),
                   HasSubstr("width"));
  GCG_EXPECT_ERROR((void)rates_of("rate = 3\n"), HasSubstr("[[rate]]"));
  GCG_EXPECT_ERROR((void)rates_of("[[rate]\n"), HasSubstr("rates.toml:1"));
}

}  // namespace
}  // namespace gcg
