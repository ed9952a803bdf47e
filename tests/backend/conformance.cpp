#include "backend/conformance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "backend/random_cases.h"
#include "backend/reference_executor.h"
#include "backend/slots.h"
#include "backend/thread_ranks.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {

namespace {

using ::testing::HasSubstr;
using Networks = std::vector<Network>;

/// Tolerances relative to the largest value of an array. Gradients through a normalisation of a
/// nearly constant channel lose digits in single precision, one update or a mean does not.
constexpr double kGradientTolerance = 1e-3;
constexpr double kUpdateTolerance = 2e-6;

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

/// Equal bit by bit: +0 is not -0, and NaN equals itself.
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

/// Absent weights, momentum and gradients are +0.
void expect_mask_invariant(const Executor& executor) {
  TrainingState state = executor.read();
  EXPECT_NO_THROW(check_mask_invariant(executor.network(), state));
  state.values.weights = executor.gradients().weights;
  EXPECT_NO_THROW(check_mask_invariant(executor.network(), state)) << "these are gradients";
}

/// The share of a batch that a rank trains.
struct OwnedShare {
  OwnedBatch batch;
  std::int64_t of = 0;
  operator Batch() const {
    Batch share = batch;
    share.of = of;
    return share;
  }
};
OwnedShare share_of_batch(const OwnedBatch& whole, const Ranks& ranks) {
  const std::int64_t samples = std::ssize(whole.labels);
  const Share share = share_of(samples, ranks.rank(), ranks.size());
  const auto values = std::ssize(whole.images) / samples;
  const auto from = whole.images.begin();
  std::vector<float> factors;
  for (auto node = whole.branch_factors.begin(); node != whole.branch_factors.end();
       node += samples) {
    factors.insert(factors.end(), node + share.begin, node + share.end);
  }
  return {{{from + share.begin * values, from + share.end * values},
           {whole.labels.begin() + share.begin, whole.labels.begin() + share.end},
           whole.label_smoothing,
           {whole.second_labels.begin() + share.begin, whole.second_labels.begin() + share.end},
           whole.second_share,
           factors},
          share.size() < samples ? samples : 0};
}

/// What a rank has after some steps.
struct Trained {
  TrainingState state;
  Parameters gradients;
  std::vector<std::vector<float>> dense;
  std::vector<BatchSums> sums;
};

/// Of every rank: batches of sizes that cannot be shared out evenly, one of them not at all.
std::vector<Trained> train_in_ranks(const ExecutorFactory& make, const Network& network,
                                    std::int64_t size, bool sync_norms, int steps) {
  std::vector<Trained> trained(static_cast<std::size_t>(size));
  testing::ThreadRanks(size).run([&](Ranks& ranks) {
    const auto executor = make(network);
    executor->join(ranks, sync_norms);
    executor->write(random_state(network, 0.5, 20));
    Trained& own = trained[static_cast<std::size_t>(ranks.rank())];
    for (int i = 0; i < steps; ++i) {
      const std::int64_t samples = std::vector<std::int64_t>{37, 19, 2 * size - 1}[i % 3];
      const OwnedBatch whole = soft_batch(network, samples, 21 + static_cast<std::uint64_t>(i));
      own.sums.push_back(executor->forward_backward(share_of_batch(whole, ranks)));
      own.gradients = executor->gradients();
      executor->step(sgd_step());
    }
    own.dense = executor->dense_gradients(share_of_batch(soft_batch(network, 23, 5), ranks));
    own.state = executor->read();
    expect_mask_invariant(*executor);
  });
  return trained;
}

bool same_bits(const Trained& a, const Trained& b) {
  return same_bits(a.state, b.state) && same_bits(a.gradients, b.gradients) &&
         same_bits(a.dense, b.dense) && std::ranges::equal(a.sums, b.sums, same);
}

void ranks_have_the_same_bits_in_every_repetition(const ExecutorFactory& make,
                                                  const Networks& networks) {
  for (const Network& network : networks) {
    for (const std::int64_t size : {2, 4}) {
      for (const bool sync_norms : {true, false}) {
        SCOPED_TRACE(fmt::format("{}, {} ranks, {}", network.name, size, sync_norms));
        const std::vector<Trained> first = train_in_ranks(make, network, size, sync_norms, 3);
        const std::vector<Trained> again = train_in_ranks(make, network, size, sync_norms, 3);
        for (std::size_t r = 0; r < first.size(); ++r) {
          EXPECT_TRUE(same_bits(first[r], first[0])) << "rank " << r;
          EXPECT_TRUE(same_bits(again[r], first[0])) << "again, rank " << r;
        }
      }
    }
  }
}

void shares_train_as_the_whole_batch(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    const auto alone = make(network);
    alone->write(random_state(network, 0.5, 20));
    const BatchSums sums = alone->forward_backward(soft_batch(network, 37, 21));
    const Parameters gradients = alone->gradients();
    alone->step(sgd_step());
    const auto dense = alone->dense_gradients(soft_batch(network, 23, 5));
    const TrainingState state = alone->read();
    for (const std::int64_t size : {2, 4}) {
      SCOPED_TRACE(fmt::format("{}, {} ranks", network.name, size));
      const Trained found = train_in_ranks(make, network, size, true, 1).back();
      expect_near(found.sums[0], sums);
      expect_near(network, found.gradients, gradients, kGradientTolerance);
      // Weights, and the running statistics that every normalisation moved.
      expect_near(network, found.state.values, state.values, 1e-4);
      for (std::size_t l = 0; l < dense.size(); ++l) {
        expect_near(found.dense[l], dense[l], kGradientTolerance, network.layers[l].name);
      }
    }
  }
}

