#include "backend/reference_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/check_batch.h"
#include "backend/reference_operations.h"
#include "backend/slots.h"
#include "base/error.h"

namespace gcg {

namespace {

using reference::Array;
using reference::Moments;

enum class Mode : std::uint8_t { training, evaluation };

/// All of one forward pass: what the backward pass reads.
struct Pass {
  std::vector<Array> outputs;    ///< per node
  std::vector<Moments> moments;  ///< per normalisation
};

/// Gradients in double precision, in the layout of Parameters.
struct Gradients {
  std::vector<std::vector<double>> weights;
  std::vector<std::vector<double>> biases;
  std::vector<std::vector<double>> scales;
  std::vector<std::vector<double>> shifts;
  std::vector<double> class_token;
  std::vector<double> positions;
};

std::vector<float> rounded(const std::vector<double>& values) {
  std::vector<float> result(values.size());
  std::ranges::transform(values, result.begin(), [](double v) { return static_cast<float>(v); });
  return result;
}

/// A global pooling is an average pooling whose window is the whole input.
Window whole(const Shape& shape) { return {shape.height, shape.width, 1, 0}; }

class ReferenceExecutor final : public Executor {
 public:
  explicit ReferenceExecutor(const Network& network) : network_(network) {}

  const Network& network() const override { return network_; }

  void write(const TrainingState& state) override {
    check_state(network_, state);
    state_ = state;
    written_ = true;
    has_gradients_ = false;
  }

  TrainingState read() const override {
    require(written_, "read", "has no state yet");
    return state_;
  }

  BatchSums forward_backward(const Batch& batch) override {
    check(batch, "forward_backward");
    const Pass pass = forward(batch, Mode::training);
    const Gradients gradients = backward(pass, batch);
    update_running_statistics(pass, batch.size());
    gradients_ = Parameters{};
    for (std::size_t l = 0; l < network_.layers.size(); ++l) {
      gradients_.weights.push_back(rounded(gradients.weights[l]));
      gradients_.biases.push_back(rounded(gradients.biases[l]));
      for (std::int64_t i = 0; i < state_.mask.layers[l].size(); ++i) {
        if (!state_.mask.layers[l].test(i)) {
          gradients_.weights[l][static_cast<std::size_t>(i)] = 0.0F;
        }
      }
    }
    for (std::size_t k = 0; k < gradients.scales.size(); ++k) {
      gradients_.norms.push_back(
          {rounded(gradients.scales[k]), rounded(gradients.shifts[k]), {}, {}});
    }
    gradients_.tokens = {rounded(gradients.class_token), rounded(gradients.positions)};
    has_gradients_ = true;
    return sums(pass, batch, Mode::training, {});
  }

  void step(const OptimiserStep& step) override {
    check_step(step);
    std::vector<std::string> names;
    for (const Slot& slot : state_.slots) {
      names.push_back(slot.name);
    }
    check_slots(*step.optimiser, names);
    require(has_gradients_, "step", "has no gradients");
    if (state_.slots.empty()) {
      state_.slots = empty_slots(network_, *step.optimiser);
    }
    state_.updates += step.optimiser->counts_updates ? 1 : 0;
    // Array by array: values, gradient, slots.
    std::vector<ArrayUpdate> updates;
    for_each_array(state_.values, [&](ParameterKind kind, std::vector<float>& values) {
      updates.push_back({kind, values, {}, {}, state_.updates});
    });
    std::size_t a = 0;
    for_each_array(gradients_, [&](ParameterKind, std::vector<float>& gradient) {
      updates[a++].gradient = gradient;
    });
    for (std::size_t s = 0; s < state_.slots.size(); ++s) {
      a = 0;
      for_each_array(state_.slots[s].values, [&](ParameterKind, std::vector<float>& slot) {
        updates[a++].slots[s] = slot;
      });
    }
    for (const ArrayUpdate& update : updates) {
      step.optimiser->update(step, update);
    }
    clear_absent(state_);
  }

  BatchSums evaluate(const Batch& batch, const PerSample& each) override {
    check(batch, "evaluate");
    check_room(network_, "evaluate", batch, each);
    return sums(forward(batch, Mode::evaluation), batch, Mode::evaluation, each);
  }

  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override {
    check(batch, "dense_gradients");
    const Gradients gradients = backward(forward(batch, Mode::training), batch);
    std::vector<std::vector<float>> result;
    for (const std::vector<double>& weights : gradients.weights) {
      result.push_back(rounded(weights));
    }
    return result;
  }

