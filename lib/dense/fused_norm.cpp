#include "dense/fused_norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <span>
#include <vector>

#include "dense/normalise.h"
#include "graph/parameters.h"

namespace gcg {

namespace {

std::span<float> memory(const at::Tensor& tensor) {
  if (!tensor.defined()) {
    return {};
  }
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

at::Tensor channels_last(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous(at::MemoryFormat::ChannelsLast) : tensor;
}

at::Tensor vector_of(const std::vector<float>& values) {
  const at::Tensor tensor = at::empty({static_cast<std::int64_t>(values.size())}, at::kFloat);
  std::copy(values.begin(), values.end(), memory(tensor).begin());
  return tensor;
}

Normalisation normalisation(const ChannelMoments& moments, std::span<const float> scale,
                            std::span<const float> shift) {
  Normalisation norm;
  for (std::size_t c = 0; c < scale.size(); ++c) {
    norm.mean.push_back(static_cast<float>(moments.mean[c]));
    norm.slope.push_back(static_cast<float>(static_cast<double>(scale[c]) /
                                            std::sqrt(moments.variance[c] + kNormEpsilon)));
    norm.shift.push_back(shift[c]);
  }
  return norm;
}

at::Tensor normalised(const Normalisation& norm, const at::Tensor& x, const at::Tensor& shortcut,
                      bool relu) {
  const at::Tensor output = at::empty_like(x, at::kFloat);
  normalise(norm, memory(x), memory(shortcut), relu, memory(output));
  return output;
}

void update_running(const FusedNorm& norm, const ChannelMoments& moments, double count) {
  const auto mix = [](float old, double fresh) {
    return static_cast<float>((1 - kNormMomentum) * static_cast<double>(old) +
                              kNormMomentum * fresh);
  };
  const std::span<float> mean = memory(norm.running_mean);
  const std::span<float> variance = memory(norm.running_variance);
  for (std::size_t c = 0; c < mean.size(); ++c) {
    mean[c] = mix(mean[c], moments.mean[c]);
    variance[c] = mix(variance[c], moments.variance[c] * count / (count - 1));
  }
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::tensor_list;

  static at::Tensor forward(Context* context, const at::Tensor& input, const at::Tensor& scale,
                            const at::Tensor& shift, const c10::optional<at::Tensor>& beside,
                            const FusedNorm& norm) {
    const at::Tensor shortcut = beside ? channels_last(*beside) : at::Tensor();
    const at::Tensor x = channels_last(input);
    const ChannelMoments moments = channel_moments(memory(x), x.size(1));
    const double count = static_cast<double>(x.numel() / x.size(1));
    update_running(norm, moments, count);
    const at::Tensor y =
        normalised(normalisation(moments, memory(scale), memory(shift)), x, shortcut, norm.relu);
    std::vector<float> mean(moments.mean.begin(), moments.mean.end());
    std::vector<float> variance(moments.variance.begin(), moments.variance.end());
    context->save_for_backward({x, scale, shift, vector_of(mean), vector_of(variance),
                                norm.relu && shortcut.defined() ? y : at::Tensor()});
    context->saved_data["relu"] = norm.relu;
    context->saved_data["shortcut"] = shortcut.defined();
    return y;
  }

  static Tensors backward(Context* context, Tensors gradients) {
    const Tensors saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const bool has_shortcut = context->saved_data["shortcut"].toBool();
    bool relu = context->saved_data["relu"].toBool();
    at::Tensor g = channels_last(gradients[0]);
    if (relu && has_shortcut) {
      // What the shortcut gets is a tensor anyway.
      g = channels_last(at::threshold_backward(g, saved[5], 0));
      relu = false;
    }
    const std::span<float> mean = memory(saved[3]);
    const std::span<float> variance = memory(saved[4]);
    const Normalisation norm =
        normalisation({{mean.begin(), mean.end()}, {variance.begin(), variance.end()}},
                      memory(saved[1]), memory(saved[2]));
    const GradientSums sums = gradient_sums(norm, memory(x), relu, memory(g));
    const double count = static_cast<double>(x.numel() / x.size(1));
    std::vector<float> scale_gradient;
    std::vector<float> shift_gradient;
    std::vector<float> centred_factor;
    std::vector<float> constant;
    for (std::size_t c = 0; c < norm.slope.size(); ++c) {
      // Mean and variance move with every input: both sums flow back to all of them.
      const double slope = static_cast<double>(norm.slope[c]);
      const double inverse = 1 / (static_cast<double>(variance[c]) + kNormEpsilon);
      scale_gradient.push_back(static_cast<float>(sums.centred[c] * std::sqrt(inverse)));
      shift_gradient.push_back(static_cast<float>(sums.gradient[c]));
      centred_factor.push_back(static_cast<float>(-slope * inverse * sums.centred[c] / count));
      constant.push_back(static_cast<float>(-slope * sums.gradient[c] / count));
    }
    const at::Tensor input_gradient = at::empty_like(x, at::kFloat);
    normalise_backward(norm, memory(x), relu, memory(g), centred_factor, constant,
                       memory(input_gradient));
    return {input_gradient, vector_of(scale_gradient), vector_of(shift_gradient),
            has_shortcut ? g : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor norm_training(const FusedNorm& norm, const at::Tensor& x, const at::Tensor& shortcut) {
  // An undefined tensor must not be an argument.
  const auto beside = shortcut.defined() ? c10::make_optional(shortcut) : c10::nullopt;
  return NormFunction::apply(x, norm.scale, norm.shift, beside, norm);
}

at::Tensor norm_evaluation(const FusedNorm& norm, const at::Tensor& x, const at::Tensor& shortcut) {
  const std::span<float> mean = memory(norm.running_mean);
  const std::span<float> variance = memory(norm.running_variance);
  const ChannelMoments moments{{mean.begin(), mean.end()}, {variance.begin(), variance.end()}};
  return normalised(normalisation(moments, memory(norm.scale), memory(norm.shift)),
                    channels_last(x), channels_last(shortcut), norm.relu);
}

}  // namespace gcg
