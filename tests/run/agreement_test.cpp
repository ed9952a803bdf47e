// The sparse executor held against LibTorch on whole networks of real size: loss, gradients, an
// update, gradients at absent connections, evaluation. One thread: with two, oneDNN 2.6 writes
// beyond its memory in the weight gradients of narrow 1x1 convolutions of stride 2 if the batch is
// odd.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "backend/random_cases.h"
#include "dense/torch_executor.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

/// |a - b| / |b|, Euclidean.
double relative_error(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

struct Case {
  const char* name;
  std::int64_t width;
  std::int64_t samples;
};
void PrintTo(const Case& c, std::ostream* output) { *output << c.name; }

/// The two executors with the same state of an ERK mask, random running statistics and slots.
struct Pair {
  Network network;
  TrainingState state;
  std::unique_ptr<Executor> sparse;
  std::unique_ptr<Executor> dense;

  Pair(const Case& c, double density)
      : network(build_network(c.name, {{3, 32, 32}, 10, c.width})),
        state(random_state(network, 1, 1)),
        sparse(make_sparse_executor(network, 1)),
        dense(make_torch_executor(network, 1)) {
    state.mask = make_seed(network, state.values, "erk", density, DisconnectedPolicy::warn, 1).mask;
    clear_absent(state);
    sparse->write(state);
    dense->write(state);
  }
};

/// What two orders of addition may differ by in single precision through twenty layers and back.
/// A ReLU whose input is nearly zero can come out on either side: its sample's gradient then
/// differs visibly, whatever the precision. Such batches are rare, so it is the median over
/// batches that has to be this small; the other bound catches what is wrong once in a while.
constexpr double kTolerance = 2e-5;
constexpr double kFlippedTolerance = 0.1;
constexpr std::uint64_t kBatches = 7;

/// Errors by batch of every array that is compared.
using Errors = std::map<std::string, std::vector<double>>;

void expect_small(Errors errors) {
  for (auto& [name, values] : errors) {
    ASSERT_EQ(values.size(), kBatches);
    std::ranges::sort(values);
    EXPECT_LT(values[kBatches / 2], kTolerance) << name;
    EXPECT_LT(values.back(), kFlippedTolerance) << name;
  }
}

/// Appends the errors of every array of `a`; running statistics only where both have them.
void compare(const std::string& what, const Network& network, const Parameters& a,
             const Parameters& b, Errors& errors) {
  const auto add = [&](const std::string& name, std::span<const float> x,
                       std::span<const float> y) {
    errors[fmt::format("{} of {}", what, name)].push_back(relative_error(x, y));
  };
  for (std::size_t l = 0; l < b.weights.size(); ++l) {
    add(network.layers[l].name, a.weights[l], b.weights[l]);
    add(network.layers[l].name + " bias", a.biases[l], b.biases[l]);
  }
  for (std::size_t k = 0; k < b.norms.size(); ++k) {
    add(fmt::format("scale {}", k), a.norms[k].scale, b.norms[k].scale);
    add(fmt::format("shift {}", k), a.norms[k].shift, b.norms[k].shift);
    add(fmt::format("mean {}", k), a.norms[k].mean, b.norms[k].mean);
    add(fmt::format("variance {}", k), a.norms[k].variance, b.norms[k].variance);
  }
}

class Agreement : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Networks, Agreement,
                         ::testing::Values(Case{"resnet20", 8, 3}, Case{"vgg16", 8, 16},
                                           Case{"resnet18_small", 8, 3}, Case{"lenet5", 6, 48}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_P(Agreement, LossGradientsStepAndEvaluationAreThoseOfLibTorch) {
  for (const double density : {0.05, 0.3, 1.0}) {
    SCOPED_TRACE(fmt::format("density {}", density));
    const Pair pair(GetParam(), density);
    Errors errors;
    for (std::uint64_t i = 0; i < kBatches; ++i) {
      const OwnedBatch batch = random_batch(pair.network, GetParam().samples, 20 + i);
      pair.sparse->write(pair.state);
      pair.dense->write(pair.state);
      const auto all = pair.sparse->dense_gradients(batch);
      const auto expected = pair.dense->dense_gradients(batch);
      for (std::size_t l = 0; l < expected.size(); ++l) {
        errors["all gradients of " + pair.network.layers[l].name].push_back(
            relative_error(all[l], expected[l]));
      }
      const BatchSums sparse = pair.sparse->forward_backward(batch);
      const BatchSums dense = pair.dense->forward_backward(batch);
      EXPECT_NEAR(sparse.loss, dense.loss, 1e-5 * dense.loss);
      EXPECT_EQ(sparse.correct, dense.correct);
      compare("gradient", pair.network, pair.sparse->gradients(), pair.dense->gradients(), errors);
      pair.sparse->step(sgd_step(0.01, 0.9, true, 1e-3));
      pair.dense->step(sgd_step(0.01, 0.9, true, 1e-3));
      const TrainingState a = pair.sparse->read();
      const TrainingState b = pair.dense->read();
      compare("value", pair.network, a.values, b.values, errors);
      compare("slot", pair.network, a.slots.at(0).values, b.slots.at(0).values, errors);
      pair.dense->write(a);
      EXPECT_NEAR(pair.sparse->evaluate(batch, {}).loss, pair.dense->evaluate(batch, {}).loss,
                  1e-4 * pair.dense->evaluate(batch, {}).loss);
    }
    expect_small(errors);
  }
}

}  // namespace
}  // namespace gcg
