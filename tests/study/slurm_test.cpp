// What is said to Slurm and read from it; a real one is met in tests/slurm.
#include "study/slurm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SlurmStudy study_in(const std::filesystem::path& folder) {
  return {"gcg-growth_rules-smoke",
          folder / "growth_rules-smoke.slurm",
          {"/bin/growth_rules", "--work", "--only=path, sampled"}};
}

TEST(Slurm, TheScriptAsksForWhatIsGivenAndNoMore) {
  const SlurmStudy study = study_in("/runs");
  const std::string plain = batch_script(study, {});
  EXPECT_THAT(plain, HasSubstr("#SBATCH --array=1-1\n"));
  EXPECT_THAT(plain, HasSubstr("#SBATCH --requeue\n#SBATCH --signal=B:USR1@120\n"
                               "#SBATCH --open-mode=append\n"));
  EXPECT_THAT(plain, HasSubstr("/bin/growth_rules --work '--only=path, sampled' &\n"));
  for (const char* option : {"cpus", "gres", "mem", "time", "partition", "account", "exclusive"}) {
    EXPECT_THAT(plain, Not(HasSubstr(std::string("--") + option)));
  }
  SlurmRequest request{8, 2, 4, "gpu", "lab", "16G", "8:00:00"};
  const std::string full = batch_script(study, request);
  for (const char* line : {"--array=1-8", "--gres=gpu:2", "--cpus-per-task=4", "--partition=gpu",
                           "--account=lab", "--mem=16G", "--time=8:00:00"}) {
    EXPECT_THAT(full, HasSubstr(std::string("#SBATCH ") + line + "\n"));
  }
}

TEST(Slurm, WordsThatDoNotFitAScriptAreUsageErrors) {
  SlurmRequest request;
  EXPECT_NO_THROW(check_slurm_request(request));
  request.workers = 0;
  GCG_EXPECT_ERROR(check_slurm_request(request), HasSubstr("--workers"));
  request = {};
  request.partition = "a\n#SBATCH --uid=0";
  GCG_EXPECT_ERROR(check_slurm_request(request), HasSubstr("--partition"));
}

TEST(Slurm, OfTheQueueOnlyTheStudysOwnJobsCount) {
  const std::string answer =
      "12|12_1|RUNNING|node1|None\n12|12_2|PENDING||Resources\n13|13_1|RUNNING|node2|None\n";
  const std::vector<QueuedTask> tasks = read_queue(answer, {"11", "12"});
  EXPECT_EQ(tasks, (std::vector<QueuedTask>{{"12_1", "RUNNING", "node1", "None"},
                                            {"12_2", "PENDING", "", "Resources"}}));
  EXPECT_EQ(queue_text(tasks),
            "in Slurm's queue: 1 pending (12_2: Resources), 1 running (12_1 on node1)");
  EXPECT_EQ(queue_text({}), "");
  GCG_EXPECT_ERROR((void)read_queue("nonsense\n", {"12"}), HasSubstr("nonsense"));
}

TEST(Slurm, NothingIsAskedWhereNothingWasSubmitted) {
  const testing::TemporaryFolder folder;
  EXPECT_TRUE(queued_tasks(study_in(folder.path())).empty());
}

}  // namespace
}  // namespace gcg
