// A transformer against golden values of PyTorch's modules (golden/make_vit.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "backend/state.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

/// The network of the script: images of 10 pixels, patches of 2, two blocks of two heads.
Network golden_network() {
  NetworkBuilder net("golden", {3, 10, 10});
  std::int32_t x = net.tokens("tokens", net.convolution("patches", 0, 8, {2, 2, 2, 0}, true));
  for (const std::string block : {"block1.", "block2."}) {
    std::int32_t y = net.layer_norm(block + "norm1", x);
    const std::int32_t query = net.token_linear(block + "query", y, 8);
    const std::int32_t key = net.token_linear(block + "key", y, 8);
    const std::int32_t value = net.token_linear(block + "value", y, 8);
    y = net.attention(block + "attention", query, key, value, 2);
    x = net.add(block + "add1", net.token_linear(block + "projection", y, 8), x);
    y = net.token_linear(block + "mlp1", net.layer_norm(block + "norm2", x), 12);
    y = net.token_linear(block + "mlp2", net.gelu(block + "gelu", y), 8);
    x = net.add(block + "add2", y, x);
  }
  x = net.layer_norm("norm", net.first_token("class_token", x));
  net.linear("classifier", x, 5);
  return net.finish();
}

/// The arrays of the file, by line.
std::vector<std::pair<std::string, std::vector<double>>> golden_arrays() {
  std::ifstream file(GCG_GOLDEN_VIT);
  std::vector<std::pair<std::string, std::vector<double>>> arrays;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    auto& [name, values] = arrays.emplace_back(line.substr(0, colon), std::vector<double>());
    std::istringstream rest(line.substr(colon + 1));
    for (double value = 0; rest >> value;) {
      values.push_back(value);
    }
  }
  return arrays;
}

TEST(Golden, ATransformerHasTheLossesAndGradientsThatTorchFinds) {
  const Network network = golden_network();
  const auto arrays = golden_arrays();
  ASSERT_EQ(arrays.size(), 2U + 2U * 40U);
  ASSERT_EQ(arrays[0].first, "images");
  ASSERT_EQ(arrays[1].first, "losses");
  const std::vector<float> images(arrays[0].second.begin(), arrays[0].second.end());
  const std::vector<std::int32_t> labels{0, 1, 2};
  TrainingState state = initial_state(network, Mask(network, true), 1);
  std::size_t next = 2;
  for_each_array(state.values, [&](ParameterKind, std::vector<float>& values) {
    const auto& [name, golden] = arrays[next++];
    ASSERT_EQ(values.size(), golden.size()) << name;
    std::ranges::copy(golden, values.begin());
  });
  const auto executor = make_sparse_executor(network, 2);
  executor->write(state);
  std::vector<float> losses(3);
  executor->evaluate({images, labels}, {.losses = losses});
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(losses[i], arrays[1].second[i], 2e-6 * (1 + arrays[1].second[i]));
  }
  executor->forward_backward({images, labels});
  const Parameters gradients = executor->gradients();
  for_each_array(gradients, [&](ParameterKind, const std::vector<float>& values) {
    const auto& [name, golden] = arrays[next++];
    ASSERT_EQ(values.size(), golden.size()) << name;
    double largest = 0;
    for (const double value : golden) {
      largest = std::max(largest, std::abs(value));
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], golden[i], 1e-5 * (largest + 0.01)) << name << ", element " << i;
    }
  });
  EXPECT_EQ(next, arrays.size());
}

}  // namespace
}  // namespace gcg
