#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/random.h"
#include "extrapolate/curve.h"

namespace gcg {

/// Draws from binomial(trials, probability) by inversion of a table of cumulative weights, which is
/// exact up to the rounding of the weights and to tails of a total probability below 1e-15. The
/// table has about 17 standard deviations sqrt(n p (1 - p)) entries; each draw takes one uniform
/// number.
class BinomialSampler {
 public:
  /// trials > 0, probability in [0, 1].
  BinomialSampler(std::int64_t trials, double probability);
  [[nodiscard]] std::int64_t draw(RandomStream& random) const;

 private:
  std::int64_t smallest_ = 0;       ///< number of successes of the first entry
  std::vector<double> cumulative_;  ///< not normalised
};

/// A percentile interval of d*.
struct BootstrapInterval {
  double low = 0;
  double high = 0;
  double undetermined = 0;  ///< share of the replicates without a d*
};

/// Replaces the accuracy of every point by binomial(samples, means[i]) / samples, applies `d_star`
/// (NaN: undetermined), options.bootstrap times, and returns the percentiles (1 -+ confidence) / 2
/// of the determined replicates, interpolated linearly; NaN if more than kUndeterminedShare of them
/// have none. Random numbers: RandomStream(seed, "bootstrap", number of points), replicate by
/// replicate, points in order.
BootstrapInterval bootstrap_interval(
    std::span<const CurvePoint> points, std::span<const double> means,
    const ExtrapolationOptions& options,
    const std::function<double(std::span<const CurvePoint>)>& d_star);

/// Runs the bootstrap, if the options ask for one, and writes interval and remark into the result.
void add_interval(Extrapolation& result, std::span<const CurvePoint> points,
                  std::span<const double> means, const ExtrapolationOptions& options,
                  const std::function<double(std::span<const CurvePoint>)>& d_star);

}  // namespace gcg
