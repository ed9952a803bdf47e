#include <algorithm>
#include <cmath>
#include <vector>

#include "base/index.h"
#include "graph/parameters.h"
#include "sparse/operations.h"

namespace gcg::sparse {

namespace {

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

/// Two channels of a view in either form.
TwoPlanes two_planes(const View& view, std::int64_t block, std::int64_t c, std::int64_t partner,
                     std::int64_t y) {
  if (view.bf16) {
    return {nullptr, nullptr, view.at(block, c, y)};
  }
  return {view.at(block, c, y), view.at(block, partner, y), nullptr};
}

/// The moments of a channel over all parts, [parts][channels], in their order.
PlaneMoments merged(std::span<const PlaneMoments> planes, std::int64_t parts, std::int64_t channels,
                    std::int64_t c) {
  PlaneMoments all;
  for (std::int64_t i = 0; i < parts; ++i) {
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
  return all;
}

/// Sums per channel become those over all ranks, in their order.
void add_over_ranks(Ranks& ranks, std::span<GradientSums> sums) {
  std::vector<GradientSums> shares(sums.size() * at(ranks.size()));
  gather<GradientSums>(ranks, sums, shares);
  for (std::size_t c = 0; c < sums.size(); ++c) {
    sums[c] = {};
    for (std::size_t r = 0; r < at(ranks.size()); ++r) {
      sums[c].gradient += shares[r * sums.size() + c].gradient;
      sums[c].centred += shares[r * sums.size() + c].centred;
    }
  }
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
  std::vector<PlaneMoments> share;
  std::vector<PlaneMoments> shares;
  std::int64_t parts = run.blocks * stripes;
  if (run.ranks != nullptr) {
    for (std::int64_t c = 0; c < channels; ++c) {
      share.push_back(merged(planes, parts, channels, c));
    }
    parts = run.ranks->size();
    shares.resize(at(parts * channels));
    gather<PlaneMoments>(*run.ranks, share, shares);
    planes = shares;
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    const PlaneMoments all = merged(planes, parts, channels, c);
    norm.mean[at(c)] = all.sum / all.count;
    norm.variance[at(c)] = std::max(all.squares / all.count, 0.0);
  }
}

void normalise(const Run& run, Blocks part, Stripe stripe, const NormState& norm, const View& input,
               const View& other, bool relu, const View& output) {
  const Plane plane = plane_of(input.layout, stripe);
  const auto beside = [&](std::int64_t b, std::int64_t c) {
    return other.data == nullptr ? nullptr : other.at(b, c, stripe.top);
  };
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    if (input.bf16) {
      for_each_pair(input.layout, [&](std::int64_t c, std::int64_t partner) {
        const ChannelNorm norms[] = {channel_norm(norm, c), channel_norm(norm, partner)};
        run.kernels->normalise_bf16(plane, norms, input.at(b, c, stripe.top), beside(b, c), relu,
                                    run.lanes(b), two_planes(output, b, c, partner, stripe.top));
      });
      continue;
    }
    for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
      run.kernels->normalise(plane, channel_norm(norm, c), input.at(b, c, stripe.top), beside(b, c),
                             relu, run.lanes(b), output.at(b, c, stripe.top));
    }
  }
}

void normalise_gradient_sums(const Run& run, Blocks part, StripeOf stripe, const NormState& norm,
                             const NormBackward& tensors, std::span<GradientSums> planes) {
  const Plane plane = plane_of(tensors.input.layout, stripe.rows);
  const std::int64_t channels = tensors.input.layout.shape.channels;
  const std::int64_t top = stripe.rows.top;
  const bool with_output = tensors.relu && tensors.addition;
  const auto channel = [&](std::int64_t c) {
    return ChannelNormGradient{channel_norm(norm, c), tensors.relu && !tensors.addition};
  };
  const auto output = [&](std::int64_t b, std::int64_t c) {
    return with_output ? tensors.output.at(b, c, top) : nullptr;
  };
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    if (tensors.input.bf16) {
      for_each_pair(tensors.input.layout, [&](std::int64_t c, std::int64_t partner) {
        const ChannelNormGradient norms[] = {channel(c), channel(partner)};
        GradientSums sums[2];
        run.kernels->norm_gradient_sums_bf16(plane, norms, tensors.input.at(b, c, top),
                                             output(b, c), tensors.gradient.at(b, c, top), sums);
        planes[stripe.at(b, partner, channels)] = sums[1];
        planes[stripe.at(b, c, channels)] = sums[0];
      });
      continue;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      planes[stripe.at(b, c, channels)] =
          run.kernels->norm_gradient_sums(plane, channel(c), tensors.input.at(b, c, top),
                                          output(b, c), tensors.gradient.at(b, c, top));
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
  if (run.ranks != nullptr) {
    add_over_ranks(*run.ranks, planes.first(at(channels)));
  }
}

void normalise_backward(const Run& run, Blocks part, Stripe stripe, const NormState& norm,
                        const NormBackward& tensors, std::span<const GradientSums> sums) {
  const View& input = tensors.input;
  const Plane plane = plane_of(input.layout, stripe);
  const double count = static_cast<double>(run.whole * input.layout.shape.positions());
  // Mean and variance move with every input: both sums flow back to all of them.
  const auto channel = [&](std::int64_t c) {
    ChannelNormGradient result{channel_norm(norm, c), tensors.relu && !tensors.addition};
    const double slope = static_cast<double>(result.norm.slope);
    const double inverse = 1 / (norm.variance[at(c)] + kNormEpsilon);
    result.centred = static_cast<float>(-slope * inverse * sums[at(c)].centred / count);
    result.constant =
        static_cast<float>(-slope * sums[at(c)].gradient / count -
                           static_cast<double>(result.centred) * lost(norm.mean[at(c)]));
    return result;
  };
  const bool accumulate = tensors.to_input == Contribution::accumulate;
  const auto differentiate = [&](std::int64_t c, auto gradient_of) {
    for (std::int64_t b = part.begin; b < part.end; ++b) {
      const float* gradient = tensors.gradient.at(b, c, stripe.top);
      if (tensors.to_other == Contribution::accumulate) {
        float* to = tensors.other_gradient.at(b, c, stripe.top);
        (input.bf16 ? run.kernels->add_bf16 : run.kernels->add)(plane, to, gradient, to);
      }
      if (tensors.to_input != Contribution::none) {
        gradient_of(b, input.at(b, c, stripe.top), gradient);
      }
    }
  };
  if (input.bf16) {
    for_each_pair(input.layout, [&](std::int64_t c, std::int64_t partner) {
      const ChannelNormGradient norms[] = {channel(c), channel(partner)};
      differentiate(c, [&](std::int64_t b, const float* x, const float* gradient) {
        run.kernels->norm_gradient_bf16(
            plane, norms, x, gradient, run.lanes(b), accumulate,
            two_planes(tensors.input_gradient, b, c, partner, stripe.top));
      });
    });
    return;
  }
  for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
    const ChannelNormGradient one = channel(c);
    differentiate(c, [&](std::int64_t b, const float* x, const float* gradient) {
      run.kernels->norm_gradient(plane, one, x, gradient, run.lanes(b), accumulate,
                                 tensors.input_gradient.at(b, c, stripe.top));
    });
  }
}

}  // namespace gcg::sparse
