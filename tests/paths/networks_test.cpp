#include "graph/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/random.h"
#include "paths/statistics.h"
#include "paths/sums.h"
#include "topology/allocation.h"

namespace gcg {
namespace {

/// Every network of the table, narrow, on images just large enough for the ImageNet form: no
/// convolution works on a single position.
struct EveryNetworkMeasured : ::testing::TestWithParam<NetworkEntry> {
  Network network = build_network(
      GetParam().name, {{3, 64, 64}, 10, std::max<std::int64_t>(6, GetParam().default_width / 16)});
  Parameters parameters = initial_parameters(network, 5);

  /// A tenth of every layer, at random.
  [[nodiscard]] Mask sparse_mask() const {
    Mask mask(network, false);
    for (std::size_t l = 0; l < mask.layers.size(); ++l) {
      RandomStream stream(5, "mask", l);
      for (std::int64_t i = 0; i < mask.layers[l].size(); ++i) {
        if (stream.uniform() < 0.1) {
          mask.layers[l].set(i);
        }
      }
    }
    return mask;
  }

  /// log of the path weight that passes a layer's present connections.
  [[nodiscard]] double log_weight_through(std::size_t layer, const Mask& mask) const {
    const ScaledArray scores = connection_path_sums(network, parameters, mask)[layer];
    double sum = 0;
    mask.layers[layer].for_each_present([&](std::int64_t i) {
      const auto c = static_cast<std::size_t>(i);
      sum += scores.values[c] * std::abs(static_cast<double>(parameters.weights[layer][c]));
    });
    return std::log(sum) + scores.log_scale;
  }
};

TEST_P(EveryNetworkMeasured, HasNoDeadPartWhenDense) {
  const Mask mask(network, true);
  const MaskStatistics measured = mask_statistics(network, parameters, mask, nullptr, mask, {});
  EXPECT_EQ(measured.effective_density, 1);
  EXPECT_EQ(measured.disconnected_units, 0);
  EXPECT_GT(measured.tau_core_units, 0);
  EXPECT_LE(measured.tau_core_units, 3 * measured.narrowest_layer * std::ssize(network.layers));
  EXPECT_TRUE(std::isfinite(measured.log_path_kernel_trace));
  EXPECT_GE(measured.log_path_kernel_trace, 0);
}

// Every path passes one connection of the first layer and one of the last.
TEST_P(EveryNetworkMeasured, CarriesAllPathsThroughItsFirstAndItsLastLayer) {
  for (const Mask& mask : {Mask(network, true), sparse_mask()}) {
    const double norm = path_sums(network, parameters, mask).log_path_norm;
    ASSERT_TRUE(std::isfinite(norm));
    EXPECT_EQ(log_path_norm(network, parameters, mask), norm);
    EXPECT_NEAR(log_weight_through(0, mask), norm, 1e-9);
    EXPECT_NEAR(log_weight_through(network.layers.size() - 1, mask), norm, 1e-9);
  }
}

TEST_P(EveryNetworkMeasured, MeasuresASparseMask) {
  const Mask mask = sparse_mask();
  const MaskStatistics measured = mask_statistics(network, parameters, mask, nullptr, mask, {});
  EXPECT_EQ(measured.present, mask.present());
  EXPECT_GT(measured.effective_density, 0);
  EXPECT_LE(measured.effective_density, measured.density);
  EXPECT_GT(measured.fewest_live_channels, 0);
}

INSTANTIATE_TEST_SUITE_P(Table, EveryNetworkMeasured, ::testing::ValuesIn(network_table()),
                         [](const auto& entry) { return std::string(entry.param.name); });

}  // namespace
}  // namespace gcg
