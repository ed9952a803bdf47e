// Equal seeds give equal runs, whichever process computes them: every method of the table.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/shell.h"
#include "base/temporary_folder.h"
#include "record/run_file.h"
#include "run/same_run.h"
#include "run/short_run.h"

namespace gcg {
namespace {

using testing::difference;
using testing::Outcome;
using testing::TemporaryFolder;

struct TwoProcesses : ::testing::TestWithParam<MethodEntry> {};

RunRecord run_of(const std::string& method, const TemporaryFolder& folder) {
  std::string command = fmt::format(
      "{} --method {} --network resnet8 --width 4 --data-images 120 --data-test-images 20 "
      "--batch-size 24 --epochs 2 --out {}",
      GCG_RUN_PROGRAM, method, folder.path().string());
  for (const auto& [name, value] : testing::short_run(method)) {
    command += fmt::format(" --{} {}", name, value);
  }
  const Outcome outcome = testing::shell(command);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    return read_run_file(entry.path() / "run.h5");
  }
  ADD_FAILURE() << "no run file";
  return {};
}

TEST_P(TwoProcesses, ComputeTheSameBits) {
  const std::string method(GetParam().name);
  const TemporaryFolder first;
  const TemporaryFolder second;
  EXPECT_EQ(difference(run_of(method, first), run_of(method, second)), "");
}

INSTANTIATE_TEST_SUITE_P(Table, TwoProcesses, ::testing::ValuesIn(method_table()),
                         [](const auto& entry) { return std::string(entry.param.name); });

}  // namespace
}  // namespace gcg
