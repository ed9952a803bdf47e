#include "dense/torch_executor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "backend/conformance.h"
#include "backend/random_cases.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Names of the threads of this process but the first; LibTorch 2 keeps one of autograd, for
/// devices, which sleeps.
std::vector<std::string> other_threads() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream comm(entry.path() / "comm");
    std::getline(comm, name);
    if (entry.path().filename() != std::to_string(::getpid()) && !name.starts_with("pt_autograd")) {
      names.push_back(name);
    }
  }
  return names;
}

class TorchConformance : public ::testing::TestWithParam<ConformanceCase> {};
/// Where channels come first; how ranks meet does not depend on it.
class OtherOrderConformance : public ::testing::TestWithParam<ConformanceCase> {};

std::string name_of(const ::testing::TestParamInfo<ConformanceCase>& row) {
  return std::string(row.param.name);
}

TEST_P(TorchConformance, Holds) {
  GetParam().check([](const Network& network) { return make_torch_executor(network, 1); },
                   all_small_networks());
}

TEST_P(OtherOrderConformance, Holds) {
  GetParam().check(
      [](const Network& network) { return make_torch_executor(network, 1, ChannelOrder::first); },
      all_small_networks());
}

INSTANTIATE_TEST_SUITE_P(Executor, TorchConformance, ::testing::ValuesIn(conformance_cases()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Executor, OtherOrderConformance, ::testing::ValuesIn(conformance_cases()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Ranks, TorchConformance, ::testing::ValuesIn(rank_cases()), name_of);

TEST(TorchExecutor, StartsNoThreadsWhereOneIsAskedFor) {
  const std::vector<std::string> before = other_threads();
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 4});
  const auto executor = make_torch_executor(network, 1);
  executor->write(random_state(network, 0.5, 1));
  const OwnedBatch batch = random_batch(network, 32, 2);
  executor->forward_backward(batch);
  executor->step(sgd_step());
  executor->evaluate(batch, {});
  EXPECT_EQ(other_threads(), before);
}

TEST(TorchExecutor, GivesTheSameBitsWhicheverThreadCallsIt) {
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 4});
  const auto train = [&]() {
    const auto executor = make_torch_executor(network, 1);
    executor->write(random_state(network, 0.5, 3));
    for (std::uint64_t i = 0; i < 3; ++i) {
      executor->forward_backward(random_batch(network, 32, i));
      executor->step(sgd_step());
    }
    return executor->read();
  };
  const TrainingState here = train();
  TrainingState there;
  std::thread([&]() { there = train(); }).join();
  EXPECT_EQ(here, there);
}

TEST(TorchExecutor, RefusesWhatItCannotRun) {
  const Network network = build_network("mlp", {{4}, 3, 5});
  GCG_EXPECT_ERROR(make_torch_executor(network, 0), HasSubstr("0 threads"));
  GCG_EXPECT_ERROR(make_torch_executor(network, 1'000'000), HasSubstr("1000000 threads"));
  NetworkBuilder net("padded", {1, 4, 4});
  net.linear("fc", net.flatten("flatten", net.max_pool("pool", 0, {3, 3, 1, 2})), 2);
  GCG_EXPECT_ERROR(make_torch_executor(net.finish(), 1), HasSubstr("padded: pool"));

  const auto executor = make_torch_executor(network, 1);
  executor->write(random_state(network, 0.5, 1));
  executor->forward_backward(random_batch(network, 4, 1));
}

TEST(TorchExecutor, NamesItsLibraries) {
  EXPECT_THAT(torch_version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  const BlasFacts facts = blas_facts();
  EXPECT_THAT(facts.library, HasSubstr("/lib"));
  // Either all is well, or the reader is told what to install.
  const bool known = facts.version.starts_with("OpenBLAS") ||
                     facts.version.find("Math Kernel Library") != std::string::npos;
  EXPECT_TRUE(facts.warning.empty() ? known : facts.warning.find("install") != std::string::npos)
      << facts.version << facts.warning;
}

TEST(TorchExecutor, WarnsOfKernelsForAnOlderProcessor) {
  EXPECT_THAT(warning_of_kernels("Prescott", "avx512"), HasSubstr("OPENBLAS_CORETYPE=SkylakeX"));
  EXPECT_THAT(warning_of_kernels("Prescott", "avx2"), HasSubstr("OPENBLAS_CORETYPE=Haswell"));
  EXPECT_EQ(warning_of_kernels("Prescott", "sse2"), "");
  EXPECT_EQ(warning_of_kernels("SkylakeX", "avx512"), "");
  EXPECT_EQ(warning_of_kernels("Haswell", "avx512"), "");
}

TEST(TorchExecutor, KeepsNarrowStridedShortcutsWithinTheirMemory) {
  // oneDNN 2.6 writes behind its memory in their weight gradients: the heap would break.
  for (const auto& [edge, batch, threads] :
       {std::tuple(64, 32, 1), std::tuple(64, 33, 2), std::tuple(32, 33, 2)}) {
    SCOPED_TRACE(fmt::format("{0}x{0}, batch {1}, {2} threads", edge, batch, threads));
    const Network network = build_network("resnet8", {{3, edge, edge}, 10, 4});
    const auto executor = make_torch_executor(network, threads);
    executor->write(random_state(network, 0.5, 1));
    const OwnedBatch images = random_batch(network, batch, 2);
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(std::isfinite(executor->forward_backward(images).loss));
      executor->step(sgd_step());
    }
  }
}

}  // namespace
}  // namespace gcg
