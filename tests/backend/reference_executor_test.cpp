#include "backend/reference_executor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "backend/conformance.h"
#include "backend/random_cases.h"

namespace gcg {
namespace {

/// Mean loss of a batch in training mode.
double mean_loss(const Network& network, const TrainingState& state, const Batch& batch) {
  const auto executor = make_reference_executor(network);
  executor->write(state);
  const BatchSums sums = executor->forward_backward(batch);
  return sums.loss / static_cast<double>(sums.samples);
}

/// Compares arrays of gradients with difference quotients. A ReLU or a maximum that switches on one
/// side pulls the quotient of that side away: the derivative lies no further from the mean of the
/// two than they from each other.
struct Differences {
  const Network& network;
  const TrainingState& state;
  const Batch& batch;
  double loss = mean_loss(network, state, batch);
  int compared = 0;
  int uncertain = 0;

  void compare(const std::string& what, const std::vector<float>& gradient,
               const std::function<std::vector<float>&(TrainingState&)>& array) {
    TrainingState moved = state;
    std::vector<float>& values = array(moved);
    ASSERT_EQ(values.size(), gradient.size()) << what;
    // At most about 40 elements of every array.
    const std::size_t stride = 1 + values.size() / 40;
    for (std::size_t i = 0; i < values.size(); i += stride) {
      const float value = values[i];
      const double centre = static_cast<double>(value);
      const auto quotient = [&](float offset) {
        values[i] = value + offset;
        const double change = static_cast<double>(values[i]) - centre;
        return (mean_loss(network, moved, batch) - loss) / change;
      };
      const double right = quotient(0x1p-16F);
      const double left = quotient(-0x1p-16F);
      values[i] = value;
      const double distance = std::abs(right - left);
      ++compared;
      uncertain += distance > 1e-3 ? 1 : 0;
      EXPECT_NEAR(gradient[i], (left + right) / 2, distance + 1e-6) << what << ", element " << i;
    }
  }
};

TEST(ReferenceExecutor, GradientsAreDifferenceQuotientsOfTheLoss) {
  int compared = 0;
  int uncertain = 0;
  for (const Network& network : all_small_networks()) {
    if (network.name == "lenet5" || network.name == "resnet8" || network.name == "vit6_small") {
      continue;  // made of the same operations, and slow
    }
    SCOPED_TRACE(network.name);
    const TrainingState state = random_state(network, 1, 1);
    const OwnedBatch owned = random_batch(network, 3, 2);
    const Batch batch = owned;
    const auto executor = make_reference_executor(network);
    executor->write(state);
    executor->forward_backward(batch);
    const Parameters gradients = executor->gradients();
    Differences differences{network, state, batch};
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const std::string& name = network.layers[l].name;
      differences.compare(
          name + " weight",
          gradients.weights[l], [l](TrainingState & s) -> auto& { return s.values.weights[l]; });
      differences.compare(
          name + " bias",
          gradients.biases[l], [l](TrainingState & s) -> auto& { return s.values.biases[l]; });
    }
    for (std::size_t k = 0; k < gradients.norms.size(); ++k) {
      const std::string name = fmt::format("normalisation {} ", k);
      differences.compare(
          name + "scale", gradients.norms[k].scale, [k](TrainingState & s) -> auto& {
            return s.values.norms[k].scale;
          });
      differences.compare(
          name + "shift", gradients.norms[k].shift, [k](TrainingState & s) -> auto& {
            return s.values.norms[k].shift;
          });
    }
    if (!gradients.tokens.class_token.empty()) {
      differences.compare(
          "class token", gradients.tokens.class_token,
          [](TrainingState & s) -> auto& { return s.values.tokens.class_token; });
      differences.compare(
          "position table", gradients.tokens.positions,
          [](TrainingState & s) -> auto& { return s.values.tokens.positions; });
    }
    compared += differences.compared;
    uncertain += differences.uncertain;
  }
  EXPECT_GT(compared, 500);
  EXPECT_LT(uncertain, compared / 20);
}

/// One weight, two classes: everything can be worked out by hand.
TEST(ReferenceExecutor, ComputesLossGradientAndStepOfAnExampleByHand) {
  NetworkBuilder net("by_hand", {1});
  net.linear("fc", 0, 2, false);
  const Network network = net.finish();
  TrainingState state = initial_state(network, Mask(network, true), 1);
  state.values.weights[0] = {0.0F, 0.0F};
  const auto executor = make_reference_executor(network);
  executor->write(state);
  const std::vector<float> images{1.0F, -3.0F};
  const std::vector<std::int32_t> labels{0, 1};
  const BatchSums sums = executor->forward_backward({images, labels});
  EXPECT_DOUBLE_EQ(sums.loss, 2 * std::log(2.0));
  EXPECT_EQ(sums.correct, 1);  // equal logits: the first class
  EXPECT_EQ(sums.samples, 2);
  // Logit gradients (-1/4, 1/4) and (1/4, -1/4), times 1 and -3.
  EXPECT_EQ(executor->gradients().weights[0], (std::vector<float>{-1.0F, 1.0F}));
  executor->step(sgd_step(0.5, 0.5, true, 0.0));
  EXPECT_EQ(executor->read().slots.at(0).values.weights[0], (std::vector<float>{-1.0F, 1.0F}));
  EXPECT_EQ(executor->read().values.weights[0], (std::vector<float>{0.75F, -0.75F}));
}

class ReferenceConformance : public ::testing::TestWithParam<ConformanceCase> {};

TEST_P(ReferenceConformance, Holds) {
  GetParam().check(make_reference_executor, all_small_networks());
}

INSTANTIATE_TEST_SUITE_P(Executor, ReferenceConformance,
                         ::testing::ValuesIn(conformance_cases().begin(),
                                             conformance_cases().end()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace gcg
