// Every method trains a small network on real images: the folder that GCG_DATA names, in the
// CIFAR-10 format. Without it there is nothing to test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/temporary_folder.h"
#include "data/datasets.h"
#include "run/miniature.h"
#include "sparse/sparse_executor.h"

namespace gcg {

/// For the names of tests.
void PrintTo(const MethodEntry& method, std::ostream* out);
void PrintTo(const MethodEntry& method, std::ostream* out) { *out << method.name; }

namespace {

using testing::Miniature;
using testing::TemporaryFolder;

struct RealImages : ::testing::TestWithParam<MethodEntry> {};

TEST_P(RealImages, AreLearnedFrom) {
  const char* folder = std::getenv("GCG_DATA");
  if (folder == nullptr || *folder == '\0') {
    GTEST_SKIP() << "GCG_DATA names no folder";
  }
  Miniature made(std::string(GetParam().name), testing::short_run(std::string(GetParam().name)),
                 [](const Network& network, std::int64_t threads) {
                   return make_sparse_executor(network, threads);
                 });
  const std::unique_ptr<DataSource> source = make_data_source("cifar10");
  OptionList list;
  source->add_options(list);
  made.data = source->load();
  made.recipe.epochs = 3;
  const TemporaryFolder out;
  const RunRecord record = train(made.run(out.path()));
  EXPECT_EQ(record.status, RunStatus::finished);
  EXPECT_LT(record.trajectory.back().train_loss, record.trajectory.front().train_loss);
  EXPECT_LT(record.trajectory.back().train_loss, 2.2);  // ln 10 = 2.3 is chance
  EXPECT_GT(record.result->test_accuracy, 0.15);
}

INSTANTIATE_TEST_SUITE_P(Table, RealImages, ::testing::ValuesIn(method_table()),
                         [](const auto& entry) { return std::string(entry.param.name); });

}  // namespace
}  // namespace gcg
