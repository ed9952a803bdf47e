#include "record/run_summary.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>

#include "base/temporary_folder.h"
#include "record/run_file.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;

const RunSummary kSummary{
    "hash", RunStatus::failed, "stage 1: \"loss\" is nan\n", "digest", 300, 7, 0.125, 12.5,
    1 << 20};

/// A folder with something in the place of a run file, and its status.
struct Folder {
  testing::TemporaryFolder folder;
  Folder() {
    std::ofstream(folder.path() / kRunFileName) << "run file";
    write_run_summary(folder.path(), kSummary);
  }
};

TEST(RunSummary, IsReadAsItWasWritten) {
  const Folder one;
  EXPECT_EQ(read_run_summary(one.folder.path()), kSummary);
}

TEST(RunSummary, IsNotTakenForAnotherRunFile) {
  {
    const Folder one;
    std::ofstream(one.folder.path() / kRunFileName, std::ios::app) << ", longer";
    EXPECT_EQ(read_run_summary(one.folder.path()), std::nullopt);
  }
  {
    const Folder one;
    const fs::path file = one.folder.path() / kRunFileName;
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
    EXPECT_EQ(read_run_summary(one.folder.path()), std::nullopt);
  }
  const Folder one;
  fs::remove(one.folder.path() / kRunFileName);
  EXPECT_EQ(read_run_summary(one.folder.path()), std::nullopt);
}

TEST(RunSummary, CutChangedOrMissingItIsNothing) {
  const Folder one;
  const fs::path file = one.folder.path() / kRunSummaryName;
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    std::ofstream(file) << text.substr(0, size);
    EXPECT_EQ(read_run_summary(one.folder.path()), std::nullopt) << size;
  }
  for (const auto& [from, to] : {std::pair{"\"version\": 2", "\"version\": 1"},
                                 {"\"run_file_schema\": ", "\"run_file_schema\": 1"},
                                 {"\"failed\"", "\"lost\""},
                                 {"\"epochs\": 7", "\"epochs\": \"7\""},
                                 {"\"epochs\": 7", "\"epochs\": 7.5"},
                                 {"\"epochs\": 7", "\"epochs\": 1e300"},
                                 {"\"seconds\"", "\"Seconds\""}}) {
    std::string changed = text;
    changed.replace(changed.find(from), std::string(from).size(), to);
    std::ofstream(file) << changed;
    EXPECT_EQ(read_run_summary(one.folder.path()), std::nullopt) << to;
  }
  fs::remove(file);
  EXPECT_EQ(read_run_summary(one.folder.path()), std::nullopt);
}

}  // namespace
}  // namespace gcg
