#include "sparse/sparse_executor.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/backends.h"
#include "backend/check_batch.h"
#include "backend/softmax_loss.h"
#include "base/error.h"
#include "base/index.h"
#include "sparse/execution.h"

namespace gcg {

namespace {

using sparse::Execution;
using sparse::Kernels;
using sparse::Moments;
using sparse::Norm;
using sparse::Run;
using sparse::SparseLayer;
using sparse::Trained;

enum class Mode : std::uint8_t { training, evaluation };

class SparseExecutor final : public Executor {
 public:
  SparseExecutor(const Network& network, std::int64_t threads, const Kernels& kernels,
                 Precision precision, const sparse::TileChoice& tiles)
      : run_(sparse::make_execution(network, threads, kernels, precision, tiles)) {}

  const Network& network() const override { return run_.network; }
  void write(const TrainingState& state) override;
  TrainingState read() const override;
  BatchSums forward_backward(const Batch& batch) override;
  void step(const OptimiserStep& step) override;
  BatchSums evaluate(const Batch& batch, const PerSample& each) override;
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override;
  Parameters gradients() const override;
  void join(Ranks& ranks, bool sync_norms) override {
    ranks_ = &ranks;
    sync_norms_ = sync_norms;
  }

 private:
  /// What f(trained) says of all that is trained, in dense arrays.
  template <typename F>
  Parameters parameters(F what) const;
  /// Calls f(kind, trained) for all that is trained.
  template <typename F>
  void for_each_trained(F f);
  void check(std::string_view call, const Batch& batch, Mode mode) const;
  BatchSums loss(const Batch& batch, bool with_gradient, const PerSample& each);
  void update_running(std::int64_t samples);
  Run prepare_training(const Batch& batch);
  /// Adds up what the ranks have of a batch: present connections alone travel.
  BatchSums add_shares(const Batch& batch, BatchSums sums);

