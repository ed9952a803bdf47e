#include "search/paired.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace gcg {

namespace {

void check_counts(std::size_t left, std::size_t right) {
  if (left == 0 || left != right) {
    throw Error("paired comparison",
                fmt::format("{} samples on the left, {} on the right", left, right),
                "both have to be of the same images, at least one");
  }
}

}  // namespace

PairedDifference paired_loss(std::span<const float> left, std::span<const float> right) {
  check_counts(left.size(), right.size());
  const auto n = static_cast<double>(left.size());
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!std::isfinite(left[i]) || !std::isfinite(right[i])) {
      throw Error("paired comparison",
                  fmt::format("the losses of sample {} are {} and {}", i, left[i], right[i]));
    }
    sum += static_cast<double>(left[i]) - static_cast<double>(right[i]);
  }
  const double mean = sum / n;
  double squares = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double rest = static_cast<double>(left[i]) - static_cast<double>(right[i]) - mean;
    squares += rest * rest;
  }
  return {mean, std::sqrt(squares / n / n)};
}

PairedDifference paired_accuracy(std::int64_t only_left, std::int64_t only_right,
                                 std::int64_t samples) {
  if (samples < 1 || only_left < 0 || only_right < 0 || only_left + only_right > samples) {
    throw Error("paired comparison",
                fmt::format("{} and {} of {} samples are right on one side alone", only_left,
                            only_right, samples));
  }
  const auto n = static_cast<double>(samples);
  const double mean = static_cast<double>(only_left - only_right) / n;
  const double variance = static_cast<double>(only_left + only_right) / n - mean * mean;
  return {mean, std::sqrt(variance) / std::sqrt(n)};
}

PairedDifference paired_accuracy(const std::vector<bool>& left, const std::vector<bool>& right) {
  check_counts(left.size(), right.size());
  std::int64_t only_left = 0;
  std::int64_t only_right = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    only_left += left[i] && !right[i] ? 1 : 0;
    only_right += right[i] && !left[i] ? 1 : 0;
  }
  return paired_accuracy(only_left, only_right, std::ssize(left));
}

std::vector<std::size_t> as_good_as(std::span<const std::span<const float>> losses,
                                    std::size_t best, double z) {
  std::vector<std::size_t> good;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const PairedDifference difference = paired_loss(losses[i], losses[best]);
    if (difference.mean <= z * difference.error) {
      good.push_back(i);
    }
  }
  return good;
}

}  // namespace gcg