void norms_of_shares_are_others(const ExecutorFactory& make, const Networks& networks) {
  const auto found = std::ranges::find_if(networks, [](const Network& one) {
    return std::ranges::find(one.nodes, Operation::batch_norm, &Node::operation) != one.nodes.end();
  });
  ASSERT_NE(found, networks.end());
  const Network& network = *found;
  const Trained together = train_in_ranks(make, network, 2, true, 1).front();
  const Trained apart = train_in_ranks(make, network, 2, false, 1).front();
  EXPECT_FALSE(same_bits(together.gradients, apart.gradients));
  // Means over equal shares are that of the whole, variances are not.
  EXPECT_NE(together.state.values.norms[0].variance, apart.state.values.norms[0].variance);
}

void a_share_without_ranks_is_refused(const ExecutorFactory& make, const Networks& networks) {
  const auto executor = make(networks.back());
  executor->write(random_state(networks.back(), 0.5, 1));
  const OwnedShare share{random_batch(networks.back(), 6, 2), 12};
  GCG_EXPECT_ERROR(executor->forward_backward(share), HasSubstr("no share of 12"));
}

/// Runs f(network, density, batch size) for the small networks, dense, sparse and nearly empty, and
/// for batches of one, several and many samples (never one value per normalised channel).
template <typename F>
void for_each_case(const Networks& networks, F f) {
  for (const Network& network : networks) {
    for (const double density : {1.0, 0.5, 0.2}) {
      for (const std::int64_t samples : {1, 2, 7, 19}) {
        if (has_variance(network, samples)) {
          SCOPED_TRACE(fmt::format("{}, density {}, {} samples", network.name, density, samples));
          f(network, density, samples);
        }
      }
    }
  }
}

void reads_what_was_written(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const auto executor = make(network);
    EXPECT_EQ(executor->network().name, network.name);
    for (const std::uint64_t seed : {1U, 2U}) {
      const TrainingState state = random_state(network, 0.5, seed);
      executor->write(state);
      EXPECT_TRUE(same_bits(executor->read(), state));
    }
  }
}

void differentiates_the_mean_loss(const ExecutorFactory& make, const Networks& networks) {
  for_each_case(networks, [&](const Network& network, double density, std::int64_t samples) {
    const TrainingState state = random_state(network, density, 3);
    const OwnedBatch batch = random_batch(network, samples, 4);
    const auto executor = make(network);
    const auto reference = make_reference_executor(network);
    executor->write(state);
    reference->write(state);
    expect_near(executor->forward_backward(batch), reference->forward_backward(batch));
    expect_near(network, executor->gradients(), reference->gradients(), kGradientTolerance);
    expect_near(network, executor->read().values, reference->read().values, 10 * kUpdateTolerance);
    EXPECT_TRUE(same_bits(executor->read().values.weights, state.values.weights));
    EXPECT_TRUE(same_bits(executor->read().slots, state.slots));
  });
}

