// Sparse runs keep their bits from one version of the program to the next: digests of a short run
// of every method, made once. A change that is meant to change them raises the version of the
// results and replaces the table; the failing test prints the new row. Every compiler, level of
// optimisation and processor has to come to them: the builds with sanitizers run this too.
#include <gtest/gtest.h>

#include <map>
#include <span>
#include <string>

#include "base/hash.h"
#include "base/temporary_folder.h"
#include "run/small_run.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

using testing::SmallRun;
using testing::TemporaryFolder;

template <typename T>
void append(std::string& bytes, const T* data, std::size_t count) {
  bytes.append(reinterpret_cast<const char*>(data), count * sizeof(T));
}

/// Over losses and densities of every epoch, masks of every stage, final weights and predictions.
std::string digest(const RunRecord& record) {
  std::string bytes;
  for (const TrajectoryRow& row : record.trajectory) {
    for (const double value : {row.density, row.learning_rate, row.train_loss, row.validation_loss,
                               row.training_flops}) {
      append(bytes, &value, 1);
    }
  }
  for (const StageMask& stage : record.masks) {
    for (const LayerMask& layer : stage.mask.layers) {
      layer.for_each_present([&](std::int64_t i) { append(bytes, &i, 1); });
    }
  }
  for (const std::vector<float>& layer : record.result->state.values.weights) {
    append(bytes, layer.data(), layer.size());
  }
  append(bytes, record.result->test_predictions.data(), record.result->test_predictions.size());
  return hex(sha256(bytes)).substr(0, 16);
}

const std::map<std::string, std::string, std::less<>> kDigests{
    {"dense", "7d2620f017fb9832"},
    {"gcg", "8c5ed04e1681b9da"},
    {"fixed_mask", "56819bb21fc2f723"},
    {"small_dense", "7d2620f017fb9832"},
    {"set", "5dfb71b86432752b"},
    {"rigl", "bd8d88753b4133a2"},
    {"granet", "bd8d88753b4133a2"},
    {"gmp", "ac047fa040105f47"},
    {"acdc", "52c92a14828ee770"},
    {"imp", "8dde17726a15d4c6"},
    {"grow_reallocate", "c9018f46a8dceaca"},
    {"grow_return", "59d30f4e747baf71"},
    {"grow_budget", "3978836ba28d7a3e"},
};

struct GoldenBits : ::testing::TestWithParam<std::string> {};

TEST_P(GoldenBits, AreThoseOfEarlierVersions) {
  const TemporaryFolder folder;
  SmallRun small(GetParam(), testing::short_run(GetParam()),
                 [](const Network& network, std::int64_t threads) {
                   return make_sparse_executor(network, threads);
                 });
  small.data = testing::small_images(300);
  small.recipe.batch_size = 64;
  const RunRecord record = train(small.run(folder.path()));
  const auto row = kDigests.find(GetParam());
  ASSERT_NE(row, kDigests.end()) << "a new method needs its row: {\"" << GetParam() << "\", \""
                                 << digest(record) << "\"},";
  EXPECT_EQ(digest(record), row->second);
}

INSTANTIATE_TEST_SUITE_P(Table, GoldenBits, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const MethodEntry& entry : method_table()) {
                             names.emplace_back(entry.name);
                           }
                           return names;
                         }()),
                         [](const auto& method) { return method.param; });

}  // namespace
}  // namespace gcg
