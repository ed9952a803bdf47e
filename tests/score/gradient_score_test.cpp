#include "score/gradient_score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "base/throws.h"
#include "graph/networks.h"
#include "score/score_table.h"

namespace gcg {

/// For the names of tests.
void PrintTo(const ScoreRule& rule, std::ostream* out);
void PrintTo(const ScoreRule& rule, std::ostream* out) { *out << rule.name; }

namespace {

using ::testing::HasSubstr;

/// A loss with a known Hessian: w' A w / 2 + b' w with A = diag(a) + c c' over all connections.
struct Quadratic {
  Network network = build_network("mlp", {{5, 1, 1}, 3, 6});
  TrainingState state = initial_state(network, Mask(network, true), 1);

  struct Terms {
    double a, b, c;
  };
  template <typename F>
  static void for_each(const ConnectionValues& shape, std::uint64_t batch, F f) {
    RandomStream stream(3, "terms", batch);
    for (std::size_t l = 0; l < shape.size(); ++l) {
      for (std::size_t i = 0; i < shape[l].size(); ++i) {
        f(l, i, Terms{stream.normal(), stream.normal(), stream.normal()});
      }
    }
  }
  /// A v + b.
  static ConnectionValues product(const ConnectionValues& v, std::uint64_t batch, bool with_b) {
    double dot = 0;
    for_each(v, batch, [&](std::size_t l, std::size_t i, const Terms& t) { dot += t.c * v[l][i]; });
    ConnectionValues result = v;
    for_each(v, batch, [&](std::size_t l, std::size_t i, const Terms& t) {
      result[l][i] = static_cast<float>(t.a * v[l][i] + t.c * dot + (with_b ? t.b : 0));
    });
    return result;
  }
  GradientSource source = [](const TrainingState& at, std::uint64_t batch) {
    return product(at.values.weights, batch, true);
  };
  CurvatureSource curvature = [](const TrainingState&, const ConnectionValues& direction,
                                 std::uint64_t batch) { return product(direction, batch, false); };
};

TEST(MeanGradients, AveragesBatchesByNumber) {
  const Quadratic loss;
  const ConnectionValues one = mean_gradients(loss.source, loss.state, 4, 1);
  const ConnectionValues two = mean_gradients(loss.source, loss.state, 5, 1);
  const ConnectionValues mean = mean_gradients(loss.source, loss.state, 4, 2);
  EXPECT_EQ(mean[0][3], static_cast<float>((double{one[0][3]} + double{two[0][3]}) / 2));
  GCG_EXPECT_ERROR(mean_gradients({}, loss.state, 0, 1), HasSubstr("needs training images"));
  GCG_EXPECT_ERROR(mean_gradients(loss.source, loss.state, 0, 0), HasSubstr("0 batches"));
}

TEST(HessianGradientProduct, TakesBothFromTheSameBatches) {
  const Quadratic loss;
  const ConnectionValues gradient = mean_gradients(loss.source, loss.state, 2, 2);
  const ConnectionValues one = Quadratic::product(gradient, 2, false);
  const ConnectionValues two = Quadratic::product(gradient, 3, false);
  const ConnectionValues found =
      hessian_gradient_product(loss.network, loss.source, loss.curvature, loss.state, 2, 2);
  for (std::size_t l = 0; l < found.size(); ++l) {
    for (std::size_t i = 0; i < found[l].size(); ++i) {
      EXPECT_EQ(found[l][i], static_cast<float>((double{one[l][i]} + double{two[l][i]}) / 2));
    }
  }
  GCG_EXPECT_ERROR(hessian_gradient_product(loss.network, loss.source, {}, loss.state, 0, 1),
                   HasSubstr("second derivatives"));
}

TEST(HessianGradientProduct, GoesAlongPresentConnectionsOnlyAndLeavesTheStateAlone) {
  Quadratic loss;
  loss.state.mask.layers[0].reset(2);
  clear_absent(loss.state);
  const TrainingState before = loss.state;
  const CurvatureSource checked = [&](const TrainingState& at, const ConnectionValues& direction,
                                      std::uint64_t batch) {
    EXPECT_EQ(direction[0][2], 0.0F);
    EXPECT_NE(direction[0][3], 0.0F);
    return loss.curvature(at, direction, batch);
  };
  (void)hessian_gradient_product(loss.network, loss.source, checked, loss.state, 0, 1);
  EXPECT_EQ(loss.state, before);
}

TEST(GradientScores, FollowTheirFormulas) {
  const Quadratic loss;
  const ConnectionValues gradient = loss.source(loss.state, 0);
  const Scores snip = snip_scores(loss.network, loss.state, gradient);
  const Scores grasp = grasp_scores(loss.network, loss.state, gradient);
  double smallest = std::numeric_limits<double>::infinity();
  for (std::size_t l = 0; l < gradient.size(); ++l) {
    for (std::size_t i = 0; i < gradient[l].size(); ++i) {
      const double product = double{loss.state.values.weights[l][i]} * double{gradient[l][i]};
      EXPECT_NEAR(std::exp(snip.log_values[l][i]), std::abs(product), 1e-12);
      smallest = std::min(smallest, product);
    }
  }
  for (std::size_t l = 0; l < gradient.size(); ++l) {
    for (std::size_t i = 0; i < gradient[l].size(); ++i) {
      const double product = double{loss.state.values.weights[l][i]} * double{gradient[l][i]};
      EXPECT_NEAR(std::exp(grasp.log_values[l][i]), product - smallest, 1e-12);
    }
  }
}

TEST(GradientScores, WhatIsNotFiniteOrDoesNotFitIsAnErrorThatNamesTheLayer) {
  const Quadratic loss;
  ConnectionValues gradient = loss.source(loss.state, 0);
  gradient[1][4] = std::numeric_limits<float>::quiet_NaN();
  GCG_EXPECT_ERROR(snip_scores(loss.network, loss.state, gradient),
                   HasSubstr("mlp: fc2: the gradient of connection 4 is nan"));
  gradient[1].pop_back();
  GCG_EXPECT_ERROR(grasp_scores(loss.network, loss.state, gradient), HasSubstr("mlp: fc2: 11"));
  gradient.pop_back();
  GCG_EXPECT_ERROR(snip_scores(loss.network, loss.state, gradient), HasSubstr("of 2 layers"));
}

/// Every row of the table on a sparse state.
struct EveryScore : ::testing::TestWithParam<ScoreRule> {
  Network network = build_network("resnet8", {{3, 8, 8}, 10, 4});
  TrainingState state = [this] {
    Mask mask(network, false);
    RandomStream stream(2, "mask");
    for (LayerMask& layer : mask.layers) {
      for (std::int64_t i = 0; i < layer.size(); ++i) {
        if (stream.uniform() < 0.4) {
          layer.set(i);
        }
      }
    }
    return initial_state(network, mask, 1);
  }();
  ConnectionValues average = initial_parameters(network, 5).weights;
  ScoreRequest request{.network = network,
                       .state = state,
                       .gradients =
                           [](const TrainingState& at, std::uint64_t batch) {
                             ConnectionValues values = at.values.weights;
                             RandomStream stream(1, "gradient", batch);
                             for (auto& layer : values) {
                               for (float& value : layer) {
                                 value += static_cast<float>(stream.normal());
                               }
                             }
                             return values;
                           },
                       .curvature = [](const TrainingState&, const ConnectionValues& direction,
                                       std::uint64_t) { return direction; },
                       .gradient_average = &average};
};

TEST_P(EveryScore, IsPureAndRepeatable) {
  const TrainingState before = state;
  const Scored first = score(GetParam().name, request);
  EXPECT_EQ(state, before);
  const Scored second = score(GetParam().name, request);
  EXPECT_EQ(first.scores.log_values, second.scores.log_values);
  EXPECT_EQ(first.context, second.context);
}

TEST_P(EveryScore, HasAPlaceForEveryConnectionAndSaysHowItCameAbout) {
  const Scored scored = score(GetParam().name, request);
  ASSERT_EQ(scored.scores.log_values.size(), network.layers.size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    EXPECT_EQ(std::ssize(scored.scores.log_values[l]), network.layers[l].connections());
  }
  EXPECT_FALSE(scored.context.empty());
  EXPECT_TRUE(GetParam().grows || GetParam().prunes);
  const bool without_images = scored.context.starts_with("no images");
  EXPECT_EQ(GetParam().images, !without_images);
}

TEST_P(EveryScore, ThatIsZeroEverywhereIsAnError) {
  if (GetParam().name == "random") {
    GTEST_SKIP() << "is never zero";
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    std::fill(state.values.weights[l].begin(), state.values.weights[l].end(), 0.0F);
    std::fill(average[l].begin(), average[l].end(), 0.0F);
  }
  request.gradients = [&](const TrainingState& at, std::uint64_t) { return at.values.weights; };
  GCG_EXPECT_ERROR(score(GetParam().name, request), HasSubstr("resnet8"));
}

INSTANTIATE_TEST_SUITE_P(Table, EveryScore, ::testing::ValuesIn(score_table()),
                         [](const auto& rule) { return std::string(rule.param.name); });

TEST(ScoreTable, UnknownNamesAreErrors) {
  const Quadratic loss;
  EXPECT_THROW((void)score("none", {.network = loss.network, .state = loss.state}), UsageError);
  GCG_EXPECT_ERROR(score("momentum", {.network = loss.network, .state = loss.state}),
                   HasSubstr("no gradients were averaged"));
}

// Every path passes one connection of each layer of a chain, so a layer's scores sum to the same.
TEST(SynFlow, IsConservedFromLayerToLayer) {
  const Quadratic loss;
  const Scores scores =
      synflow_scores(loss.network, loss.state.values, loss.state.mask, {PathNorm::identity, 1});
  std::vector<double> sums;
  for (const std::vector<double>& layer : scores.log_values) {
    double sum = 0;
    for (const double value : layer) {
      sum += std::exp(value);
    }
    sums.push_back(sum);
  }
  EXPECT_NEAR(sums[1] / sums[0], 1, 1e-12);
  EXPECT_NEAR(sums[2] / sums[0], 1, 1e-12);
}

TEST(Inverted, TurnsTheOrderRoundAndPutsZerosFirst) {
  const double none = -std::numeric_limits<double>::infinity();
  const Scores scores = inverted({{{1, none, -3}, {2}}});
  EXPECT_GT(scores.log_values[0][1], scores.log_values[0][2]);
  EXPECT_GT(scores.log_values[0][2], scores.log_values[0][0]);
  EXPECT_GT(scores.log_values[0][0], scores.log_values[1][0]);
}

}  // namespace
}  // namespace gcg
