#include "device/failures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool never(std::int64_t /*samples*/) { return false; }

TEST(ExplainFailure, OutOfMemoryComesWithTheBatchThatFits) {
  std::vector<std::int64_t> tried;
  const Error error = explain_failure("resnet20: queue",
                                      "CUDA out of memory. Tried to allocate 20.00 GiB\nframe #0",
                                      1000, [&](std::int64_t samples) {
                                        tried.push_back(samples);
                                        return samples <= 200;
                                      });
  EXPECT_STREQ(error.what(),
               "resnet20: queue: out of memory with a batch of 1000\n  remedy: --batch-size 125 "
               "fits; what was saved stays");
  EXPECT_THAT(tried, ElementsAre(500, 250, 125));
}

TEST(ExplainFailure, WhereNoBatchFitsTheNetworkIsTooLarge) {
  EXPECT_THAT(
      explain_failure("vgg16: queue", "DefaultCPUAllocator: can't allocate memory", 8, never)
          .what(),
      HasSubstr("no smaller batch fits either"));
}

TEST(ExplainFailure, AnOperationWithoutDeterministicFormNamesTheOption) {
  EXPECT_THAT(
      explain_failure("vgg16: queue",
                      "max_pool_backward does not have a deterministic implementation, but you "
                      "set ...\nmore",
                      8, never)
          .what(),
      HasSubstr("--deterministic off"));
}

TEST(ExplainFailure, AnythingElseIsItsFirstLine) {
  EXPECT_STREQ(explain_failure("mlp: queue", "something else\nframe #0", 8, never).what(),
               "mlp: queue: something else");
}

}  // namespace
}  // namespace gcg
