#include <algorithm>
#include <cmath>

#include "graph/parameters.h"
#include "sparse/operations.h"

namespace gcg::sparse {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

Plane plane_of(const Layout& layout, Stripe stripe) {
  return {stripe.height(), layout.shape.width * kLanes, layout.pitch() * kLanes};
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

/// Samples in a block.
std::int64_t samples_in(const Run& run, std::int64_t block) {
  return std::min(kLanes, run.samples - block * kLanes);
}

}  // namespace

void plane_moments(const Run& run, Blocks part, StripeOf stripe, const View& input,
                   std::span<PlaneMoments> planes) {
  const Plane plane = plane_of(input.layout, stripe.rows);
  const std::int64_t channels = input.layout.shape.channels;
  const std::int64_t positions = stripe.rows.height() * input.layout.shape.width;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float* const x = input.at(b, c, stripe.rows.top);
      PlaneMoments& moments = planes[stripe.at(b, c, channels)];
      moments.count = static_cast<double>(samples_in(run, b) * positions);
      moments.sum = run.kernels->sum(plane, x);
      // Around the rounded mean; what the rounding adds is taken away again.
      const double mean = moments.sum / moments.count;
      moments.squares = run.kernels->squares(plane, x, static_cast<float>(mean), run.lanes(b)) -
                        moments.count * lost(mean) * lost(mean);
    }
  }
}

void batch_moments(const Run& run, std::int64_t stripes, std::span<const PlaneMoments> planes,
                   const NormState& norm) {
  const std::int64_t channels = std::ssize(norm.mean);
  for (std::int64_t c = 0; c < channels; ++c) {
    PlaneMoments all;
    for (std::int64_t i = 0; i < run.blocks * stripes; ++i) {
      const PlaneMoments& added = planes[at(i * channels + c)];
      if (added.count == 0) {
        continue;  // an empty stripe
      }
      const double distance = all.count > 0 ? all.sum / all.count - added.sum / added.count : 0;
      all.squares +=
          added.squares + distance * distance * all.count * added.count / (all.count + added.count);
      all.sum += added.sum;
      all.count += added.count;
    }
    norm.mean[at(c)] = all.sum / all.count;
    norm.variance[at(c)] = std::max(all.squares / all.count, 0.0);
  }
}

void normalise(const Run& run, Blocks part, Stripe stripe, const NormState& norm, const View& input,
               const View& other, bool relu, const View& output) {
  const Plane plane = plane_of(input.layout, stripe);
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
      run.kernels->normalise(plane, channel_norm(norm, c), input.at(b, c, stripe.top),
                             other.data == nullptr ? nullptr : other.at(b, c, stripe.top), relu,
                             run.lanes(b), output.at(b, c, stripe.top));
    }
  }
}

void normalise_gradient_sums(const Run& run, Blocks part, StripeOf stripe, const NormState& norm,
                             const NormBackward& tensors, std::span<GradientSums> planes) {
  const Plane plane = plane_of(tensors.input.layout, stripe.rows);
  const std::int64_t channels = tensors.input.layout.shape.channels;
  const std::int64_t top = stripe.rows.top;
  const bool with_output = tensors.relu && tensors.addition;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const ChannelNormGradient channel{channel_norm(norm, c), tensors.relu && !tensors.addition};
      planes[stripe.at(b, c, channels)] = run.kernels->norm_gradient_sums(
          plane, channel, tensors.input.at(b, c, top),
          with_output ? tensors.output.at(b, c, top) : nullptr, tensors.gradient.at(b, c, top));
    }
  }
}

void batch_gradient_sums(const Run& run, std::int64_t stripes, const NormState& norm,
                         std::span<GradientSums> planes, std::span<float> scale_gradient,
                         std::span<float> shift_gradient) {
  const std::int64_t channels = std::ssize(norm.mean);
  for (std::int64_t c = 0; c < channels; ++c) {
    GradientSums sums;
    for (std::int64_t i = 0; i < run.blocks * stripes; ++i) {
      sums.gradient += planes[at(i * channels + c)].gradient;
      sums.centred += planes[at(i * channels + c)].centred;
    }
    sums.centred -= lost(norm.mean[at(c)]) * sums.gradient;
    planes[at(c)] = sums;
    scale_gradient[at(c)] =
        static_cast<float>(sums.centred / std::sqrt(norm.variance[at(c)] + kNormEpsilon));
    shift_gradient[at(c)] = static_cast<float>(sums.gradient);
  }
}

void normalise_backward(const Run& run, Blocks part, Stripe stripe, const NormState& norm,
                        const NormBackward& tensors, std::span<const GradientSums> sums) {
  const View& input = tensors.input;
  const Plane plane = plane_of(input.layout, stripe);
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
      const float* gradient = tensors.gradient.at(b, c, stripe.top);
      if (tensors.to_other == Contribution::accumulate) {
        float* to = tensors.other_gradient.at(b, c, stripe.top);
        run.kernels->add(plane, to, gradient, to);
      }
      if (tensors.to_input != Contribution::none) {
        run.kernels->norm_gradient(plane, channel, input.at(b, c, stripe.top), gradient,
                                   run.lanes(b), tensors.to_input == Contribution::accumulate,
                                   tensors.input_gradient.at(b, c, stripe.top));
      }
    }
  }
}

}  // namespace gcg::sparse