  Parameters gradients() const override {
    require(has_gradients_, "gradients", "has no gradients");
    return gradients_;
  }

 private:
  void require(bool condition, std::string_view call, std::string_view problem) const {
    if (!condition) {
      throw Error(fmt::format("{}: {}", network_.name, call), problem);
    }
  }

  void check(const Batch& batch, std::string_view call) const {
    require(written_, call, "has no state yet");
    require(batch.size() > 0, call, "the batch is empty");
    require(std::ssize(batch.images) == batch.size() * network_.input_shape().elements(), call,
            "images and labels do not fit together");
    require(batch.label_smoothing >= 0 && batch.label_smoothing < 1, call,
            fmt::format("a label smoothing of {} is not in [0, 1)", batch.label_smoothing));
    for (const std::int32_t label : batch.labels) {
      require(label >= 0 && label < network_.classes(), call,
              fmt::format("label {} is not in [0, {})", label, network_.classes()));
    }
    const std::int64_t seconds = std::ssize(batch.second_labels);
    require(seconds == 0 || seconds == batch.size(), call,
            fmt::format("{} second labels for {} samples", seconds, batch.size()));
    for (std::size_t s = 0; s < batch.second_labels.size(); ++s) {
      require(batch.second_labels[s] >= 0 && batch.second_labels[s] < network_.classes(), call,
              fmt::format("second label {} of sample {}", batch.second_labels[s], s));
    }
    require(batch.second_share >= 0 && batch.second_share <= 1, call,
            fmt::format("a share of {} of second labels", batch.second_share));
    const std::int64_t factors = std::ssize(batch.branch_factors);
    require(factors == 0 || factors == network_.drop_count * batch.size(), call,
            fmt::format("{} factors of branches for {} samples", factors, batch.size()));
    for (const Node& node : network_.nodes) {
      require(call == "evaluate" || node.operation != Operation::batch_norm ||
                  batch.size() * node.shape.positions() > 1,
              call, "a single value per channel has no variance");
    }
  }

  /// The running variance is the unbiased one, the batch is normalised by the biased one.
  void update_running_statistics(const Pass& pass, std::int64_t samples) {
    for (const Node& node : network_.nodes) {
      if (node.operation == Operation::batch_norm) {
        const std::size_t k = static_cast<std::size_t>(node.norm);
        const double count = static_cast<double>(samples * node.shape.positions());
        NormParameters& norm = state_.values.norms[k];
        for (std::size_t c = 0; c < norm.mean.size(); ++c) {
          const auto mix = [](float old, double fresh) {
            return static_cast<float>((1 - kNormMomentum) * static_cast<double>(old) +
                                      kNormMomentum * fresh);
          };
          norm.mean[c] = mix(norm.mean[c], pass.moments[k].mean[c]);
          norm.variance[c] =
              mix(norm.variance[c], pass.moments[k].variance[c] * count / (count - 1));
        }
      }
    }
  }

