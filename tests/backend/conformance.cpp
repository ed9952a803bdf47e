#include "backend/conformance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "backend/comparisons.h"
#include "backend/random_cases.h"
#include "backend/reference_executor.h"
#include "backend/slots.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {

namespace {

using ::testing::HasSubstr;
using Networks = std::vector<Network>;

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
#undef GCG_CASE

}  // namespace

std::span<const ConformanceCase> conformance_cases() { return kCases; }

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
