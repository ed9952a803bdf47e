#include "dense/norm_over_ranks.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/batch_norm_update_stats.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "base/index.h"
#include "dense/transfer.h"
#include "graph/parameters.h"

namespace gcg {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [channels] of the given values, as a share's moments are.
at::Tensor channels_like(const at::Tensor& like, const std::vector<float>& values) {
  const at::Tensor made = at::empty_like(like);
  assign(made, values);
  return made;
}

/// Of one share, or of all.
struct ChannelMoments {
  double count = 0;
  double mean = 0;
  double variance = 0;  ///< biased
};

/// Of the whole batch, per channel: those of the shares merged in the order of the ranks (Chan et
/// al. 1979, as in sparse execution).
std::vector<ChannelMoments> over_ranks(Ranks& ranks, std::span<const ChannelMoments> share) {
  std::vector<ChannelMoments> shares(share.size() * at(ranks.size()));
  gather<ChannelMoments>(ranks, share, shares);
  std::vector<ChannelMoments> whole(share.size());
  for (std::size_t c = 0; c < share.size(); ++c) {
    double squares = 0;
    for (std::size_t r = 0; r < at(ranks.size()); ++r) {
      const ChannelMoments& added = shares[r * share.size() + c];
      const double distance = added.mean - whole[c].mean;
      const double count = whole[c].count + added.count;
      squares +=
          added.variance * added.count + distance * distance * whole[c].count * added.count / count;
      whole[c].mean += distance * added.count / count;
      whole[c].count = count;
    }
    whole[c].variance = squares / whole[c].count;
  }
  return whole;
}

/// Not differentiated, and undefined where they are to stay: nothing that autograd may see.
struct Running {
  at::Tensor mean;
  at::Tensor variance;
};

class NormOverRanks : public torch::autograd::Function<NormOverRanks> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            const at::Tensor& shift, const Running& running, Ranks* ranks,
                            std::int64_t whole) {
    const auto [share_mean, share_variance] = at::batch_norm_update_stats(x, {}, {}, kNormMomentum);
    const std::vector<float> means = plain(share_mean);
    const std::vector<float> variances = plain(share_variance);
    const double positions = static_cast<double>(x.size(2) * x.size(3));
    std::vector<ChannelMoments> share;
    for (std::size_t c = 0; c < means.size(); ++c) {
      share.push_back({static_cast<double>(x.size(0)) * positions, static_cast<double>(means[c]),
                       static_cast<double>(variances[c])});
    }
    std::vector<float> mean;
    std::vector<float> variance;
    for (const ChannelMoments& moments : over_ranks(*ranks, share)) {
      mean.push_back(static_cast<float>(moments.mean));
      variance.push_back(static_cast<float>(moments.variance));
    }
    const at::Tensor batch_mean = channels_like(share_mean, mean);
    const at::Tensor batch_variance = channels_like(share_mean, variance);
    const double count = static_cast<double>(whole) * positions;
    if (running.mean.defined()) {
      running.mean.mul_(1 - kNormMomentum).add_(batch_mean, kNormMomentum);
      running.variance.mul_(1 - kNormMomentum)
          .add_(batch_variance, kNormMomentum * count / (count - 1));
    }
    context->save_for_backward({x, scale, batch_mean, batch_variance});
    context->saved_data["ranks"] = reinterpret_cast<std::int64_t>(ranks);
    context->saved_data["count"] = count;
    return at::batch_norm(x, scale, shift, batch_mean, batch_variance, false, kNormMomentum,
                          kNormEpsilon, false);
  }

  /// With the moments as constants LibTorch has the derivatives; that they move with every input
  /// adds a line in x per channel.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& scale = saved[1];
    auto& ranks = *reinterpret_cast<Ranks*>(context->saved_data["ranks"].toInt());
    const double count = context->saved_data["count"].toDouble();
    const auto [to_x, to_scale, to_shift] =
        at::native_batch_norm_backward(gradients[0], x, scale, saved[2], saved[3], {}, {}, false,
                                       kNormEpsilon, {true, true, true});
    const std::vector<float> mean = plain(saved[2]);
    const std::vector<float> variance = plain(saved[3]);
    const std::vector<float> scales = plain(scale.detach());
    const std::vector<float> centred = plain(to_scale);
    const std::vector<float> sums = plain(to_shift);
    const std::size_t channels = mean.size();
    std::vector<double> share(centred.begin(), centred.end());
    share.insert(share.end(), sums.begin(), sums.end());
    std::vector<double> shares(share.size() * at(ranks.size()));
    gather<double>(ranks, share, shares);
    std::vector<float> slope;
    std::vector<float> constant;
    for (std::size_t c = 0; c < channels; ++c) {
      double of_scale = 0;
      double of_shift = 0;
      for (std::size_t r = 0; r < at(ranks.size()); ++r) {
        of_scale += shares[r * share.size() + c];
        of_shift += shares[r * share.size() + channels + c];
      }
      const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + kNormEpsilon);
      const double factor = static_cast<double>(scales[c]) * inverse / count;
      const double line = factor * inverse * of_scale;
      slope.push_back(static_cast<float>(line));
      constant.push_back(
          static_cast<float>(factor * of_shift - line * static_cast<double>(mean[c])));
    }
    const auto by_channel = [&](const std::vector<float>& values) {
      return channels_like(saved[2], values).view({1, -1, 1, 1});
    };
    at::Tensor to = to_x.addcmul(x, by_channel(slope), -1).sub_(by_channel(constant));
    return {to, to_scale, to_shift, {}, {}, {}};
  }
};

}  // namespace

at::Tensor norm_over_ranks(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                           const at::Tensor& running_mean, const at::Tensor& running_variance,
                           Ranks& ranks, std::int64_t whole) {
  return NormOverRanks::apply(x, scale, shift, Running{running_mean, running_variance}, &ranks,
                              whole);
}

}  // namespace gcg
