#include "device/failures.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
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

TEST(ExplainFailure, ALibraryThatFindsNoRoomIsOutOfMemoryToo) {
  for (const char* said :
       {"CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"}) {
    EXPECT_THAT(
        explain_failure("resnet20: queue", said, 1000, [](std::int64_t) { return true; }).what(),
        HasSubstr("out of memory with a batch of 1000\n  remedy: --batch-size 500 fits"))
        << said;
  }
}

TEST(ExplainFailure, BeforeTheFirstBatchNoneIsNamed) {
  EXPECT_THAT(explain_failure("vgg16: write", "CUDA out of memory.", 0, never).what(),
              ::testing::StartsWith("vgg16: write: out of memory\n  remedy: no smaller batch"));
}

TEST(ExplainFailure, WhereNoBatchFitsTheNetworkIsTooLarge) {
  EXPECT_THAT(
      explain_failure("vgg16: queue", "DefaultCPUAllocator: can't allocate memory", 8, never)
          .what(),
      HasSubstr("no smaller batch fits either"));
}

/// What LibTorch itself throws, of 1.13 as of 2.x.
std::string thrown_for(const char* operation) {
  at::globalContext().setDeterministicAlgorithms(true, false);
  std::string said;
  try {
    at::Context::alertNotDeterministic(operation);
  } catch (const c10::Error& error) {
    said = error.what_without_backtrace();
  }
  at::globalContext().setDeterministicAlgorithms(false, false);
  return said;
}

TEST(ExplainFailure, AnOperationWithoutDeterministicFormIsNamedWithTheOption) {
  EXPECT_STREQ(
      explain_failure("vgg16: queue", thrown_for("adaptive_avg_pool2d_backward_cuda"), 8, never)
          .what(),
      "vgg16: queue: adaptive_avg_pool2d_backward_cuda has no deterministic form in this "
      "LibTorch\n  remedy: take --deterministic off (another run), another LibTorch (TORCH, "
      "docs/gpus.md), or --device cpu");
}

TEST(ExplainFailure, AnEnvironmentUnderWhichCublasIsNotDeterministicIsNamed) {
  EXPECT_THAT(
      explain_failure("mlp: queue",
                      "Deterministic behavior was enabled with either "
                      "`torch.use_deterministic_algorithms(True)` or ..., but this operation "
                      "is not deterministic because it uses CuBLAS and you have CUDA >= 10.2. "
                      "To enable deterministic behavior in this case, you must set an "
                      "environment variable ...: CUBLAS_WORKSPACE_CONFIG=:4096:8",
                      8, never)
          .what(),
      HasSubstr("remedy: unset CUBLAS_WORKSPACE_CONFIG"));
}

TEST(ExplainFailure, WhatCannotBeCapturedNamesTheOption) {
  EXPECT_STREQ(explain_failure("mlp: queue",
                               "CUDA error: operation not permitted when stream is capturing\nmore",
                               8, never)
                   .what(),
               "mlp: queue: this step cannot be a CUDA graph: CUDA error: operation not permitted "
               "when stream is capturing\n  remedy: leave --cuda-graphs out");
}

TEST(ExplainFailure, AnythingElseIsItsFirstLine) {
  EXPECT_STREQ(explain_failure("mlp: queue", "something else\nframe #0", 8, never).what(),
               "mlp: queue: something else");
}

}  // namespace
}  // namespace gcg