  Pass forward(const Batch& batch, Mode mode) const {
    Pass pass;
    pass.moments.resize(static_cast<std::size_t>(network_.norm_count));
    for (const Node& node : network_.nodes) {
      pass.outputs.emplace_back(batch.size(), node.shape);
      Array& output = pass.outputs.back();
      if (node.operation == Operation::input) {
        output.values.assign(batch.images.begin(), batch.images.end());
        continue;
      }
      const Array& input = pass.outputs[static_cast<std::size_t>(node.inputs[0])];
      const std::size_t l = static_cast<std::size_t>(node.layer);
      const std::size_t k = static_cast<std::size_t>(node.norm);
      switch (node.operation) {
        case Operation::input:
          break;
        case Operation::convolution:
        case Operation::linear:
          convolve(input, state_.values.weights[l], state_.values.biases[l], node.window, output);
          break;
        case Operation::batch_norm: {
          const NormParameters& norm = state_.values.norms[k];
          pass.moments[k] = mode == Mode::training
                                ? batch_moments(input)
                                : Moments{{norm.mean.begin(), norm.mean.end()},
                                          {norm.variance.begin(), norm.variance.end()}};
          normalise(input, pass.moments[k], norm.scale, norm.shift, output);
          break;
        }
        case Operation::relu:
          std::ranges::transform(input.values, output.values.begin(),
                                 [](double v) { return v < 0 ? 0 : v; });
          break;
        case Operation::add:
          std::ranges::transform(input.values,
                                 pass.outputs[static_cast<std::size_t>(node.inputs[1])].values,
                                 output.values.begin(), std::plus<>());
          break;
        case Operation::max_pool:
          max_pool(input, node.window, output);
          break;
        case Operation::average_pool:
          average_pool(input, node.window, output);
          break;
        case Operation::global_average_pool:
          average_pool(input, whole(input.shape), output);
          break;
        case Operation::flatten:
          output.values = input.values;
          break;
        case Operation::layer_norm:
          layer_norm(input, state_.values.norms[k].scale, state_.values.norms[k].shift, output);
          break;
        case Operation::gelu:
          std::ranges::transform(input.values, output.values.begin(), reference::gelu);
          break;
        case Operation::drop_path:
          for (std::size_t i = 0; i < input.values.size(); ++i) {
            output.values[i] =
                input.values[i] * (mode == Mode::training ? branch_factor(batch, node, i) : 1);
          }
          break;
        case Operation::tokens:
          tokens(input, state_.values.tokens.class_token, state_.values.tokens.positions, output);
          break;
        case Operation::attention:
          attention(input, pass.outputs[static_cast<std::size_t>(node.inputs[1])],
                    pass.outputs[static_cast<std::size_t>(node.inputs[2])], node.heads, output);
          break;
        case Operation::first_token:
          first_token(input, output);
          break;
      }
    }
    return pass;
  }

  /// Softmax of the logits of one sample.
  static std::vector<double> softmax(std::span<const double> logits) {
    const double largest = *std::ranges::max_element(logits);
    std::vector<double> result;
    double sum = 0;
    for (const double logit : logits) {
      result.push_back(std::exp(logit - largest));
      sum += result.back();
    }
    for (double& value : result) {
      value /= sum;
    }
    return result;
  }

  /// What the probability of a class shall be.
  double target(const Batch& batch, std::size_t sample, std::size_t c, Mode mode) const {
    const auto is = [&](std::int32_t label) {
      return c == static_cast<std::size_t>(label) ? 1.0 : 0.0;
    };
    double hard = is(batch.labels[sample]);
    if (mode == Mode::evaluation) {
      return hard;
    }
    if (!batch.second_labels.empty()) {
      hard = (1 - batch.second_share) * hard + batch.second_share * is(batch.second_labels[sample]);
    }
    return (1 - batch.label_smoothing) * hard +
           batch.label_smoothing / static_cast<double>(network_.classes());
  }

  /// Of the i-th value of a tensor.
  static double branch_factor(const Batch& batch, const Node& node, std::size_t i) {
    if (batch.branch_factors.empty()) {
      return 1;
    }
    const std::size_t sample = i / static_cast<std::size_t>(node.shape.elements());
    const auto first = static_cast<std::size_t>(node.drop * batch.size());
    return static_cast<double>(batch.branch_factors[first + sample]);
  }

  BatchSums sums(const Pass& pass, const Batch& batch, Mode mode, const PerSample& each) const {
    const std::size_t classes = static_cast<std::size_t>(network_.classes());
    BatchSums result;
    result.samples = batch.size();
    for (std::size_t s = 0; s < batch.labels.size(); ++s) {
      const std::span<const double> logits(&pass.outputs.back().values[s * classes], classes);
      const auto prediction = std::ranges::max_element(logits) - logits.begin();
      double loss = 0;
      for (std::size_t c = 0; c < classes; ++c) {
        loss -= target(batch, s, c, mode) * std::log(softmax(logits)[c]);
      }
      result.loss += loss;
      result.correct += prediction == batch.labels[s] ? 1 : 0;
      if (!each.classes.empty()) {
        each.classes[s] = static_cast<std::int32_t>(prediction);
      }
      if (!each.losses.empty()) {
        each.losses[s] = static_cast<float>(loss);
      }
    }
    return result;
  }

