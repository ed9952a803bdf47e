#include <algorithm>
#include <cmath>

#include "graph/parameters.h"
#include "sparse/operations.h"

namespace gcg::sparse {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

Plane plane_of(const Layout& layout) {
  return {layout.shape.height, layout.shape.width * kLanes, layout.pitch() * kLanes};
}

/// What a mean loses in single precision. Kernels subtract the rounded one; in a nearly constant
/// channel that would be felt, so the constants behind it take the rest up.
double lost(double mean) { return mean - static_cast<double>(static_cast<float>(mean)); }

ChannelNorm channel_norm(const NormState& norm, std::int64_t c) {
  const double mean = norm.mean[at(c)];
  const float slope = static_cast<float>(static_cast<double>(norm.scale[at(c)]) /
                                         std::sqrt(norm.variance[at(c)] + kNormEpsilon));
  const double shift =
      static_cast<double>(norm.shift[at(c)]) - static_cast<double>(slope) * lost(mean);
  return {static_cast<float>(mean), slope, static_cast<float>(shift)};
}

std::size_t plane_index(std::int64_t block, std::int64_t channel, std::int64_t channels) {
  return at(block * channels + channel);
}

/// Samples in a block.
std::int64_t samples_in(const Run& run, std::int64_t block) {
  return std::min(kLanes, run.samples - block * kLanes);
}

}  // namespace

void plane_moments(const Run& run, Blocks part, const View& input, std::span<PlaneMoments> planes) {
  const Plane plane = plane_of(input.layout);
  const std::int64_t channels = input.layout.shape.channels;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    const double count = static_cast<double>(samples_in(run, b) * input.layout.shape.positions());
    for (std::int64_t c = 0; c < channels; ++c) {
      PlaneMoments& moments = planes[plane_index(b, c, channels)];
      moments.sum = run.kernels->sum(plane, input.at(b, c));
      // Around the rounded mean; what the rounding adds is taken away again.
      const double mean = moments.sum / count;
      moments.squares =
          run.kernels->squares(plane, input.at(b, c), static_cast<float>(mean), run.lanes(b)) -
          count * lost(mean) * lost(mean);
    }
  }
}

void batch_moments(const Run& run, const Layout& layout, std::span<const PlaneMoments> planes,
                   const NormState& norm) {
  const std::int64_t channels = layout.shape.channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    double count = 0;
    double sum = 0;
    double squares = 0;
    for (std::int64_t b = 0; b < run.blocks; ++b) {
      const PlaneMoments& plane = planes[plane_index(b, c, channels)];
      const double added = static_cast<double>(samples_in(run, b) * layout.shape.positions());
      const double distance = count > 0 ? sum / count - plane.sum / added : 0;
      squares += plane.squares + distance * distance * count * added / (count + added);
      sum += plane.sum;
      count += added;
    }
    norm.mean[at(c)] = sum / count;
    norm.variance[at(c)] = std::max(squares / count, 0.0);
  }
}

void normalise(const Run& run, Blocks part, const NormState& norm, const View& input,
               const View& other, bool relu, const View& output) {
  const Plane plane = plane_of(input.layout);
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
      run.kernels->normalise(plane, channel_norm(norm, c), input.at(b, c),
                             other.data == nullptr ? nullptr : other.at(b, c), relu, run.lanes(b),
                             output.at(b, c));
    }
  }
}

void normalise_gradient_sums(const Run& run, Blocks part, const NormState& norm,
                             const NormBackward& tensors, std::span<GradientSums> planes) {
  const Plane plane = plane_of(tensors.input.layout);
  const std::int64_t channels = tensors.input.layout.shape.channels;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const ChannelNormGradient channel{channel_norm(norm, c), tensors.relu && !tensors.addition};
      const float* output = tensors.relu && tensors.addition ? tensors.output.at(b, c) : nullptr;
      planes[plane_index(b, c, channels)] = run.kernels->norm_gradient_sums(
          plane, channel, tensors.input.at(b, c), output, tensors.gradient.at(b, c));
    }
  }
}

void batch_gradient_sums(const Run& run, const NormState& norm, std::span<GradientSums> planes,
                         std::span<float> scale_gradient, std::span<float> shift_gradient) {
  const std::int64_t channels = std::ssize(norm.mean);
  for (std::int64_t c = 0; c < channels; ++c) {
    GradientSums sums;
    for (std::int64_t b = 0; b < run.blocks; ++b) {
      sums.gradient += planes[plane_index(b, c, channels)].gradient;
      sums.centred += planes[plane_index(b, c, channels)].centred;
    }
    sums.centred -= lost(norm.mean[at(c)]) * sums.gradient;
    planes[at(c)] = sums;
    scale_gradient[at(c)] =
        static_cast<float>(sums.centred / std::sqrt(norm.variance[at(c)] + kNormEpsilon));
    shift_gradient[at(c)] = static_cast<float>(sums.gradient);
  }
}

void normalise_backward(const Run& run, Blocks part, const NormState& norm,
                        const NormBackward& tensors, std::span<const GradientSums> sums) {
  const View& input = tensors.input;
  const Plane plane = plane_of(input.layout);
  const double count = static_cast<double>(run.samples * input.layout.shape.positions());
  for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
    // Mean and variance move with every input: both sums flow back to all of them.
    ChannelNormGradient channel{channel_norm(norm, c), tensors.relu && !tensors.addition};
    const double slope = static_cast<double>(channel.norm.slope);
    const double inverse = 1 / (norm.variance[at(c)] + kNormEpsilon);
    channel.centred = static_cast<float>(-slope * inverse * sums[at(c)].centred / count);
    channel.constant =
        static_cast<float>(-slope * sums[at(c)].gradient / count -
                           static_cast<double>(channel.centred) * lost(norm.mean[at(c)]));
    for (std::int64_t b = part.begin; b < part.end; ++b) {
      const float* gradient = tensors.gradient.at(b, c);
      if (tensors.to_other == Contribution::accumulate) {
        float* to = tensors.other_gradient.at(b, c);
        run.kernels->add(plane, to, gradient, to);
      }
      if (tensors.to_input != Contribution::none) {
        run.kernels->norm_gradient(plane, channel, input.at(b, c), gradient, run.lanes(b),
                                   tensors.to_input == Contribution::accumulate,
                                   tensors.input_gradient.at(b, c));
      }
    }
  }
}

}  // namespace gcg::sparse
