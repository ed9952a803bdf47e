// Every named random stream, pinned: a change of a name, an index or an order of draws shows here.
// A deliberate change raises results_version of the backend, for it makes other runs of the same
// options.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/hash.h"
#include "data/batches.h"
#include "data/split.h"
#include "extrapolate/curve.h"
#include "growth/grow.h"
#include "method/play.h"
#include "paths/statistics.h"

namespace gcg {
namespace {

using testing::play;
using testing::Play;

/// The first 12 digits of the SHA-256 of the values' bytes.
template <typename T>
std::string short_hash(const std::vector<T>& values) {
  return hex(sha256(std::as_bytes(std::span(values)))).substr(0, 12);
}

std::string short_hash(const Mask& mask) {
  Sha256 sum;
  for (const LayerMask& layer : mask.layers) {
    sum.update(std::as_bytes(layer.words()));
  }
  return hex(sum.finish()).substr(0, 12);
}

double flat(double /*density*/) { return 0.5; }

TEST(Golden, InitialWeights) {
  const Parameters parameters = initial_parameters(testing::small_network(), 1);
  EXPECT_EQ(short_hash(parameters.weights.front()), "5cd7021194ee");
  EXPECT_EQ(short_hash(parameters.weights.back()), "59e79bb42cff");
}

TEST(Golden, OrderSplitAndAugmentation) {
  EXPECT_EQ(short_hash(epoch_order(100, 1, 3)), "80443343e825");
  std::vector<std::int32_t> labels(200);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::int32_t>(i % 10);
  }
  EXPECT_EQ(short_hash(stratified_split(labels, 10, 0.2, 1).validation), "fe5822e36398");
  ImageSet images;
  images.shape = {1, 8, 8};
  images.labels.assign(4, 0);
  for (int i = 0; i < 4 * 64; ++i) {
    images.pixels.push_back(static_cast<std::uint8_t>(i));
  }
  BatchMaker batches(images, {{0.0F}, {1.0F}}, 1);
  const std::vector<std::int64_t> positions{3, 1};
  const Batch batch = batches.augmented(positions, {2, true}, 5);
  EXPECT_EQ(short_hash(std::vector<float>(batch.images.begin(), batch.images.end())),
            "cc460e588b8c");
}

TEST(Golden, SeedMasks) {
  const Network network = testing::small_network();
  const Parameters initial = initial_parameters(network, 1);
  const auto mask = [&](const char* rule) {
    return short_hash(make_seed(network, initial, rule, 0.2, DisconnectedPolicy::warn, 1).mask);
  };
  EXPECT_EQ(mask("phew"), "eb38d664fe49");
  EXPECT_EQ(mask("random"), "1dd80de98ea5");
  EXPECT_EQ(mask("erk"), "fafa541af53b");
  EXPECT_EQ(
      short_hash(make_seed(network, initial, "phew", 0.05, DisconnectedPolicy::repair, 1).mask),
      "6233acffc9f7");
}

TEST(Golden, GrowthByEveryRule) {
  const auto mask = [&](std::map<std::string, std::string> options) {
    options.insert({{"stop", "never"}, {"max-stages", "3"}, {"final", "none"}});
    return short_hash(play("gcg", options, flat).state.mask);
  };
  EXPECT_EQ(mask({}), "f395323e32c9");
  EXPECT_EQ(mask({{"growth-rule", "path_l2"}}), "69db7f22de64");
  EXPECT_EQ(mask({{"growth-rule", "random"}}), "23727825267c");
  EXPECT_EQ(mask({{"growth-rule", "gradient"}, {"selection", "greedy"}}), "15ded1316b25");
  EXPECT_EQ(mask({{"growth-rule", "random"}, {"quotas", "path"}}), "509d090437c5");
  EXPECT_EQ(mask({{"growth-rule", "random"}, {"quotas", "erk"}}), "c95f7139a504");
}

TEST(Golden, NewWeightsRepairAndSecondDraw) {
  const Play random = play(
      "gcg",
      {{"stop", "never"}, {"max-stages", "2"}, {"final", "none"}, {"new-weights", "small_random"}},
      flat);
  EXPECT_EQ(short_hash(random.begun[1].values.weights[3]), "0d4de45aa0a5");
  EXPECT_EQ(number_text(random.stages[1].mask.growth_overlap), "0.024390243902439025");
  const Network network = testing::small_network();
  const Repair repair =
      repair_dead_units(network, Mask(network, false), RandomStream(1, "growth-repair", 2), 20);
  EXPECT_EQ(short_hash(repair.incoming), "00ea5f7b4afe");
}

TEST(Golden, StatisticsAndBootstrap) {
  const Network network = testing::small_network();
  const Parameters initial = initial_parameters(network, 1);
  const Mask mask = make_seed(network, initial, "erk", 0.2, DisconnectedPolicy::warn, 1).mask;
  const MaskStatistics statistics =
      mask_statistics(network, initial, mask, nullptr, mask, {0.9, 1, 4});
  EXPECT_EQ(statistics.tau_core_units_random, 4);
  std::vector<CurvePoint> points;
  for (const double density : {0.05, 0.1, 0.2, 0.4, 0.6, 0.8}) {
    points.push_back({density, 0.1 + 0.8 / (1 + std::pow(density / 0.1, -3)), 20000});
  }
  ExtrapolationOptions options;
  options.epsilon = 0.02;
  options.seed = 1;
  const Extrapolation fit = extrapolate(points, options);
  EXPECT_NEAR(fit.d_low, 0.323140402, 1e-6);
  EXPECT_NEAR(fit.d_high, 0.344629664, 1e-6);
}

}  // namespace
}  // namespace gcg
