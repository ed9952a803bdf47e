#include "bench/blas_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/host.h"
#include "base/progress.h"
#include "base/text.h"
#include "dense/torch_executor.h"
#include "study/process.h"

namespace gcg::bench {
namespace {

constexpr const char* kVariable = "OPENBLAS_CORETYPE";
constexpr std::string_view kTrial = "--time-products";

/// Milliseconds of a linear layer of `vit6_small`, 96 to 384 for 128 images of 65 tokens, forward
/// and backward on one thread: the fastest of ten.
double milliseconds_of_products() {
  at::set_num_threads(1);
  const at::Tensor inputs = at::rand({std::int64_t{128} * 65, 96});
  const at::Tensor weights = at::rand({384, 96});
  const at::Tensor gradients = at::rand({inputs.size(0), weights.size(0)});
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 10; ++i) {
    const double start = now_seconds();
    at::mm(inputs, weights.t());
    at::mm(gradients, weights);
    at::mm(gradients.t(), inputs);
    least = std::min(least, 1000 * (now_seconds() - start));
  }
  return least;
}

/// Names that OpenBLAS has for kernels this processor can run; empty: its own choice.
std::vector<std::string> choices() {
  const std::string instructions = host_facts().instructions;
  std::vector<std::string> names{""};
  if (instructions == "avx2" || instructions == "avx512") {
    names.emplace_back("Haswell");
    names.emplace_back("Zen");
  }
  if (instructions == "avx512") {
    names.emplace_back("SkylakeX");
  }
  return names;
}

}  // namespace

void take_fastest_blas(int argc, char** argv) {
  if (argc == 2 && argv[1] == kTrial) {
    fmt::print("{}", milliseconds_of_products());
    std::exit(EXIT_SUCCESS);
  }
  // Questions (--help, --benchmark_list_tests) are answered at once.
  const bool measures = std::none_of(argv + 1, argv + argc, [](std::string_view word) {
    return word == "--help" || word.starts_with("--benchmark_list_tests");
  });
  if (!measures || std::getenv(kVariable) != nullptr ||
      !blas_facts().version.starts_with("OpenBLAS")) {
    return;
  }
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string fastest;
  double least = std::numeric_limits<double>::infinity();
  for (const std::string& name : choices()) {
    std::vector<std::string> command{self, std::string(kTrial)};
    if (!name.empty()) {
      command.insert(command.begin(), {"env", fmt::format("{}={}", kVariable, name)});
    }
    const ProgramAnswer answer = answer_of(command);
    if (answer.status != 0) {
      throw Error(shell_line(command), fmt::format("ended with status {}", answer.status),
                  fmt::format("set {} to choose the kernels of OpenBLAS yourself", kVariable));
    }
    const double milliseconds = whole_number_text<double>(answer.text).value();
    fmt::print(stderr, "OpenBLAS, {}: {:.1f} ms for a layer's products\n",
               name.empty() ? "its own choice of kernels" : "kernels for " + name, milliseconds);
    if (milliseconds < least) {
      least = milliseconds;
      fastest = name;
    }
  }
  if (fastest.empty()) {
    return;
  }
  if (setenv(kVariable, fastest.c_str(), 1) != 0 || execv(self.c_str(), argv) != 0) {
    throw Error(self, fmt::format("cannot be started again: {}", std::strerror(errno)),
                fmt::format("set {}={} in the environment", kVariable, fastest));
  }
}

}  // namespace gcg::bench
