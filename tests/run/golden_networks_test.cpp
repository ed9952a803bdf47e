// A network of every family against golden values of PyTorch (golden/make_networks.py): losses,
// running statistics, gradients, scores and one step of every optimiser, by both executors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "backend/state.h"
#include "dense/curvature.h"
#include "dense/torch_executor.h"
#include "graph/networks.h"
#include "score/gradient_score.h"
#include "score/score_table.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

constexpr std::uint64_t kStatistics = 10000;
constexpr std::uint64_t kMask = 20000;
constexpr std::uint64_t kImages = 30000;
constexpr std::uint64_t kProjection = 40000;

/// The number in [-1, 1) of the script's formula.
double number(std::uint64_t salt, std::uint64_t stream, std::size_t place) {
  std::uint64_t z = (salt << 48) + (stream << 32) + place + 1;
  z *= 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) / (1 << 23) - 1;
}

/// The lines of a file, by name in their order; taken one after the other.
class Golden {
 public:
  explicit Golden(const std::filesystem::path& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const std::size_t colon = line.find(": ");
      std::vector<double>& values = lines_[line.substr(0, colon)].emplace_back();
      std::istringstream rest(line.substr(colon + 1));
      for (double value = 0; rest >> value;) {
        values.push_back(value);
      }
    }
  }
  std::vector<double> take(const std::string& name) {
    std::deque<std::vector<double>>& left = lines_[name];
    if (left.empty()) {
      ADD_FAILURE() << "no more lines " << name;
      return {0, 0};
    }
    std::vector<double> values = left.front();
    left.pop_front();
    return values;
  }

 private:
  std::map<std::string, std::deque<std::vector<double>>> lines_;
};

double largest(const Parameters& gradients) {
  double result = 0;
  for_each_array(gradients, [&](ParameterKind, const std::vector<float>& array) {
    for (const float value : array) {
      result = std::max(result, std::abs(static_cast<double>(value)));
    }
  });
  return result;
}

struct GoldenCase {
  std::string network;
  bool sparse = false;
};

std::vector<GoldenCase> golden_cases() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(GCG_GOLDEN_NETWORKS)) {
    if (entry.path().extension() == ".txt") {
      names.insert(entry.path().stem());
    }
  }
  std::vector<GoldenCase> cases;
  for (const std::string& name : names) {
    cases.push_back({name, true});
    cases.push_back({name, false});
  }
  return cases;
}

class GoldenNetworks : public ::testing::TestWithParam<GoldenCase> {
 protected:
  Golden golden_{std::filesystem::path(GCG_GOLDEN_NETWORKS) / (GetParam().network + ".txt")};
  std::vector<double> request_ = golden_.take("request");
  std::uint64_t salt_ = static_cast<std::uint64_t>(request_[0]);
  Network network_ =
      build_network(GetParam().network, {{3, whole(1), whole(1)}, whole(3), whole(2)});
  TrainingState state_ = initial_state(network_, Mask(network_, false), 1);
  std::vector<float> images_;
  std::vector<std::int32_t> labels_;
  std::unique_ptr<Executor> executor_ =
      GetParam().sparse ? make_sparse_executor(network_, 2) : make_torch_executor(network_, 2);
  std::vector<std::uint64_t> weight_numbers_;  ///< number of the array of every layer's weight

  void SetUp() override {
    fill_parameters();
    for (std::size_t n = 0; n < state_.values.norms.size(); ++n) {
      NormParameters& norm = state_.values.norms[n];
      fill(norm.mean, kStatistics + 2 * n, 0.1, 0);
      fill(norm.variance, kStatistics + 2 * n + 1, 0.5, 1);
    }
    const Shape& input = network_.input_shape();
    for (std::int64_t i = 0; i < whole(4); ++i) {
      labels_.push_back(static_cast<std::int32_t>(i % whole(3)));
    }
    images_.resize(static_cast<std::size_t>(whole(4) * input.elements()));
    fill(images_, kImages, 2, 0);
    executor_->write(state_);
  }