void smooths_labels_in_training_alone(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const OwnedBatch owned = random_batch(network, 7, 8);
    Batch batch = owned;
    const auto executor = make(network);
    const auto reference = make_reference_executor(network);
    executor->write(random_state(network, 0.5, 9));
    reference->write(random_state(network, 0.5, 9));
    const BatchSums plain = executor->evaluate(batch, {});
    const BatchSums hard = executor->forward_backward(batch);
    executor->write(random_state(network, 0.5, 9));
    batch.label_smoothing = 0.3;
    EXPECT_EQ(executor->evaluate(batch, {}).loss, plain.loss);
    const BatchSums soft = executor->forward_backward(batch);
    EXPECT_NE(soft.loss, hard.loss);
    expect_near(soft, reference->forward_backward(batch));
    expect_near(network, executor->gradients(), reference->gradients(), kGradientTolerance);
  }
}

/// Second labels and dropped branches, in training alone.
void trains_on_soft_batches(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const auto executor = make(network);
    const auto reference = make_reference_executor(network);
    const TrainingState state = random_state(network, 0.5, 9);
    for (const std::int64_t samples : {7, 19, 5}) {
      const OwnedBatch soft = soft_batch(network, samples, 8);
      const OwnedBatch hard = random_batch(network, samples, 8);
      executor->write(state);
      reference->write(state);
      const BatchSums plain = executor->evaluate(hard, {});
      EXPECT_TRUE(same(executor->evaluate(soft, {}), plain));
      const auto dense = executor->dense_gradients(soft);
      const auto expected = reference->dense_gradients(soft);
      for (std::size_t l = 0; l < dense.size(); ++l) {
        expect_near(dense[l], expected[l], kGradientTolerance, network.layers[l].name);
      }
      const BatchSums sums = executor->forward_backward(soft);
      expect_near(sums, reference->forward_backward(soft));
      expect_near(network, executor->gradients(), reference->gradients(), kGradientTolerance);
      // What a batch has does not stay for the next one.
      executor->write(state);
      reference->write(state);
      const BatchSums without = executor->forward_backward(hard);
      EXPECT_NE(without.loss, sums.loss);
      expect_near(without, reference->forward_backward(hard));
      expect_near(network, executor->gradients(), reference->gradients(), kGradientTolerance);
    }
  }
}

/// Factors of one are none; of a branch that is dropped everywhere nothing is trained.
void a_branch_counts_by_its_factor(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    if (network.drop_count == 0) {
      continue;
    }
    SCOPED_TRACE(network.name);
    const auto executor = make(network);
    const TrainingState state = random_state(network, 0.5, 9);
    const auto gradients_with = [&](std::vector<float> factors) {
      OwnedBatch batch = random_batch(network, 19, 8);
      batch.branch_factors = std::move(factors);
      executor->write(state);
      executor->forward_backward(batch);
      return executor->gradients();
    };
    const auto count = static_cast<std::size_t>(network.drop_count * 19);
    EXPECT_TRUE(same_bits(gradients_with(std::vector<float>(count, 1.0F)), gradients_with({})));
    const Parameters dropped = gradients_with(std::vector<float>(count, 0.0F));
    for (const Node& node : network.nodes) {
      if (node.operation == Operation::drop_path) {
        const std::int32_t layer = network.nodes[static_cast<std::size_t>(node.inputs[0])].layer;
        for (std::size_t i = 0; layer >= 0 && i < dropped.weights[layer].size(); ++i) {
          ASSERT_EQ(dropped.weights[layer][i], 0.0F) << node.name;
        }
      }
    }
  }
}

void evaluates_with_running_statistics(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    for (const std::int64_t samples : {1, 7, 19}) {
      SCOPED_TRACE(fmt::format("{}, {} samples", network.name, samples));
      const TrainingState state = random_state(network, 0.5, 5);
      const OwnedBatch batch = random_batch(network, samples, 6);
      const auto executor = make(network);
      const auto reference = make_reference_executor(network);
      executor->write(state);
      reference->write(state);
      std::vector<std::int32_t> found(batch.labels.size());
      std::vector<std::int32_t> expected(batch.labels.size());
      std::vector<float> losses(batch.labels.size());
      std::vector<float> expected_losses(batch.labels.size());
      const BatchSums sums = executor->evaluate(batch, {found, losses});
      expect_near(sums, reference->evaluate(batch, {expected, expected_losses}));
      EXPECT_EQ(found, expected);
      expect_near(losses, expected_losses, kUpdateTolerance, "loss");
      EXPECT_NEAR(std::accumulate(losses.begin(), losses.end(), 0.0), sums.loss,
                  1e-6 * (1 + sums.loss));
      // Asking for more or less changes nothing.
      EXPECT_TRUE(same(sums, executor->evaluate(batch, {})));
      std::vector<float> alone(losses.size());
      EXPECT_TRUE(same(sums, executor->evaluate(batch, {.losses = alone})));
      EXPECT_TRUE(same_bits(alone, losses));
      EXPECT_TRUE(same_bits(executor->read(), state));
    }
  }
}

