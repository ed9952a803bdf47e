#include "sparse/sparse_executor.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/error.h"
#include "sparse/kernels.h"
#include "sparse/layer.h"
#include "sparse/operations.h"
#include "sparse/parallel.h"
#include "sparse/plan.h"
#include "sparse/softmax.h"

namespace gcg {

namespace {

using sparse::Blocks;
using sparse::Contribution;
using sparse::Instruction;
using sparse::Kernels;
using sparse::NormState;
using sparse::Part;
using sparse::Run;
using sparse::Segment;
using sparse::SparseLayer;
using sparse::Step;
using sparse::Trained;
using sparse::View;

enum class Mode : std::uint8_t { training, pure_training, evaluation };

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// A normalisation: what is trained, what runs along, and the moments of the batch at hand.
struct Norm {
  Trained scale;
  Trained shift;
  std::vector<float> running_mean;
  std::vector<float> running_variance;
  std::vector<double> mean;
  std::vector<double> variance;
  std::vector<sparse::GradientSums> sums;  ///< [blocks][channels], of the backward pass

  NormState state() { return {scale.value, shift.value, mean, variance}; }
};

/// A global pooling is an average pooling whose window is the whole input.
Window whole(const Shape& shape) { return {shape.height, shape.width, 1, 0}; }

class SparseExecutor final : public Executor {
 public:
  SparseExecutor(const Network& network, std::int64_t threads, const Kernels& kernels);

  const Network& network() const override { return network_; }
  void write(const TrainingState& state) override;
  TrainingState read() const override;
  BatchSums forward_backward(const Batch& batch) override;
  void step(const SgdStep& step) override;
  BatchSums evaluate(const Batch& batch, std::span<std::int32_t> predictions) override;
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override;
  Parameters gradients() const override;

 private:
  /// Where a backward pass leaves its results: in the layers, or, if dense gradients are asked for,
  /// there.
  using DenseGradients = std::vector<std::vector<float>>;

  Parameters parameters(std::vector<float> Trained::*what) const;
  void check(std::string_view call, const Batch& batch, Mode mode) const;
  Run prepare(const Batch& batch);
  View view(std::int32_t buffer);
  View value(std::int32_t node) { return view(plan_.value[at(node)]); }
  View gradient(std::int32_t node) { return view(plan_.gradient[at(node)]); }

  template <typename F>
  void run_segment(const Run& run, const Segment& segment, F f);
  void forward(const Run& run, const Batch& batch, Mode mode);
  void take_moments(const Run& run, const Instruction& instruction, Mode mode);
  void apply(const Run& run, Blocks part, const Instruction& instruction);
  BatchSums loss(const Batch& batch, bool with_gradient, std::span<std::int32_t> predictions);
  void backward(const Run& run, DenseGradients* dense);
  void differentiate(const Run& run, Blocks part, const Step& step);
  sparse::NormBackward norm_tensors(const Instruction& instruction);
  /// What a segment leaves to do for the whole batch.
  void finish(const Run& run, const Step& step, DenseGradients* dense);
  void differentiate_weights(const Run& run, const Instruction& instruction, DenseGradients* dense);
  void update_running(std::int64_t samples);

