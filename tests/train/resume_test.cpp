#include "train/resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/throws.h"
#include "record/sample_record.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A run that has begun on this GPU.
RunRecord begun_on(const std::string& gpu) {
  RunRecord record = fresh_record();
  record.libraries.push_back({"GPU", gpu});
  return record;
}

TEST(ResumedRecord, OnAnotherGpuIsAllowedAndTold) {
  std::vector<std::string> said;
  const RunRecord resumed = resumed_record(begun_on("NVIDIA A100-SXM4-40GB, 40.0 GiB"),
                                           begun_on("NVIDIA H200, 139.8 GiB"), "runs/x",
                                           [&](const std::string& line) { said.push_back(line); });
  EXPECT_THAT(said, ElementsAre(::testing::AllOf(
                        HasSubstr("warning: resumed with another set of libraries"),
                        HasSubstr("GPU NVIDIA H200, 139.8 GiB;"), HasSubstr("before: "),
                        HasSubstr("GPU NVIDIA A100-SXM4-40GB, 40.0 GiB;"))));
  EXPECT_EQ("warning: " + resumed.warnings.back(), said.front());
  EXPECT_EQ(resumed.libraries.back().version, "NVIDIA H200, 139.8 GiB");
}

TEST(ResumedRecord, OnTheSameGpuNothingIsSaid) {
  std::vector<std::string> said;
  const RunRecord resumed =
      resumed_record(begun_on("NVIDIA H200, 139.8 GiB"), begun_on("NVIDIA H200, 139.8 GiB"),
                     "runs/x", [&](const std::string& line) { said.push_back(line); });
  EXPECT_THAT(said, IsEmpty());
  EXPECT_EQ(resumed.warnings, fresh_record().warnings);
}

TEST(ResumedRecord, OfAnotherRunIsRefused) {
  RunRecord other = begun_on("NVIDIA H200, 139.8 GiB");
  other.identity.hash = "another";
  GCG_EXPECT_ERROR(resumed_record(begun_on("NVIDIA H200, 139.8 GiB"), other, "runs/x",
                                  [](const std::string& /*line*/) {}),
                   HasSubstr("the checkpoint belongs to another run"));
}

}  // namespace
}  // namespace gcg