void queued_evaluation_is_evaluation(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const auto executor = make(network);
    executor->write(random_state(network, 0.5, 5));
    EXPECT_TRUE(executor->settle_evaluation().empty());
    std::vector<BatchSums> sums;
    std::vector<std::int32_t> classes(12);
    std::vector<std::int32_t> queued_classes(12);
    std::vector<float> losses(12);
    std::vector<float> queued_losses(12);
    std::size_t first = 0;
    for (const std::int64_t samples : {7, 1, 4}) {
      const OwnedBatch batch = random_batch(network, samples, first);
      const auto part = [&](auto& of_all) {
        return std::span(of_all).subspan(first, batch.labels.size());
      };
      executor->queue_evaluation(batch, {part(queued_classes), part(queued_losses)});
      sums.push_back(executor->evaluate(batch, {part(classes), part(losses)}));
      first += batch.labels.size();
    }
    const std::vector<BatchSums> queued = executor->settle_evaluation();
    ASSERT_EQ(queued.size(), sums.size());
    for (std::size_t b = 0; b < sums.size(); ++b) {
      EXPECT_TRUE(same(queued[b], sums[b])) << b;
    }
    EXPECT_EQ(queued_classes, classes);
    EXPECT_TRUE(same_bits(queued_losses, losses));
    EXPECT_TRUE(executor->settle_evaluation().empty());
  }
}

void sums_add_up_over_batches(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const auto executor = make(network);
    executor->write(random_state(network, 0.5, 7));
    const OwnedBatch batch = random_batch(network, 7, 8);
    const Batch all = batch;
    const std::size_t split = 4 * static_cast<std::size_t>(network.input_shape().elements());
    const BatchSums whole = executor->evaluate(all, {});
    const BatchSums first = executor->evaluate({all.images.first(split), all.labels.first(4)}, {});
    const BatchSums last =
        executor->evaluate({all.images.subspan(split), all.labels.subspan(4)}, {});
    EXPECT_NEAR(first.loss + last.loss, whole.loss, 1e-5 * (1 + whole.loss));
    EXPECT_EQ(first.correct + last.correct, whole.correct);
    EXPECT_EQ(first.samples, 4);
    EXPECT_EQ(last.samples, 3);
  }
}

void gives_dense_gradients_purely(const ExecutorFactory& make, const Networks& networks) {
  for_each_case(networks, [&](const Network& network, double density, std::int64_t samples) {
    const TrainingState state = random_state(network, density, 9);
    const OwnedBatch batch = random_batch(network, samples, 10);
    const OwnedBatch other = random_batch(network, samples, 11);
    const auto executor = make(network);
    const auto reference = make_reference_executor(network);
    executor->write(state);
    reference->write(state);
    executor->forward_backward(other);
    const TrainingState before = executor->read();
    const Parameters pending = executor->gradients();
    const auto found = executor->dense_gradients(batch);
    EXPECT_TRUE(same_bits(executor->read(), before));
    EXPECT_TRUE(same_bits(executor->gradients(), pending));
    const auto expected = reference->dense_gradients(batch);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t l = 0; l < found.size(); ++l) {
      expect_near(found[l], expected[l], kGradientTolerance, network.layers[l].name);
    }
  });
}

