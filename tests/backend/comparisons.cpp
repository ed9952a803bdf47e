#include "backend/comparisons.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace gcg {

void expect_near(std::span<const float> found, std::span<const float> expected, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double largest = 0;
  for (const float value : expected) {
    largest = std::max(largest, std::abs(static_cast<double>(value)));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], tolerance * (largest + 0.01)) << what << ", element " << i;
  }
}

void expect_near(const Network& network, const Parameters& found, const Parameters& expected,
                 double tolerance) {
  ASSERT_EQ(found.weights.size(), expected.weights.size());
  ASSERT_EQ(found.norms.size(), expected.norms.size());
  for (std::size_t l = 0; l < expected.weights.size(); ++l) {
    expect_near(found.weights[l], expected.weights[l], tolerance,
                network.layers[l].name + " weight");
    expect_near(found.biases[l], expected.biases[l], tolerance, network.layers[l].name + " bias");
  }
  for (std::size_t k = 0; k < expected.norms.size(); ++k) {
    const std::string name = fmt::format("normalisation {} ", k);
    expect_near(found.norms[k].scale, expected.norms[k].scale, tolerance, name + "scale");
    expect_near(found.norms[k].shift, expected.norms[k].shift, tolerance, name + "shift");
    expect_near(found.norms[k].mean, expected.norms[k].mean, tolerance, name + "mean");
    expect_near(found.norms[k].variance, expected.norms[k].variance, tolerance, name + "variance");
  }
  expect_near(found.tokens.class_token, expected.tokens.class_token, tolerance, "class token");
  expect_near(found.tokens.positions, expected.tokens.positions, tolerance, "position table");
}

void expect_near(const BatchSums& found, const BatchSums& expected) {
  EXPECT_NEAR(found.loss, expected.loss, 1e-5 * (1 + expected.loss));
  EXPECT_EQ(found.correct, expected.correct);
  EXPECT_EQ(found.samples, expected.samples);
}

bool same(const BatchSums& a, const BatchSums& b) {
  return a.loss == b.loss && a.correct == b.correct && a.samples == b.samples;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

bool same_bits(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  return std::ranges::equal(
      a, b, [](const auto& left, const auto& right) { return same_bits(left, right); });
}

bool same_bits(const Parameters& a, const Parameters& b) {
  return same_bits(a.weights, b.weights) && same_bits(a.biases, b.biases) &&
         std::ranges::equal(a.norms, b.norms,
                            [](const NormParameters& left, const NormParameters& right) {
                              return same_bits(left.scale, right.scale) &&
                                     same_bits(left.shift, right.shift) &&
                                     same_bits(left.mean, right.mean) &&
                                     same_bits(left.variance, right.variance);
                            }) &&
         same_bits(a.tokens.class_token, b.tokens.class_token) &&
         same_bits(a.tokens.positions, b.tokens.positions);
}

bool same_bits(const std::vector<Slot>& a, const std::vector<Slot>& b) {
  return std::ranges::equal(a, b, [](const Slot& left, const Slot& right) {
    return left.name == right.name && same_bits(left.values, right.values);
  });
}

bool same_bits(const TrainingState& a, const TrainingState& b) {
  return same_bits(a.values, b.values) && same_bits(a.slots, b.slots) && a.mask == b.mask &&
         a.updates == b.updates;
}

void expect_mask_invariant(const Executor& executor) {
  TrainingState state = executor.read();
  EXPECT_NO_THROW(check_mask_invariant(executor.network(), state));
  state.values.weights = executor.gradients().weights;
  EXPECT_NO_THROW(check_mask_invariant(executor.network(), state)) << "these are gradients";
}

}  // namespace gcg
