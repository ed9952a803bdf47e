#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gcg {

/// A mean difference over the same images, left minus right, and its standard error: the noise of
/// the images alone. Two trainings differ by more than that, which only other seeds can tell.
struct PairedDifference {
  double mean = 0;
  double error = 0;
};

/// Of the losses of two predictions, one a sample in the same order: the mean of l - r and
/// sqrt(mean((l - r - mean)^2) / n). Predictions that are alike differ by exactly 0 +- 0. Errors:
/// no sample, another number of samples, a loss that is not finite.
PairedDifference paired_loss(std::span<const float> left, std::span<const float> right);

/// Of two accuracies by the images that only one of the two gets right: (b - c) / n with the error
/// sqrt((b + c) / n - ((b - c) / n)^2) / sqrt(n), the same as above on hits of 0 and 1. Errors: no
/// sample, counts that are negative or above the samples.
PairedDifference paired_accuracy(std::int64_t only_left, std::int64_t only_right,
                                 std::int64_t samples);

/// The same of two lists of hits, one flag a sample. Errors: as for losses.
PairedDifference paired_accuracy(const std::vector<bool>& left, const std::vector<bool>& right);

/// 95 % point of the standard normal: a one-sided test at 5 %.
inline constexpr double kOneSided = 1.645;

/// Which of several predictions of the same images are not worse than the best one by more than the
/// images' noise: mean(l_i - l_best) <= z SE of that difference. The best one is among them. Every
/// entry of `losses` has one loss a sample.
std::vector<std::size_t> as_good_as(std::span<const std::span<const float>> losses,
                                    std::size_t best, double z = kOneSided);

}  // namespace gcg