  Network network_;
  std::int64_t threads_;
  const Kernels* kernels_;
  sparse::Plan plan_;
  std::vector<SparseLayer> layers_;
  std::vector<Norm> norms_;
  std::vector<sparse::Tensor> buffers_;
  std::vector<std::vector<sparse::PlaneMoments>> moments_;  ///< per node that is normalised
  std::vector<double> softmax_;  ///< room for the exponentials of a sample
  std::vector<float> unused_;    ///< where a pure pass leaves the gradients of a normalisation
  std::int64_t blocks_ = 0;      ///< that the buffers have room for
  bool written_ = false;
  bool has_gradients_ = false;
};

SparseExecutor::SparseExecutor(const Network& network, std::int64_t threads, const Kernels& kernels)
    : network_(network), threads_(threads), kernels_(&kernels), plan_(sparse::make_plan(network)) {
  if (threads < 1 || threads > 1024) {
    throw Error("make_sparse_executor", fmt::format("{} threads", threads), "ask for 1 to 1024");
  }
  for (const Layer& layer : network_.layers) {
    const Node& node = network_.nodes[at(layer.node)];
    SparseLayer added;
    added.place = {layer, node.window, plan_.layouts[at(node.inputs[0])],
                   plan_.layouts[at(layer.node)]};
    if (node.operation == Operation::linear) {
      added.place.window = Window{};
    }
    check_index_range(added.place);
    layers_.push_back(std::move(added));
  }
  for (const Instruction& instruction : plan_.instructions) {
    const std::int32_t layer = network_.nodes[at(instruction.node)].layer;
    if (layer >= 0) {
      layers_[at(layer)].has_input_gradient = instruction.to_input != Contribution::none;
    }
  }
  moments_.resize(network_.nodes.size());
  norms_.resize(at(network_.norm_count));
  std::size_t widest = 0;
  for (const Node& node : network_.nodes) {
    const std::size_t channels = at(node.shape.channels);
    if (node.operation == Operation::batch_norm) {
      norms_[at(node.norm)].mean.resize(channels);
      norms_[at(node.norm)].variance.resize(channels);
      widest = std::max(widest, channels);
    }
    if (node.operation == Operation::max_pool &&
        node.window.padding >= std::min(node.window.height, node.window.width)) {
      throw Error(fmt::format("{}: {}", network_.name, node.name),
                  fmt::format("padding {} leaves windows of {}x{} without any input",
                              node.window.padding, node.window.height, node.window.width),
                  "pad by less than the window");
    }
  }
  unused_.resize(2 * widest);
  softmax_.resize(at(network_.classes()));
}

void SparseExecutor::write(const TrainingState& state) {
  check_sizes(network_, state.values);
  check_sizes(network_, state.momentum);
  check_mask_invariant(network_, state);
  for (std::size_t k = 0; k < norms_.size(); ++k) {
    if (state.values.norms[k].mean.empty() || !state.momentum.norms[k].mean.empty()) {
      throw Error(fmt::format("{}: normalisation {}", network_.name, k),
                  "running statistics belong to the values, not to the momentum");
    }
  }
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    layers_[l].write(state.mask.layers[l], state.values.weights[l], state.momentum.weights[l]);
    layers_[l].bias.write(state.values.biases[l], state.momentum.biases[l]);
  }
  for (std::size_t k = 0; k < norms_.size(); ++k) {
    const NormParameters& values = state.values.norms[k];
    norms_[k].scale.write(values.scale, state.momentum.norms[k].scale);
    norms_[k].shift.write(values.shift, state.momentum.norms[k].shift);
    norms_[k].running_mean = values.mean;
    norms_[k].running_variance = values.variance;
  }
  written_ = true;
  has_gradients_ = false;
}

Parameters SparseExecutor::parameters(std::vector<float> Trained::*what) const {
  Parameters result;
  for (const SparseLayer& layer : layers_) {
    result.weights.push_back(layer.dense(layer.weight.*what));
    result.biases.push_back(layer.bias.*what);
  }
  for (const Norm& norm : norms_) {
    result.norms.push_back({norm.scale.*what, norm.shift.*what, {}, {}});
  }
  return result;
}

TrainingState SparseExecutor::read() const {
  if (!written_) {
    throw Error("SparseExecutor::read", "the executor has no state yet", "write one first");
  }
  TrainingState state{parameters(&Trained::value), parameters(&Trained::momentum), {}};
  for (const SparseLayer& layer : layers_) {
    state.mask.layers.push_back(layer.mask);
  }
  for (std::size_t k = 0; k < norms_.size(); ++k) {
    state.values.norms[k].mean = norms_[k].running_mean;
    state.values.norms[k].variance = norms_[k].running_variance;
  }
  return state;
}

Parameters SparseExecutor::gradients() const {
  if (!has_gradients_) {
    throw Error("SparseExecutor::gradients", "there are no gradients",
                "call forward_backward first");
  }
  return parameters(&Trained::gradient);
}

void SparseExecutor::check(std::string_view call, const Batch& batch, Mode mode) const {
  const auto fail = [&](const std::string& problem, std::string_view remedy = {}) {
    throw Error(fmt::format("{}: {}", network_.name, call), problem, remedy);
  };
  if (!written_) {
    fail("the executor has no state yet", "write one first");
  }
  if (batch.size() == 0) {
    fail("the batch is empty");
  }
  const std::int64_t elements = network_.input_shape().elements();
  if (std::ssize(batch.images) != batch.size() * elements) {
    fail(fmt::format("{} labels need {} values of images, not {}", batch.size(),
                     batch.size() * elements, batch.images.size()));
  }
  for (std::size_t s = 0; s < batch.labels.size(); ++s) {
    if (batch.labels[s] < 0 || batch.labels[s] >= network_.classes()) {
      fail(fmt::format("label {} of sample {} is not in [0, {})", batch.labels[s], s,
                       network_.classes()));
    }
  }
  for (const Node& node : network_.nodes) {
    if (mode != Mode::evaluation && node.operation == Operation::batch_norm &&
        batch.size() * node.shape.positions() < 2) {
      fail(fmt::format("{} has a single value per channel, which has no variance", node.name),
           "use larger batches");
    }
  }
}

/// Buffers for the largest batch so far. A smaller one uses their beginnings: the blocks of a
/// tensor do not depend on their number.
Run SparseExecutor::prepare(const Batch& batch) {
  const Run run(*kernels_, threads_, batch.size());
  if (run.blocks > blocks_) {
    buffers_.clear();
    for (const sparse::Layout& layout : plan_.buffers) {
      buffers_.emplace_back(at(run.blocks * layout.block()));
    }
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      const std::size_t planes = at(run.blocks * network_.nodes[n].shape.channels);
      moments_[n].resize(plan_.normalised[n] ? planes : 0);
      if (network_.nodes[n].norm >= 0) {
        norms_[at(network_.nodes[n].norm)].sums.resize(planes);
      }
    }
    blocks_ = run.blocks;
  }
  return run;
}