  const Backend& backend_ = find_backend("sparse");
  Execution run_;
  std::vector<std::string> slots_;  ///< their names; none before the first update
  std::int64_t updates_ = 0;
  bool written_ = false;
  bool has_gradients_ = false;
  Ranks* ranks_ = nullptr;
  bool sync_norms_ = true;
  std::vector<float> travels_;  ///< what is added up over the ranks
};

void SparseExecutor::write(const TrainingState& state) {
  check_state(run_.network, state);
  write_layers(run_, state.mask, state.values.weights);
  for (std::size_t l = 0; l < run_.layers.size(); ++l) {
    run_.layers[l].bias.write(state.values.biases[l]);
  }
  for (std::size_t k = 0; k < run_.norms.size(); ++k) {
    const NormParameters& values = state.values.norms[k];
    run_.norms[k].scale.write(values.scale);
    run_.norms[k].shift.write(values.shift);
    run_.norms[k].running_mean = values.mean;
    run_.norms[k].running_variance = values.variance;
  }
  run_.class_token.write(state.values.tokens.class_token);
  run_.positions.write(state.values.tokens.positions);
  slots_.clear();
  for (const auto& [name, slot] : state.slots) {
    run_.class_token.slots.push_back(slot.tokens.class_token);
    run_.positions.slots.push_back(slot.tokens.positions);
    for (std::size_t l = 0; l < run_.layers.size(); ++l) {
      SparseLayer& layer = run_.layers[l];
      layer.weight.slots.push_back(layer.present(slot.weights[l]));
      layer.bias.slots.push_back(slot.biases[l]);
    }
    for (std::size_t k = 0; k < run_.norms.size(); ++k) {
      run_.norms[k].scale.slots.push_back(slot.norms[k].scale);
      run_.norms[k].shift.slots.push_back(slot.norms[k].shift);
    }
    slots_.push_back(name);
  }
  updates_ = state.updates;
  written_ = true;
  has_gradients_ = false;
}

template <typename F>
Parameters SparseExecutor::parameters(F what) const {
  Parameters result;
  for (const SparseLayer& layer : run_.layers) {
    result.weights.push_back(layer.dense(what(layer.weight)));
    result.biases.push_back(what(layer.bias));
  }
  for (const Norm& norm : run_.norms) {
    result.norms.push_back({what(norm.scale), what(norm.shift), {}, {}});
  }
  result.tokens = {what(run_.class_token), what(run_.positions)};
  return result;
}

template <typename F>
void SparseExecutor::for_each_trained(F f) {
  for (SparseLayer& layer : run_.layers) {
    f(ParameterKind::weight, layer.weight);
    f(ParameterKind::bias, layer.bias);
  }
  for (Norm& norm : run_.norms) {
    f(ParameterKind::norm, norm.scale);
    f(ParameterKind::norm, norm.shift);
  }
  f(ParameterKind::token, run_.class_token);
  f(ParameterKind::token, run_.positions);
}

TrainingState SparseExecutor::read() const {
  if (!written_) {
    throw Error("SparseExecutor::read", "the executor has no state yet", "write one first");
  }
  TrainingState state{parameters([](const Trained& trained) -> auto& { return trained.value; }),
                      {}};
  for (const SparseLayer& layer : run_.layers) {
    state.mask.layers.push_back(layer.mask);
  }
  for (std::size_t k = 0; k < run_.norms.size(); ++k) {
    state.values.norms[k].mean = run_.norms[k].running_mean;
    state.values.norms[k].variance = run_.norms[k].running_variance;
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    state.slots.push_back(
        {slots_[i], parameters([&](const Trained& trained) -> auto& { return trained.slots[i]; })});
  }
  state.updates = updates_;
  return state;
}

Parameters SparseExecutor::gradients() const {
  if (!has_gradients_) {
    throw Error("SparseExecutor::gradients", "there are no gradients",
                "call forward_backward first");
  }
  return parameters([](const Trained& trained) -> auto& { return trained.gradient; });
}

void SparseExecutor::check(std::string_view call, const Batch& batch, Mode mode) const {
  check_batch(run_.network, call, batch, mode == Mode::training);
  if (!written_) {
    throw Error(fmt::format("{}: {}", run_.network.name, call), "the executor has no state yet",
                "write one first");
  }
  check_share(run_.network, call, batch, ranks_);
}

Run SparseExecutor::prepare_training(const Batch& batch) {
  Run run = prepare(run_, batch.size());
  set_branch_factors(run_, run, batch.branch_factors);
  if (batch.of > 0 && sync_norms_) {
    run.ranks = ranks_;
    run.whole = batch.of;
  }
  return run;
}

BatchSums SparseExecutor::loss(const Batch& batch, bool with_gradient, const PerSample& each) {
  const std::int32_t last = static_cast<std::int32_t>(run_.network.nodes.size()) - 1;
  const std::size_t count = at(batch.size() * run_.network.classes());
  const std::span<float> logits = std::span(run_.logits).first(count);
  const std::span<float> gradient =
      with_gradient ? std::span(run_.logit_gradient).first(count) : std::span<float>();
  sparse::unpack(run_.value(last), logits);
  const SoftTargets targets = with_gradient ? training_targets(batch) : SoftTargets{batch.labels};
  const BatchSums sums = softmax_loss(logits, targets, gradient, each, batch.of);
  if (with_gradient) {
    const Run run = prepare(run_, batch.size());
    sparse::pack(run, {0, run.blocks}, gradient, run_.gradient(last));
  }
  return sums;
}

/// The running variance is the unbiased one, the batch is normalised by the biased one.
void SparseExecutor::update_running(std::int64_t samples) {
  const auto mix = [](float old, double fresh) {
    return static_cast<float>((1 - kNormMomentum) * static_cast<double>(old) +
                              kNormMomentum * fresh);
  };
  for (const Node& node : run_.network.nodes) {
    if (node.operation == Operation::batch_norm) {
      Norm& norm = run_.norms[at(node.norm)];
      const double count = static_cast<double>(samples * node.shape.positions());
      for (std::size_t c = 0; c < norm.mean.size(); ++c) {
        norm.running_mean[c] = mix(norm.running_mean[c], norm.mean[c]);
        norm.running_variance[c] =
            mix(norm.running_variance[c], norm.variance[c] * count / (count - 1));
      }
    }
  }
}

BatchSums SparseExecutor::add_shares(const Batch& batch, BatchSums sums) {
  const auto for_each_array = [&](auto f) {
    for_each_trained([&](ParameterKind, Trained& trained) { f(trained.gradient, 1.0F); });
    if (!sync_norms_) {
      const float part = static_cast<float>(batch.size()) / static_cast<float>(batch.of);
      for (Norm& norm : run_.norms) {
        f(norm.running_mean, part);
        f(norm.running_variance, part);
      }
    }
  };
  travels_.clear();
  for_each_array([&](const std::vector<float>& array, float factor) {
    for (const float value : array) {
      travels_.push_back(factor * value);
    }
  });
  ranks_->sum(travels_);
  std::span<const float> rest(travels_);
  for_each_array([&](std::vector<float>& array, float) {
    std::ranges::copy(rest.first(array.size()), array.begin());
    rest = rest.subspan(array.size());
  });
  sum(*ranks_, {&sums, 1});
  return sums;
}

BatchSums SparseExecutor::forward_backward(const Batch& batch) {
  check("forward_backward", batch, Mode::training);
  const Run run = prepare_training(batch);
  forward(run_, run, batch.images, Moments::batch);
  update_running(run.whole);
  const BatchSums sums = loss(batch, true, {});
  backward(run_, run, nullptr);
  has_gradients_ = true;
  return batch.of > 0 ? add_shares(batch, sums) : sums;
}

std::vector<std::vector<float>> SparseExecutor::dense_gradients(const Batch& batch) {
  check("dense_gradients", batch, Mode::training);
  const Run run = prepare_training(batch);
  forward(run_, run, batch.images, Moments::batch);
  loss(batch, true, {});
  for (SparseLayer& layer : run_.layers) {
    if (layer.all.offset.empty() && !(layer.runs_tiles() && layer.sums_by_block)) {
      layer.all = all_index(layer.place, false);
    }
  }
  std::vector<std::vector<float>> all(run_.layers.size());
  backward(run_, run, &all);
  if (batch.of > 0) {
    for (std::vector<float>& layer : all) {
      ranks_->sum(layer);
    }
  }
  return all;
}

BatchSums SparseExecutor::evaluate(const Batch& batch, const PerSample& each) {
  check("evaluate", batch, Mode::evaluation);
  check_room(run_.network, "evaluate", batch, each);
  const Run run = prepare(run_, batch.size());
  set_branch_factors(run_, run, {});
  forward(run_, run, batch.images, Moments::running);
  return loss(batch, false, each);
}

void SparseExecutor::step(const OptimiserStep& step) {
  check_step(step);
  check_optimiser(backend_, step);
  check_slots(*step.optimiser, slots_);
  if (!has_gradients_) {
    throw Error("SparseExecutor::step", "there are no gradients", "call forward_backward first");
  }
  const Optimiser& optimiser = *step.optimiser;
  if (slots_.empty()) {
    for (const OptimiserSlot& slot : optimiser.slots) {
      slots_.emplace_back(slot.name);
    }
    for_each_trained([&](ParameterKind, Trained& trained) {
      trained.slots.assign(slots_.size(), std::vector<float>(trained.value.size(), 0.0F));
    });
  }
  updates_ += optimiser.counts_updates ? 1 : 0;
  for_each_trained([&](ParameterKind kind, Trained& trained) {
    ArrayUpdate update{kind, trained.value, trained.gradient, {}, updates_};
    std::ranges::copy(trained.slots, update.slots.begin());
    optimiser.update(step, update);
  });
  for (SparseLayer& layer : run_.layers) {
    layer.spread();
  }
}

}  // namespace

std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads) {
  return make_sparse_executor(network, threads, Precision::fp32);
}

std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads,
                                               Precision precision) {
  return make_sparse_executor(network, threads, sparse::fastest_kernels(), precision);
}

std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads,
                                               const sparse::Kernels& kernels, Precision precision,
                                               const sparse::TileChoice& tiles) {
  if (threads < 1 || threads > 1024) {
    throw Error("make_sparse_executor", fmt::format("{} threads", threads), "ask for 1 to 1024");
  }
  check_operations(find_backend("sparse"), network);
  return std::make_unique<SparseExecutor>(network, threads, kernels, precision, tiles);
}

}  // namespace gcg
