#include "backend/softmax_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gcg {

SoftTargets training_targets(const Batch& batch) {
  return {batch.labels, batch.label_smoothing, batch.second_labels, batch.second_share};
}

BatchSums softmax_loss(std::span<const float> logits, const SoftTargets& targets,
                       std::span<float> gradient, const PerSample& each, std::int64_t mean_over) {
  const std::span<const std::int32_t> labels = targets.labels;
  const double smoothing = targets.smoothing;
  const double share = targets.second_labels.empty() ? 0 : targets.second_share;
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
    const std::size_t second =
        share > 0 ? static_cast<std::size_t>(targets.second_labels[s]) : label;
    double logit = static_cast<double>(row[label]);  // of the target, before it is smoothed
    if (share > 0) {
      logit = (1 - share) * logit + share * static_cast<double>(row[second]);
    }
    const auto exponential = [&](std::size_t c) {
      return std::exp(static_cast<double>(row[c]) - static_cast<double>(*largest));
    };
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      sum += exponential(c);
    }
    double loss = std::log(sum) + static_cast<double>(*largest) - logit;
    if (smoothing > 0) {
      const double mean =
          std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(classes);
      loss += smoothing * (logit - mean);
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
        const double hard = (c == label ? 1 - share : 0) + (c == second ? share : 0);
        const double target = hard * (1 - smoothing) + everywhere;
        gradient[s * classes + c] = static_cast<float>((exponential(c) / sum - target) / samples);
      }
    }
  }
  return sums;
}

}  // namespace gcg