View SparseExecutor::view(std::int32_t buffer) {
  return {plan_.buffers[at(buffer)], buffers_[at(buffer)].data()->lanes.data()};
}

/// Calls f(blocks) for every block, or for all blocks of a thread at once.
template <typename F>
void SparseExecutor::run_segment(const Run& run, const Segment& segment, F f) {
  sparse::in_parts(run.threads, run.blocks, [&](std::int64_t begin, std::int64_t end) {
    if (segment.vectors) {
      f(Blocks{begin, end});
      return;
    }
    for (std::int64_t b = begin; b < end; ++b) {
      f(Blocks{b, b + 1});
    }
  });
}

void SparseExecutor::forward(const Run& run, const Batch& batch, Mode mode) {
  const auto measure = [&](Blocks part, std::int32_t node) {
    if (plan_.normalised[at(node)] && mode != Mode::evaluation) {
      sparse::plane_moments(run, part, value(node), moments_[at(node)]);
    }
  };
  run_segment(run, {}, [&](Blocks part) {
    sparse::pack(run, part, batch.images, value(0));
    measure(part, 0);
  });
  for (const Segment& segment : plan_.forward) {
    for (const Step& step : segment.steps) {
      take_moments(run, plan_.instructions[at(step.instruction)], mode);
    }
    run_segment(run, segment, [&](Blocks part) {
      for (const Step& step : segment.steps) {
        const Instruction& instruction = plan_.instructions[at(step.instruction)];
        apply(run, part, instruction);
        measure(part, instruction.output);
      }
    });
  }
}

/// The moments by which a normalisation is about to normalise.
void SparseExecutor::take_moments(const Run& run, const Instruction& instruction, Mode mode) {
  const std::int32_t k = network_.nodes[at(instruction.node)].norm;
  if (k < 0) {
    return;
  }
  Norm& norm = norms_[at(k)];
  if (mode == Mode::evaluation) {
    norm.mean.assign(norm.running_mean.begin(), norm.running_mean.end());
    norm.variance.assign(norm.running_variance.begin(), norm.running_variance.end());
  } else {
    sparse::batch_moments(run, plan_.layouts[at(instruction.input)],
                          moments_[at(instruction.input)], norm.state());
  }
}

void SparseExecutor::apply(const Run& run, Blocks part, const Instruction& instruction) {
  const Node& node = network_.nodes[at(instruction.node)];
  const View input = value(instruction.input);
  const View output = value(instruction.output);
  const View other = instruction.other < 0 ? View{} : value(instruction.other);
  switch (node.operation) {
    case Operation::input:
      break;
    case Operation::convolution:
    case Operation::linear: {
      const SparseLayer& layer = layers_[at(node.layer)];
      sparse::convolve(run, part, layer.place, layer.index, layer.weight.value, layer.bias.value,
                       input, output);
      break;
    }
    case Operation::batch_norm:
      sparse::normalise(run, part, norms_[at(node.norm)].state(), input, other, instruction.relu,
                        output);
      break;
    case Operation::relu:
      sparse::relu(run, part, input, output);
      break;
    case Operation::add:
      sparse::add(run, part, input, other, output);
      break;
    case Operation::max_pool:
      sparse::max_pool(run, part, node.window, input, output);
      break;
    case Operation::average_pool:
      sparse::average_pool(run, part, node.window, input, output);
      break;
    case Operation::global_average_pool:
      sparse::average_pool(run, part, whole(input.layout.shape), input, output);
      break;
    case Operation::flatten:
      sparse::flatten(run, part, input, output);
      break;
  }
}

