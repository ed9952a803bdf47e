#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace gcg::testing {

/// Pearson's statistic of counts against probabilities; infinite if something impossible was seen.
inline double chi_square(const std::vector<std::size_t>& counts,
                         const std::vector<double>& probabilities) {
  std::size_t total = 0;
  for (const std::size_t count : counts) {
    total += count;
  }
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = probabilities[i] * static_cast<double>(total);
    if (expected > 0) {
      sum += std::pow(static_cast<double>(counts[i]) - expected, 2) / expected;
    } else if (counts[i] > 0) {
      return INFINITY;
    }
  }
  return sum;
}

/// What the statistic exceeds with probability 0.001 (Wilson and Hilferty 1931).
inline double chi_square_limit(const std::vector<double>& probabilities) {
  double freedom = -1;
  for (const double p : probabilities) {
    freedom += p > 0 ? 1 : 0;
  }
  const double spread = 2 / (9 * freedom);
  return freedom < 1 ? 1e-9 : freedom * std::pow(1 - spread + 3.09 * std::sqrt(spread), 3);
}

}  // namespace gcg::testing
