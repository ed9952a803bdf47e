#include "device/open_device.h"

#include <ATen/Context.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/throws.h"
#include "device/step_graph.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

TEST(OpenDevice, RefusesGraphsWhereTheBuildHasNoneBeforeAnyStep) {
  if (has_cuda_graphs()) {
    GTEST_SKIP() << "this build has them";
  }
  DeviceSettings settings{"cuda"};
  settings.graphs = true;
  GCG_EXPECT_ERROR(open_device(settings), HasSubstr("has no CUDA graphs"));
}

/// LibTorch 2.9 and later have two settings of it, and throw where one is read that differs from
/// the other.
TEST(OpenDevice, SetsTf32SoThatLibTorchAgreesWithItself) {
  for (const bool on : {true, false}) {
    set_tf32(on);
    EXPECT_EQ(at::globalContext().allowTF32CuBLAS(), on);
    EXPECT_EQ(at::globalContext().allowTF32CuDNN(), on);
    EXPECT_EQ(at::globalContext().float32MatmulPrecision() == at::Float32MatmulPrecision::HIGHEST,
              !on);
  }
}

TEST(OpenDevice, DeterministicOrFastest) {
  for (const bool on : {true, false}) {
    set_deterministic(on);
    EXPECT_EQ(at::globalContext().deterministicAlgorithms(), on);
    EXPECT_EQ(at::globalContext().deterministicCuDNN(), on);
    EXPECT_EQ(at::globalContext().benchmarkCuDNN(), !on);
  }
}

}  // namespace
}  // namespace gcg
