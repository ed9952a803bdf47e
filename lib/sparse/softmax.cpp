#include "sparse/softmax.h"

#include <cmath>

namespace gcg::sparse {

BatchSums softmax_loss(const Layout& layout, const Tensor& logits,
                       std::span<const std::int32_t> labels, std::span<double> scratch,
                       std::span<Position> gradient, std::span<std::int32_t> predictions) {
  BatchSums sums;
  sums.samples = std::ssize(labels);
  const std::int64_t classes = layout.shape.channels;
  const auto place = [&](std::int64_t sample, std::int64_t c) {
    return static_cast<std::size_t>(sample / kLanes * layout.block() + layout.at(c, 0, 0));
  };
  for (std::int64_t s = 0; s < block_count(sums.samples) * kLanes; ++s) {
    const std::size_t lane = static_cast<std::size_t>(s % kLanes);
    if (s >= sums.samples) {
      for (std::int64_t c = 0; c < classes && !gradient.empty(); ++c) {
        gradient[place(s, c)].lanes[lane] = 0.0F;
      }
      continue;
    }
    const auto logit = [&](std::int64_t c) {
      return static_cast<double>(logits[place(s, c)].lanes[lane]);
    };
    std::int64_t largest = 0;
    for (std::int64_t c = 1; c < classes; ++c) {
      largest = logit(c) > logit(largest) ? c : largest;
    }
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      scratch[static_cast<std::size_t>(c)] = std::exp(logit(c) - logit(largest));
      sum += scratch[static_cast<std::size_t>(c)];
    }
    const std::int64_t label = labels[static_cast<std::size_t>(s)];
    sums.loss += std::log(sum) + logit(largest) - logit(label);
    sums.correct += largest == label ? 1 : 0;
    if (!predictions.empty()) {
      predictions[static_cast<std::size_t>(s)] = static_cast<std::int32_t>(largest);
    }
    for (std::int64_t c = 0; c < classes && !gradient.empty(); ++c) {
      const double target = c == label ? 1 : 0;
      gradient[place(s, c)].lanes[lane] =
          static_cast<float>((scratch[static_cast<std::size_t>(c)] / sum - target) /
                             static_cast<double>(sums.samples));
    }
  }
  return sums;
}

}  // namespace gcg::sparse
