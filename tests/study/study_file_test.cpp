#include "study/study_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/temporary_folder.h"
#include "base/text.h"
#include "base/throws.h"
#include "study/planned_run.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

/// One curve, with as many seeds as its setting says.
std::vector<ExperimentRun> seeds_of(const ExperimentRequest& request) {
  std::vector<ExperimentRun> runs;
  for (std::uint64_t seed = 1; seed <= static_cast<std::uint64_t>(request.seeds); ++seed) {
    runs.push_back({"dense", {{"method", "dense"}, {"width", "4"}}, seed});
  }
  return runs;
}

const Experiment kSeeds{"seeds", "for tests", {seeds_of}, {}};

struct StoredStudy : ::testing::Test {
  TemporaryFolder folder;
  StudySettings settings;

  StoredStudy() {
    settings.out = folder.path().string();
    settings.request.scale.name = "smoke";
    settings.request.data = "procedural";
  }

  /// Writes the file for this many seeds and returns the seeds that are in it.
  std::set<int> write(int seeds) {
    settings.request.seeds = seeds;
    write_study_file(kSeeds, settings, plan_runs(kSeeds, settings));
    std::set<int> found;
    const auto study = nlohmann::json::parse(read_text(study_file(kSeeds, settings)));
    for (const auto& run : study.at("runs")) {
      EXPECT_TRUE(found.insert(run.at("seed").get<int>()).second);
    }
    return found;
  }

  /// As if these seeds had been run.
  void run_all(int seeds) {
    settings.request.seeds = seeds;
    for (const PlannedRun& run : plan_runs(kSeeds, settings)) {
      std::filesystem::create_directories(run.file().parent_path());
      std::ofstream(run.file()) << "a run";
    }
  }
};

TEST_F(StoredStudy, KeepsTheSeedsThatEarlierLaunchesRan) {
  EXPECT_EQ(write(3), (std::set<int>{1, 2, 3}));
  EXPECT_EQ(write(1), std::set<int>{1});  // nothing had been run
  run_all(2);
  EXPECT_EQ(write(3), (std::set<int>{1, 2, 3}));
  EXPECT_EQ(write(1), (std::set<int>{1, 2}));
  EXPECT_EQ(write(1), (std::set<int>{1, 2}));
  EXPECT_EQ(write(3), (std::set<int>{1, 2, 3}));
}

TEST_F(StoredStudy, OfOtherDataPrecisionOrExecutionDoesNotTakeItsPlace) {
  write(2);
  StudySettings other = settings;
  other.request.data = "cifar10";
  GCG_EXPECT_ERROR(write_study_file(kSeeds, other, plan_runs(kSeeds, other)),
                   AllOf(HasSubstr("data set is procedural, not cifar10"), HasSubstr("--out")));
  other = settings;
  other.precision = "bf16";
  GCG_EXPECT_ERROR(write_study_file(kSeeds, other, plan_runs(kSeeds, other)),
                   HasSubstr("precision is the default, not bf16"));
  other = settings;
  other.execution = "dense";
  GCG_EXPECT_ERROR(write_study_file(kSeeds, other, plan_runs(kSeeds, other)),
                   HasSubstr("execution is sparse, not dense"));
  EXPECT_EQ(write(2), (std::set<int>{1, 2}));
}

}  // namespace
}  // namespace gcg
