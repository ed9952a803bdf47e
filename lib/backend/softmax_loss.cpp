#include "backend/softmax_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gcg {

BatchSums softmax_loss(std::span<const float> logits, std::span<const std::int32_t> labels,
                       double smoothing, std::span<float> gradient, const PerSample& each,
                       std::int64_t mean_over) {
  BatchSums sums;
  sums.samples = std::ssize(labels);
  if (labels.empty()) {
    return sums;
  }
  const std::size_t classes = logits.size() / labels.size();
  const double samples = static_cast<double>(mean_over > 0 ? mean_over : sums.samples);
  const double everywhere = smoothing / static_cast<double>(classes);
  for (std::size_t s = 0; s < labels.size(); ++s) {
    const std::span<const float> row = logits.subspan(s * classes, classes);
    const auto largest = std::max_element(row.begin(), row.end());
    const std::size_t label = static_cast<std::size_t>(labels[s]);
    const auto exponential = [&](std::size_t c) {
      return std::exp(static_cast<double>(row[c]) - static_cast<double>(*largest));
    };
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      sum += exponential(c);
    }
    double loss = std::log(sum) + static_cast<double>(*largest) - static_cast<double>(row[label]);
    if (smoothing > 0) {
      const double mean =
          std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(classes);
      loss += smoothing * (static_cast<double>(row[label]) - mean);
    }
    sums.loss += loss;
    if (!each.losses.empty()) {
      each.losses[s] = static_cast<float>(loss);
    }
    const auto prediction = largest - row.begin();
    sums.correct += prediction == labels[s] ? 1 : 0;
    if (!each.classes.empty()) {
      each.classes[s] = static_cast<std::int32_t>(prediction);
    }
    if (!gradient.empty()) {
      for (std::size_t c = 0; c < classes; ++c) {
        const double target = (c == label ? 1 - smoothing : 0) + everywhere;
        gradient[s * classes + c] = static_cast<float>((exponential(c) / sum - target) / samples);
      }
    }
  }
  return sums;
}

}  // namespace gcg