BatchSums SparseExecutor::loss(const Batch& batch, bool with_gradient,
                               std::span<std::int32_t> predictions) {
  const std::int32_t last = static_cast<std::int32_t>(network_.nodes.size()) - 1;
  const sparse::Tensor& logits = buffers_[at(plan_.value[at(last)])];
  std::span<sparse::Position> to;
  if (with_gradient) {
    to = buffers_[at(plan_.gradient[at(last)])];
  }
  return sparse::softmax_loss(plan_.layouts[at(last)], logits, batch.labels, softmax_, to,
                              predictions);
}

void SparseExecutor::backward(const Run& run, DenseGradients* dense) {
  for (const Segment& segment : plan_.backward) {
    run_segment(run, segment, [&](Blocks part) {
      for (const Step& step : segment.steps) {
        differentiate(run, part, step);
      }
    });
    for (const Step& step : segment.steps) {
      finish(run, step, dense);
    }
  }
}

void SparseExecutor::differentiate(const Run& run, Blocks part, const Step& step) {
  const Instruction& instruction = plan_.instructions[at(step.instruction)];
  const Node& node = network_.nodes[at(instruction.node)];
  const View own = gradient(instruction.output);
  const bool accumulate = instruction.to_input == Contribution::accumulate;
  if (node.operation == Operation::batch_norm) {
    Norm& norm = norms_[at(node.norm)];
    if (step.part == Part::first_half) {
      sparse::normalise_gradient_sums(run, part, norm.state(), norm_tensors(instruction),
                                      norm.sums);
    } else {
      sparse::normalise_backward(run, part, norm.state(), norm_tensors(instruction), norm.sums);
    }
    return;
  }
  if (node.operation == Operation::add) {
    for (const auto& [input, contribution] : {std::pair(instruction.other, instruction.to_other),
                                              std::pair(instruction.input, instruction.to_input)}) {
      if (contribution == Contribution::write) {
        sparse::copy(run, part, own, gradient(input));
      } else if (contribution == Contribution::accumulate) {
        sparse::add(run, part, gradient(input), own, gradient(input));
      }
    }
    return;
  }
  if (instruction.to_input == Contribution::none) {
    return;
  }
  const View to = gradient(instruction.input);
  switch (node.operation) {
    case Operation::input:
    case Operation::batch_norm:
    case Operation::add:
      break;
    case Operation::convolution:
    case Operation::linear: {
      const SparseLayer& layer = layers_[at(node.layer)];
      sparse::convolve_input_gradient(run, part, layer.place, layer.index, layer.reordered, own,
                                      accumulate, to);
      break;
    }
    case Operation::relu:
      sparse::relu_backward(run, part, value(instruction.output), own, accumulate, to);
      break;
    case Operation::max_pool:
      sparse::max_pool_backward(run, part, node.window, value(instruction.input), own, accumulate,
                                to);
      break;
    case Operation::average_pool:
      sparse::average_pool_backward(run, part, node.window, own, accumulate, to);
      break;
    case Operation::global_average_pool:
      sparse::average_pool_backward(run, part, whole(to.layout.shape), own, accumulate, to);
      break;
    case Operation::flatten:
      sparse::flatten_backward(run, part, own, accumulate, to);
      break;
  }
}

sparse::NormBackward SparseExecutor::norm_tensors(const Instruction& instruction) {
  sparse::NormBackward tensors;
  tensors.input = value(instruction.input);
  tensors.output = value(instruction.output);
  tensors.gradient = gradient(instruction.output);
  tensors.addition = instruction.other >= 0;
  tensors.relu = instruction.relu;
  tensors.to_other = instruction.to_other;
  if (instruction.to_other != Contribution::none) {
    tensors.other_gradient = gradient(instruction.other);
  }
  tensors.to_input = instruction.to_input;
  if (instruction.to_input != Contribution::none) {
    tensors.input_gradient = gradient(instruction.input);
  }
  return tensors;
}

void SparseExecutor::finish(const Run& run, const Step& step, DenseGradients* dense) {
  const Instruction& instruction = plan_.instructions[at(step.instruction)];
  const Node& node = network_.nodes[at(instruction.node)];
  if (node.layer >= 0) {
    differentiate_weights(run, instruction, dense);
  }
  if (node.norm >= 0 && step.part == Part::first_half) {
    Norm& norm = norms_[at(node.norm)];
    const std::size_t channels = norm.mean.size();
    std::span<float> scale(norm.scale.gradient);
    std::span<float> shift(norm.shift.gradient);
    if (dense != nullptr) {
      scale = std::span(unused_).first(channels);
      shift = std::span(unused_).subspan(channels, channels);
    }
    sparse::batch_gradient_sums(run, norm.state(), norm.sums, scale, shift);
  }
}

