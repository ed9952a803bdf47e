#include "dense/norm_over_ranks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/batch_norm_update_stats.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/custom_function.h>

#include "graph/parameters.h"

namespace gcg {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Per channel, in double precision: the arithmetic of a plain loop over the ranks, operation by
/// operation, on the device of the batch.
struct Moments {
  at::Tensor mean;
  at::Tensor variance;  ///< biased
};

/// Of the whole batch: those of the shares, [ranks][2][channels], merged in the order of the ranks
/// (Chan et al. 1979, as in sparse execution). `positions`: of a sample.
Moments merged(const at::Tensor& shares, std::int64_t whole, double positions) {
  const auto count_of = [&](std::int64_t rank) {
    return static_cast<double>(share_of(whole, rank, shares.size(0)).size()) * positions;
  };
  double count = count_of(0);
  at::Tensor mean = shares[0][0];
  at::Tensor squares = shares[0][1] * count;
  for (std::int64_t r = 1; r < shares.size(0); ++r) {
    const double added = count_of(r);
    const double both = count + added;
    const at::Tensor distance = shares[r][0] - mean;
    squares = squares + (shares[r][1] * added + distance * distance * count * added / both);
    mean = mean + distance * added / both;
    count = both;
  }
  return {mean, squares / count};
}

/// [ranks][...] added up in the order of the ranks.
at::Tensor added_up(const at::Tensor& shares) {
  at::Tensor sum = shares[0] + 0.0;  // a sum has no -0
  for (std::int64_t r = 1; r < shares.size(0); ++r) {
    sum = sum + shares[r];
  }
  return sum;
}

/// Not differentiated, and undefined where they are to stay: nothing that autograd may see.
struct Running {
  at::Tensor mean;
  at::Tensor variance;
};

class NormOverRanks : public torch::autograd::Function<NormOverRanks> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            const at::Tensor& shift, const Running& running,
                            TensorExchange* exchange, std::int64_t whole) {
    const auto [share_mean, share_variance] = at::batch_norm_update_stats(x, {}, {}, kNormMomentum);
    const double positions = static_cast<double>(x.size(2) * x.size(3));
    const at::Tensor share = at::stack({share_mean, share_variance}).to(at::kDouble);
    const Moments batch = merged(exchange->gather(share), whole, positions);
    const at::Tensor batch_mean = batch.mean.to(at::kFloat);
    const at::Tensor batch_variance = batch.variance.to(at::kFloat);
    const double count = static_cast<double>(whole) * positions;
    if (running.mean.defined()) {
      running.mean.mul_(1 - kNormMomentum).add_(batch_mean, kNormMomentum);
      running.variance.mul_(1 - kNormMomentum)
          .add_(batch_variance, kNormMomentum * count / (count - 1));
    }
    context->save_for_backward({x, scale, batch_mean, batch_variance});
    context->saved_data["exchange"] = reinterpret_cast<std::int64_t>(exchange);
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
    auto& exchange = *reinterpret_cast<TensorExchange*>(context->saved_data["exchange"].toInt());
    const double count = context->saved_data["count"].toDouble();
    const auto [to_x, to_scale, to_shift] =
        at::native_batch_norm_backward(gradients[0], x, scale, saved[2], saved[3], {}, {}, false,
                                       kNormEpsilon, {true, true, true});
    const at::Tensor share = at::stack({to_scale, to_shift}).to(at::kDouble);
    const at::Tensor sums = added_up(exchange.gather(share));
    const at::Tensor inverse = (saved[3].to(at::kDouble) + kNormEpsilon).sqrt().reciprocal();
    const at::Tensor factor = scale.to(at::kDouble) * inverse / count;
    const at::Tensor slope = factor * inverse * sums[0];
    const at::Tensor constant = factor * sums[1] - slope * saved[2].to(at::kDouble);
    const auto by_channel = [](const at::Tensor& values) {
      return values.to(at::kFloat).view({1, -1, 1, 1});
    };
    at::Tensor to = to_x.addcmul(x, by_channel(slope), -1).sub_(by_channel(constant));
    return {to, to_scale, to_shift, {}, {}, {}};
  }
};

}  // namespace

at::Tensor norm_over_ranks(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                           const at::Tensor& running_mean, const at::Tensor& running_variance,
                           TensorExchange& exchange, std::int64_t whole) {
  return NormOverRanks::apply(x, scale, shift, Running{running_mean, running_variance}, &exchange,
                              whole);
}

}  // namespace gcg