void averages_dense_gradients_purely(const ExecutorFactory& make, const Networks& networks) {
  for_each_case(networks, [&](const Network& network, double density, std::int64_t samples) {
    const TrainingState state = random_state(network, density, 9);
    const auto executor = make(network);
    executor->write(state);
    EXPECT_TRUE(executor->gradient_average().empty());
    std::vector<std::vector<float>> expected;
    for (std::uint64_t i = 0; i < 3; ++i) {
      const OwnedBatch batch = random_batch(network, samples, 10 + i);
      const std::vector<std::vector<float>> newest = executor->dense_gradients(batch);
      if (i == 0) {
        for (const std::vector<float>& layer : newest) {
          expected.emplace_back(layer.size(), 0.0F);
        }
      }
      for (std::size_t l = 0; l < newest.size(); ++l) {
        for (std::size_t k = 0; k < newest[l].size(); ++k) {
          expected[l][k] = 0.9F * expected[l][k] + (1 - 0.9F) * newest[l][k];
        }
      }
      executor->average_gradients(batch, 0.9F);
      EXPECT_TRUE(same_bits(executor->gradient_average(), expected)) << i;
      EXPECT_TRUE(same_bits(executor->read(), state));
      if (i == 1) {  // it goes on from one that was read
        const auto average = executor->gradient_average();
        executor->set_gradient_average({});
        EXPECT_TRUE(executor->gradient_average().empty());
        executor->set_gradient_average(average);
      }
    }
  });
}

void steps_as_documented(const ExecutorFactory& make, const Networks& networks) {
  for (const bool nesterov : {false, true}) {
    for_each_case(networks, [&](const Network& network, double density, std::int64_t samples) {
      const OwnedBatch batch = random_batch(network, samples, 13);
      const auto executor = make(network);
      executor->write(random_state(network, density, 12));
      executor->forward_backward(batch);
      const TrainingState before = executor->read();
      const Parameters gradient = executor->gradients();
      constexpr double rate = 0.05;
      constexpr double keep = 0.8;
      constexpr double decay = 0.01;
      executor->step(sgd_step(rate, keep, nesterov, decay));
      Parameters values = before.values;
      Parameters momentum = before.slots.at(0).values;
      const auto update = [&](const std::vector<float>& g, std::vector<float>& m,
                              std::vector<float>& w) {
        for (std::size_t i = 0; i < w.size(); ++i) {
          const double decayed = g[i] + decay * w[i];
          const double slot = keep * m[i] + decayed;
          m[i] = static_cast<float>(slot);
          w[i] = static_cast<float>(w[i] - rate * (nesterov ? decayed + keep * slot : slot));
        }
      };
      for (std::size_t l = 0; l < network.layers.size(); ++l) {
        update(gradient.weights[l], momentum.weights[l], values.weights[l]);
        update(gradient.biases[l], momentum.biases[l], values.biases[l]);
      }
      for (std::size_t k = 0; k < values.norms.size(); ++k) {
        update(gradient.norms[k].scale, momentum.norms[k].scale, values.norms[k].scale);
        update(gradient.norms[k].shift, momentum.norms[k].shift, values.norms[k].shift);
      }
      update(gradient.tokens.class_token, momentum.tokens.class_token, values.tokens.class_token);
      update(gradient.tokens.positions, momentum.tokens.positions, values.tokens.positions);
      expect_near(network, executor->read().values, values, kUpdateTolerance);
      expect_near(network, executor->read().slots.at(0).values, momentum, kUpdateTolerance);
      expect_mask_invariant(*executor);
    });
  }
}

/// What every optimiser does to an array is tested with it; here, that every array gets to it with
/// its kind, its slots and the number of the update.
void steps_by_every_optimiser(const ExecutorFactory& make, const Networks& networks) {
  for (const Optimiser& optimiser : optimiser_table()) {
    const OptimiserStep step = default_step(optimiser.name, 0.05);
    for (const Network& network : networks) {
      if (!has_variance(network, 9)) {
        continue;
      }
      SCOPED_TRACE(fmt::format("{}, {}", optimiser.name, network.name));
      TrainingState expected = random_state(network, 0.5, 70);
      clear_slots(expected);
      const auto executor = make(network);
      executor->write(expected);
      std::unique_ptr<Executor> resumed;
      for (std::uint64_t i = 0; i < 3; ++i) {
        const OwnedBatch batch = random_batch(network, 9, 71 + i);
        executor->forward_backward(batch);
        const Parameters gradient = executor->gradients();
        const TrainingState before = executor->read();
        executor->step(step);
        expected = before;
        if (expected.slots.empty()) {
          expected.slots = empty_slots(network, optimiser);
        }
        expected.updates += optimiser.counts_updates ? 1 : 0;
        std::vector<std::span<const float>> gradients;
        for_each_array(gradient, [&](ParameterKind, const auto& g) { gradients.push_back(g); });
        std::vector<std::vector<std::span<float>>> slots;
        for (Slot& slot : expected.slots) {
          auto& arrays = slots.emplace_back();
          for_each_array(slot.values, [&](ParameterKind, auto& array) { arrays.push_back(array); });
        }
        std::size_t a = 0;
        for_each_array(expected.values, [&](ParameterKind kind, auto& values) {
          ArrayUpdate update{kind, values, gradients[a], {}, expected.updates};
          for (std::size_t s = 0; s < slots.size(); ++s) {
            update.slots[s] = slots[s][a];
          }
          optimiser.update(step, update);
          ++a;
        });
        const TrainingState after = executor->read();
        expect_near(network, after.values, expected.values, kUpdateTolerance);
        ASSERT_EQ(after.slots.size(), expected.slots.size());
        for (std::size_t s = 0; s < slots.size(); ++s) {
          EXPECT_EQ(after.slots[s].name, optimiser.slots[s].name);
          expect_near(network, after.slots[s].values, expected.slots[s].values, kUpdateTolerance);
        }
        EXPECT_EQ(after.updates, expected.updates);
        expect_mask_invariant(*executor);
        // Its state in another executor goes on with the same bits.
        if (resumed != nullptr) {
          resumed->forward_backward(batch);
          resumed->step(step);
          EXPECT_TRUE(same_bits(resumed->read(), after));
        }
        resumed = make(network);
        resumed->write(after);
      }
    }
  }
}