  [[nodiscard]] std::int64_t whole(std::size_t i) const {
    return static_cast<std::int64_t>(request_.at(i));
  }
  [[nodiscard]] Batch batch() const { return {images_, labels_}; }

  void fill(std::vector<float>& values, std::uint64_t stream, double factor, double offset) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(offset + factor * number(salt_, stream, i));
    }
  }

  /// Values of every trained array and the masks of the layers.
  void fill_parameters() {
    std::uint64_t k = 0;
    std::size_t norms = 0;
    for_each_array(state_.values, [&](ParameterKind kind, std::vector<float>& values) {
      switch (kind) {
        case ParameterKind::weight: {
          const std::size_t l = weight_numbers_.size();
          const Layer& layer = network_.layers[l];
          fill(values, k, std::sqrt(6 / static_cast<double>(layer.fan_in())), 0);
          for (std::int64_t c = 0; c < layer.connections(); ++c) {
            if (number(salt_, kMask + l, static_cast<std::size_t>(c)) >= -0.5) {
              state_.mask.layers[l].set(c);
            }
          }
          weight_numbers_.push_back(k);
          break;
        }
        case ParameterKind::bias:
          fill(values, k, 0.1, 0);
          break;
        case ParameterKind::norm:
          norms++ % 2 == 0 ? fill(values, k, 0.3, 1) : fill(values, k, 0.2, 0);
          break;
        case ParameterKind::token:
          fill(values, k, 0.5, 0);
          break;
      }
      ++k;
    });
    clear_absent(state_);
  }

  /// The array of number k has the norm and the projection of the next line of that name, up to
  /// `tolerance` of the norm and `rounding`.
  void expect(const std::string& name, std::uint64_t k, const std::vector<double>& values,
              double tolerance, double rounding = 0) {
    const std::vector<double> expected = golden_.take(name);
    double norm = 0;
    double projection = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      norm += values[i] * values[i];
      projection += values[i] * number(salt_, kProjection + k, i);
    }
    const double allowed = tolerance * expected[0] + rounding;
    EXPECT_NEAR(std::sqrt(norm), expected[0], allowed) << name << " of array " << k;
    EXPECT_NEAR(projection, expected[1], allowed) << name << " of array " << k;
  }

  const GradientSource gradients_ = [this](const TrainingState& state, std::uint64_t) {
    executor_->write(state);
    return executor_->dense_gradients(batch());
  };
  const CurvatureSource curvature_ = [this](const TrainingState& state,
                                            const ConnectionValues& direction, std::uint64_t) {
    return hessian_product(network_, state, direction, batch(), 2);
  };

  void expect_scores(const std::string& rule, double tolerance) {
    const Scored scored = score(
        rule,
        {.network = network_, .state = state_, .gradients = gradients_, .curvature = curvature_});
    for (std::size_t l = 0; l < network_.layers.size(); ++l) {
      std::vector<double> values = scored.scores.log_values[l];
      for (double& value : values) {
        value = std::exp(value);
      }
      expect(rule, weight_numbers_[l], values, tolerance);
    }
  }
};

/// Of the norm of an array: what single precision leaves of it behind up to 53 layers.
constexpr double kTolerance = 3e-4;