  Gradients backward(const Pass& pass, const Batch& batch) const {
    Gradients result;
    for (std::size_t l = 0; l < network_.layers.size(); ++l) {
      result.weights.emplace_back(state_.values.weights[l].size(), 0.0);
      result.biases.emplace_back(state_.values.biases[l].size(), 0.0);
    }
    for (const NormParameters& norm : state_.values.norms) {
      result.scales.emplace_back(norm.scale.size(), 0.0);
      result.shifts.emplace_back(norm.shift.size(), 0.0);
    }
    result.class_token.resize(state_.values.tokens.class_token.size());
    result.positions.resize(state_.values.tokens.positions.size());
    std::vector<Array> gradients;
    for (const Node& node : network_.nodes) {
      gradients.emplace_back(batch.size(), node.shape);
    }
    const std::size_t classes = static_cast<std::size_t>(network_.classes());
    for (std::size_t s = 0; s < batch.labels.size(); ++s) {
      const std::vector<double> probabilities =
          softmax({&pass.outputs.back().values[s * classes], classes});
      for (std::size_t c = 0; c < classes; ++c) {
        gradients.back().values[s * classes + c] =
            (probabilities[c] - target(batch, s, c, Mode::training)) /
            static_cast<double>(batch.size());
      }
    }
    for (std::size_t n = network_.nodes.size() - 1; n > 0; --n) {
      const Node& node = network_.nodes[n];
      const std::size_t from = static_cast<std::size_t>(node.inputs[0]);
      const std::size_t l = static_cast<std::size_t>(node.layer);
      const std::size_t k = static_cast<std::size_t>(node.norm);
      const Array& input = pass.outputs[from];
      const Array& gradient = gradients[n];
      Array& to = gradients[from];
      switch (node.operation) {
        case Operation::input:
          break;
        case Operation::convolution:
        case Operation::linear:
          convolve_backward(input, state_.values.weights[l], node.window, gradient, to,
                            result.weights[l], result.biases[l]);
          break;
        case Operation::batch_norm:
          normalise_backward(input, pass.moments[k], state_.values.norms[k].scale, gradient, to,
                             result.scales[k], result.shifts[k]);
          break;
        case Operation::relu:
          for (std::size_t i = 0; i < to.values.size(); ++i) {
            to.values[i] += input.values[i] > 0 ? gradient.values[i] : 0;
          }
          break;
        case Operation::add:
          for (const std::int32_t branch : node.inputs) {
            std::vector<double>& values = gradients[static_cast<std::size_t>(branch)].values;
            std::ranges::transform(values, gradient.values, values.begin(), std::plus<>());
          }
          break;
        case Operation::max_pool:
          max_pool_backward(input, node.window, gradient, to);
          break;
        case Operation::average_pool:
          average_pool_backward(node.window, gradient, to);
          break;
        case Operation::global_average_pool:
          average_pool_backward(whole(input.shape), gradient, to);
          break;
        case Operation::flatten:
          std::ranges::transform(to.values, gradient.values, to.values.begin(), std::plus<>());
          break;
        case Operation::layer_norm:
          layer_norm_backward(input, state_.values.norms[k].scale, gradient, to, result.scales[k],
                              result.shifts[k]);
          break;
        case Operation::gelu:
          for (std::size_t i = 0; i < to.values.size(); ++i) {
            to.values[i] += reference::gelu_derivative(input.values[i]) * gradient.values[i];
          }
          break;
        case Operation::drop_path:
          for (std::size_t i = 0; i < to.values.size(); ++i) {
            to.values[i] += branch_factor(batch, node, i) * gradient.values[i];
          }
          break;
        case Operation::tokens:
          tokens_backward(gradient, to, result.class_token, result.positions);
          break;
        case Operation::attention: {
          const auto key = static_cast<std::size_t>(node.inputs[1]);
          const auto value = static_cast<std::size_t>(node.inputs[2]);
          attention_backward(input, pass.outputs[key], pass.outputs[value], node.heads, gradient,
                             to, gradients[key], gradients[value]);
          break;
        }
        case Operation::first_token:
          first_token_backward(gradient, to);
          break;
      }
    }
    return result;
  }

  Network network_;
  TrainingState state_;
  Parameters gradients_;
  bool written_ = false;
  bool has_gradients_ = false;
};

}  // namespace

std::unique_ptr<Executor> make_reference_executor(const Network& network) {
  return std::make_unique<ReferenceExecutor>(network);
}

}  // namespace gcg