void refuses_bad_steps(const ExecutorFactory& make, const Networks& networks) {
  const Network network = networks.back();
  const auto executor = make(network);
  executor->write(random_state(network, 0.5, 80));
  executor->forward_backward(random_batch(network, 8, 81));
  const TrainingState before = executor->read();
  GCG_EXPECT_ERROR(executor->step(sgd_step(std::numeric_limits<double>::quiet_NaN())),
                   HasSubstr("finite"));
  GCG_EXPECT_ERROR(executor->step(sgd_step(0.1, 1)), HasSubstr("momentum = 1"));
  GCG_EXPECT_ERROR(executor->step(default_step("adamw")),
                   HasSubstr("the state has the slots of another optimiser: momentum"));
  EXPECT_TRUE(same_bits(executor->read(), before));
}

void follows_the_reference_over_steps(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const auto executor = make(network);
    const auto reference = make_reference_executor(network);
    const TrainingState state = random_state(network, 0.5, 14);
    executor->write(state);
    reference->write(state);
    for (std::uint64_t i = 0; i < 4; ++i) {
      // The last batch is a short one.
      const OwnedBatch batch = random_batch(network, i < 3 ? 8 : 5, 15 + i);
      expect_near(executor->forward_backward(batch), reference->forward_backward(batch));
      executor->step(sgd_step(0.01, 0.9, true, 1e-3));
      reference->step(sgd_step(0.01, 0.9, true, 1e-3));
    }
    expect_near(network, executor->read().values, reference->read().values, kGradientTolerance);
  }
}

void absent_connections_stay_zero_bits(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    const auto executor = make(network);
    for (const double density : {0.5, 0.1, 0.0}) {
      SCOPED_TRACE(fmt::format("{}, density {}", network.name, density));
      executor->write(random_state(network, density, 16));
      for (std::uint64_t i = 0; i < 4; ++i) {
        executor->forward_backward(random_batch(network, 6, 17 + i));
        executor->step(sgd_step(0.1, 0.9, i % 2 == 0, 0.5));
        expect_mask_invariant(*executor);
      }
    }
  }
}

void not_a_number_stays_out_of_absent_connections(const ExecutorFactory& make,
                                                  const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    TrainingState state = random_state(network, 0.5, 18);
    state.values.weights.back()[0] = std::numeric_limits<float>::quiet_NaN();
    state.mask.layers.back().set(0);
    const auto executor = make(network);
    executor->write(state);
    const BatchSums sums = executor->forward_backward(random_batch(network, 5, 19));
    EXPECT_TRUE(std::isnan(sums.loss));
    executor->step(sgd_step());
    expect_mask_invariant(*executor);
  }
}

void repeats_bit_for_bit(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const auto first = make(network);
    const auto second = make(network);
    first->write(random_state(network, 0.5, 20));
    second->write(random_state(network, 0.5, 20));
    for (std::uint64_t i = 0; i < 5; ++i) {
      const OwnedBatch batch = random_batch(network, 9, 21 + i);
      EXPECT_TRUE(same(first->forward_backward(batch), second->forward_backward(batch)));
      first->step(sgd_step());
      second->step(sgd_step());
    }
    EXPECT_TRUE(same_bits(first->read(), second->read()));
  }
}