void SparseExecutor::differentiate_weights(const Run& run, const Instruction& instruction,
                                           DenseGradients* dense) {
  const std::size_t l = at(network_.nodes[at(instruction.node)].layer);
  SparseLayer& layer = layers_[l];
  const View input = value(instruction.input);
  const View own = gradient(instruction.output);
  if (dense == nullptr) {
    sparse::convolve_weight_gradient(run, layer.place, layer.index.begin, layer.index.offset, false,
                                     input, own, layer.weight.gradient);
    sparse::bias_gradient(run, own, layer.bias.gradient);
    return;
  }
  const Layer& shape = layer.place.layer;
  std::vector<std::int32_t> begin;
  for (std::int64_t o = 0; o <= shape.outputs; ++o) {
    begin.push_back(static_cast<std::int32_t>(o * shape.fan_in()));
  }
  (*dense)[l].resize(at(shape.connections()));
  sparse::convolve_weight_gradient(run, layer.place, begin, sparse::all_offsets(layer.place), true,
                                   input, own, (*dense)[l]);
}

/// The running variance is the unbiased one, the batch is normalised by the biased one.
void SparseExecutor::update_running(std::int64_t samples) {
  const auto mix = [](float old, double fresh) {
    return static_cast<float>((1 - kNormMomentum) * static_cast<double>(old) +
                              kNormMomentum * fresh);
  };
  for (const Node& node : network_.nodes) {
    if (node.operation == Operation::batch_norm) {
      Norm& norm = norms_[at(node.norm)];
      const double count = static_cast<double>(samples * node.shape.positions());
      for (std::size_t c = 0; c < norm.mean.size(); ++c) {
        norm.running_mean[c] = mix(norm.running_mean[c], norm.mean[c]);
        norm.running_variance[c] =
            mix(norm.running_variance[c], norm.variance[c] * count / (count - 1));
      }
    }
  }
}

BatchSums SparseExecutor::forward_backward(const Batch& batch) {
  check("forward_backward", batch, Mode::training);
  const Run run = prepare(batch);
  forward(run, batch, Mode::training);
  update_running(batch.size());
  const BatchSums sums = loss(batch, true, {});
  backward(run, nullptr);
  has_gradients_ = true;
  return sums;
}

std::vector<std::vector<float>> SparseExecutor::dense_gradients(const Batch& batch) {
  check("dense_gradients", batch, Mode::pure_training);
  const Run run = prepare(batch);
  forward(run, batch, Mode::pure_training);
  loss(batch, true, {});
  DenseGradients dense(layers_.size());
  backward(run, &dense);
  return dense;
}

BatchSums SparseExecutor::evaluate(const Batch& batch, std::span<std::int32_t> predictions) {
  check("evaluate", batch, Mode::evaluation);
  if (!predictions.empty() && std::ssize(predictions) != batch.size()) {
    throw Error(fmt::format("{}: evaluate", network_.name),
                fmt::format("room for {} predictions, the batch has {} samples", predictions.size(),
                            batch.size()));
  }
  forward(prepare(batch), batch, Mode::evaluation);
  return loss(batch, false, predictions);
}

void SparseExecutor::step(const SgdStep& step) {
  for (const double number : {step.learning_rate, step.momentum, step.weight_decay}) {
    if (!std::isfinite(number)) {
      throw Error("SparseExecutor::step", "a step needs finite numbers");
    }
  }
  if (!has_gradients_) {
    throw Error("SparseExecutor::step", "there are no gradients", "call forward_backward first");
  }
  for (SparseLayer& layer : layers_) {
    layer.weight.step(step);
    layer.bias.step(step);
    layer.reorder();
  }
  for (Norm& norm : norms_) {
    norm.scale.step(step);
    norm.shift.step(step);
  }
}

}  // namespace

std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads) {
  const std::vector<const Kernels*> fastest = sparse::vector_kernels();
  return make_sparse_executor(network, threads,
                              fastest.empty() ? sparse::reference_kernels() : *fastest.front());
}

std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads,
                                               const sparse::Kernels& kernels) {
  return std::make_unique<SparseExecutor>(network, threads, kernels);
}

}  // namespace gcg