TEST_P(GoldenNetworks, HaveTheLossesStatisticsAndGradientsOfTorch) {
  std::vector<float> losses(labels_.size());
  executor_->evaluate(batch(), {.losses = losses});
  const std::vector<double> expected = golden_.take("losses");
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i], expected[i], 1e-5 * (1 + expected[i])) << "sample " << i;
  }
  const BatchSums sums = executor_->forward_backward(batch());
  EXPECT_NEAR(sums.loss / static_cast<double>(sums.samples), golden_.take("loss")[0], 1e-4);
  const std::vector<std::vector<float>> everywhere = executor_->dense_gradients(batch());
  const Parameters gradients = executor_->gradients();
  std::uint64_t k = 0;
  std::size_t l = 0;
  for_each_array(gradients, [&](ParameterKind kind, const std::vector<float>& array) {
    std::vector<double> values(array.begin(), array.end());
    if (kind == ParameterKind::weight) {
      for (std::size_t c = 0; c < array.size(); ++c) {
        const bool present = state_.mask.layers[l].test(static_cast<std::int64_t>(c));
        ASSERT_EQ(array[c], present ? everywhere[l][c] : 0) << network_.layers[l].name;
      }
      values.assign(everywhere[l].begin(), everywhere[l].end());
      ++l;
    }
    if (!array.empty()) {
      expect("gradient", k, values, kTolerance, 5e-7 * largest(gradients));
    }
    ++k;
  });
  const TrainingState after = executor_->read();
  for (std::size_t n = 0; n < after.values.norms.size(); ++n) {
    const NormParameters& norm = after.values.norms[n];
    if (!norm.mean.empty()) {
      expect("running mean", kStatistics + 2 * n, {norm.mean.begin(), norm.mean.end()}, 1e-5);
      expect("running variance", kStatistics + 2 * n + 1,
             {norm.variance.begin(), norm.variance.end()}, 1e-5);
    }
  }
}

TEST_P(GoldenNetworks, HaveTheScoresOfTorch) {
  for (const char* rule : {"path", "path_l2", "synflow"}) {
    expect_scores(rule, 1e-6);
  }
  for (const char* rule : {"snip", "grasp"}) {
    expect_scores(rule, kTolerance);
  }
  const ConnectionValues product =
      hessian_gradient_product(network_, gradients_, curvature_, state_, 0, 1);
  for (std::size_t l = 0; l < product.size(); ++l) {
    expect("hessian", weight_numbers_[l], {product[l].begin(), product[l].end()}, kTolerance);
  }
}

TEST_P(GoldenNetworks, StepAsTorchDoesByEveryOptimiser) {
  const std::map<std::string, double, std::less<>> rates{
      {"sgd", 0.1}, {"adamw", 0.01}, {"lars", 1.0}};
  OptimiserSettings settings;
  settings.numbers["weight-decay"] = 0.1;
  settings.numbers["trust"] = 0.01;
  for (const Optimiser& optimiser : optimiser_table()) {
    const auto rate = rates.find(optimiser.name);
    ASSERT_NE(rate, rates.end()) << "golden/make_networks.py does not know " << optimiser.name;
    executor_->write(state_);
    executor_->forward_backward(batch());
    const double rounded = 2e-7 * largest(executor_->gradients()) * rate->second;
    executor_->step(make_step(optimiser.name, rate->second, settings));
    const TrainingState after = executor_->read();
    std::vector<std::vector<double>> before;
    for_each_array(state_.values, [&](ParameterKind, const std::vector<float>& values) {
      before.emplace_back(values.begin(), values.end());
    });
    std::uint64_t k = 0;
    for_each_array(after.values, [&](ParameterKind, const std::vector<float>& values) {
      std::vector<double> change(values.begin(), values.end());
      double norm = 0;
      for (std::size_t i = 0; i < change.size(); ++i) {
        norm += change[i] * change[i];
        change[i] -= before[k][i];
      }
      if (!values.empty()) {
        // Where the sign of a gradient is rounding, AdamW's step is.
        const std::vector<double> uncertain =
            optimiser.name == "adamw" ? golden_.take("uncertain") : std::vector<double>();
        for (const double place : uncertain) {
          if (place >= 0) {
            change[static_cast<std::size_t>(place)] = 0;
          }
        }
        if (uncertain != std::vector<double>{-1}) {
          // Gradient and new value are rounded to single precision.
          expect(std::string(optimiser.name), k, change, kTolerance,
                 6e-8 * std::sqrt(norm) + rounded);
        }
      }
      ++k;
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenNetworks, ::testing::ValuesIn(golden_cases()),
                         [](const auto& golden) {
                           return golden.param.network +
                                  (golden.param.sparse ? "_sparse" : "_dense");
                         });

}  // namespace
}  // namespace gcg