void resumes_bit_for_bit(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    const auto train = [&](Executor& executor, std::uint64_t from, std::uint64_t to) {
      for (std::uint64_t i = from; i < to; ++i) {
        executor.forward_backward(random_batch(network, 9, 30 + i));
        executor.step(sgd_step());
      }
    };
    const auto uninterrupted = make(network);
    uninterrupted->write(random_state(network, 0.5, 29));
    train(*uninterrupted, 0, 10);

    const auto first = make(network);
    first->write(random_state(network, 0.5, 29));
    train(*first, 0, 5);
    const auto second = make(network);
    second->write(first->read());
    train(*second, 5, 10);
    EXPECT_TRUE(same_bits(second->read(), uninterrupted->read()));
  }
}

void takes_batches_of_changing_size(const ExecutorFactory& make, const Networks& networks) {
  const Network network = networks.back();
  const auto used = make(network);
  for (const std::int64_t samples : {4, 31, 3, 16}) {
    SCOPED_TRACE(samples);
    const OwnedBatch batch = random_batch(network, samples, 50);
    const auto fresh = make(network);
    used->write(random_state(network, 0.3, 51));
    fresh->write(random_state(network, 0.3, 51));
    used->evaluate(random_batch(network, 11, 52), {});
    EXPECT_TRUE(same(used->forward_backward(batch), fresh->forward_backward(batch)));
    EXPECT_TRUE(same_bits(used->gradients(), fresh->gradients()));
  }
}

void refuses_bad_states(const ExecutorFactory& make, const Networks& /*networks*/) {
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const auto executor = make(network);
  const OwnedBatch batch = random_batch(network, 4, 60);
  GCG_EXPECT_ERROR(executor->read(), HasSubstr("no state yet"));
  GCG_EXPECT_ERROR(executor->forward_backward(batch), HasSubstr("no state yet"));
  GCG_EXPECT_ERROR(executor->evaluate(batch, {}), HasSubstr("no state yet"));
  GCG_EXPECT_ERROR(executor->dense_gradients(batch), HasSubstr("no state yet"));

  const TrainingState good = random_state(network, 0.5, 61);
  TrainingState bad = good;
  bad.values.weights[1].pop_back();
  GCG_EXPECT_ERROR(executor->write(bad), HasSubstr(network.layers[1].name));
  bad = good;
  bad.slots[0].values.norms.pop_back();
  GCG_EXPECT_ERROR(executor->write(bad), HasSubstr("normalisations"));
  bad = good;
  bad.values.norms[0].mean.clear();
  bad.values.norms[0].variance.clear();
  GCG_EXPECT_ERROR(executor->write(bad), HasSubstr("running statistics"));
  bad = good;
  bad.mask.layers[0].reset(0);
  bad.values.weights[0][0] = -0.0F;
  bad.slots[0].values.weights[0][0] = 0.0F;
  GCG_EXPECT_ERROR(executor->write(bad), HasSubstr("absent connection 0"));

  executor->write(good);
  GCG_EXPECT_ERROR(executor->gradients(), HasSubstr("no gradients"));
  GCG_EXPECT_ERROR(executor->step(sgd_step()), HasSubstr("no gradients"));
  executor->forward_backward(batch);
  executor->write(good);
  GCG_EXPECT_ERROR(executor->step(sgd_step()), HasSubstr("no gradients"));
}

void refuses_bad_batches(const ExecutorFactory& make, const Networks& networks) {
  const Network network = networks.back();
  const auto executor = make(network);
  executor->write(random_state(network, 0.5, 62));
  const auto refuse = [&](const Batch& batch, const std::string& text) {
    GCG_EXPECT_ERROR(executor->forward_backward(batch), HasSubstr(text));
    GCG_EXPECT_ERROR(executor->evaluate(batch, {}), HasSubstr(text));
    GCG_EXPECT_ERROR(executor->dense_gradients(batch), HasSubstr(text));
  };
  OwnedBatch batch = random_batch(network, 4, 63);
  refuse({}, "empty");
  refuse({std::span(batch.images).first(batch.images.size() - 1), batch.labels}, "images");
  batch.labels[2] = static_cast<std::int32_t>(network.classes());
  refuse(batch, fmt::format("label {}", network.classes()));
  batch.labels[2] = -1;
  refuse(batch, "label -1");
  batch.labels[2] = 0;
  Batch too_smooth = batch;
  too_smooth.label_smoothing = 1;
  refuse(too_smooth, "smoothing of 1");
  Batch mixed = batch;
  const std::vector<std::int32_t> seconds{0, 0, 0};
  mixed.second_labels = seconds;
  refuse(mixed, "3 second labels for 4 samples");
  const std::vector<std::int32_t> outside{0, 0, 0, -1};
  mixed.second_labels = outside;
  refuse(mixed, "second label -1 of sample 3");
  mixed.second_labels = {};
  mixed.second_share = 1.5;
  refuse(mixed, "share of 1.5");
  Batch branches = batch;
  const std::vector<float> factors(5, 1.0F);
  branches.branch_factors = factors;
  refuse(branches, "5 factors of branches for 4 samples");
  std::vector<std::int32_t> classes(3);
  std::vector<float> losses(5);
  GCG_EXPECT_ERROR(executor->evaluate(batch, {.classes = classes}), HasSubstr("room for 3"));
  GCG_EXPECT_ERROR(executor->evaluate(batch, {.losses = losses}), HasSubstr("room for 5"));
  // One value per channel has no variance.
  for (const Network& vectors : networks) {
    if (vectors.name == "normalised_vectors") {
      const auto other = make(vectors);
      other->write(random_state(vectors, 1, 64));
      GCG_EXPECT_ERROR(other->forward_backward(random_batch(vectors, 1, 65)),
                       HasSubstr("single value per channel"));
      EXPECT_EQ(other->evaluate(random_batch(vectors, 1, 65), {}).samples, 1);
    }
  }
}

#define GCG_CASE(function) \
  ConformanceCase { #function, function }
constexpr std::array kCases{
    GCG_CASE(reads_what_was_written),
    GCG_CASE(differentiates_the_mean_loss),
    GCG_CASE(smooths_labels_in_training_alone),
    GCG_CASE(trains_on_soft_batches),
    GCG_CASE(a_branch_counts_by_its_factor),
    GCG_CASE(evaluates_with_running_statistics),
    GCG_CASE(queued_evaluation_is_evaluation),
    GCG_CASE(sums_add_up_over_batches),
    GCG_CASE(gives_dense_gradients_purely),
    GCG_CASE(averages_dense_gradients_purely),
    GCG_CASE(steps_as_documented),
    GCG_CASE(steps_by_every_optimiser),
    GCG_CASE(refuses_bad_steps),
    GCG_CASE(follows_the_reference_over_steps),
    GCG_CASE(absent_connections_stay_zero_bits),
    GCG_CASE(not_a_number_stays_out_of_absent_connections),
    GCG_CASE(repeats_bit_for_bit),
    GCG_CASE(resumes_bit_for_bit),
    GCG_CASE(takes_batches_of_changing_size),
    GCG_CASE(refuses_bad_states),
    GCG_CASE(refuses_bad_batches),
};
/// Those of any precision first.
constexpr std::size_t kRankCasesOfAnyPrecision = 3;
constexpr std::array kRankCases{
    GCG_CASE(ranks_have_the_same_bits_in_every_repetition),
    GCG_CASE(norms_of_shares_are_others),
    GCG_CASE(a_share_without_ranks_is_refused),
    GCG_CASE(shares_train_as_the_whole_batch),
};
#undef GCG_CASE

}  // namespace

std::span<const ConformanceCase> conformance_cases() { return kCases; }

std::span<const ConformanceCase> rank_cases() { return kRankCases; }

std::span<const ConformanceCase> rank_cases_of_any_precision() {
  return rank_cases().first(kRankCasesOfAnyPrecision);
}

std::vector<ConformanceCase> conformance_cases_of_any_precision() {
  constexpr std::array<std::string_view, 6> kAgainstReference{
      "differentiates_the_mean_loss", "smooths_labels_in_training_alone",
      "trains_on_soft_batches",       "evaluates_with_running_statistics",
      "gives_dense_gradients_purely", "follows_the_reference_over_steps"};
  std::vector<ConformanceCase> cases;
  for (const ConformanceCase& one : kCases) {
    if (std::ranges::find(kAgainstReference, one.name) == kAgainstReference.end()) {
      cases.push_back(one);
    }
  }
  return cases;
}

}  // namespace gcg
