#include "extrapolate/bootstrap.h"

#include <gmock/gmock.h>

#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

TEST(BinomialSampler, DrawsEveryCountWithItsProbability) {
  // binomial(4, 1/4): 81, 108, 54, 12, 1 of 256.
  const std::vector<double> expected{81, 108, 54, 12, 1};
  const BinomialSampler sampler(4, 0.25);
  RandomStream random(1, "binomial");
  constexpr int draws = 256'000;
  std::vector<double> counts(5);
  for (int i = 0; i < draws; ++i) {
    ++counts.at(static_cast<std::size_t>(sampler.draw(random)));
  }
  double chi_square = 0;
  for (std::size_t k = 0; k < 5; ++k) {
    const double mean = expected[k] * draws / 256;
    chi_square += (counts[k] - mean) * (counts[k] - mean) / mean;
  }
  EXPECT_LT(chi_square, 18.5);  // 0.1 % point, four degrees of freedom
}

TEST(BinomialSampler, HasMeanAndVarianceOfTheBinomialDistribution) {
  for (const auto& [n, p] : std::vector<std::pair<std::int64_t, double>>{
           {5000, 0.7}, {5000, 0.999}, {10, 0.01}, {50'000, 0.5}, {1'000'000'000, 0.3}}) {
    SCOPED_TRACE(testing::Message() << n << " trials, probability " << p);
    const BinomialSampler sampler(n, p);
    RandomStream random(2, "binomial");
    constexpr int draws = 40'000;
    const double mean = static_cast<double>(n) * p;
    const double variance = mean * (1 - p);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < draws; ++i) {
      const std::int64_t k = sampler.draw(random);
      ASSERT_GE(k, 0);
      ASSERT_LE(k, n);
      const double deviation = static_cast<double>(k) - mean;
      sum += deviation;
      squares += deviation * deviation;
    }
    EXPECT_NEAR(sum / draws, 0, 4 * std::sqrt(variance / draws));
    // Variance of a squared deviation: 2 variance^2 + variance (1 - 6 p (1 - p)).
    const double spread = std::sqrt((2 * variance * variance + variance) / draws);
    EXPECT_NEAR(squares / draws, variance, 4 * spread);
  }
}

TEST(BinomialSampler, IsCertainAtProbabilityZeroAndOne) {
  RandomStream random(3, "binomial");
  EXPECT_EQ(BinomialSampler(1000, 0).draw(random), 0);
  EXPECT_EQ(BinomialSampler(1000, 1).draw(random), 1000);
}

TEST(BinomialSampler, TakesOneUniformNumberADraw) {
  RandomStream drawn(4, "binomial");
  RandomStream skipped(4, "binomial");
  const BinomialSampler sampler(100, 0.3);
  for (int i = 0; i < 10; ++i) {
    (void)sampler.draw(drawn);
    (void)skipped.uniform();
  }
  EXPECT_EQ(drawn.next_u64(), skipped.next_u64());
}

const std::vector<CurvePoint> kPoints = {{0.1, 0.5, 100}, {0.2, 0.6, 100}};
const std::vector<double> kMeans = {0.5, 0.6};

TEST(BootstrapInterval, IsThePercentilesOfTheReplicates) {
  ExtrapolationOptions options;
  options.bootstrap = 101;
  options.confidence = 0.9;
  double next = 0;
  const auto interval = bootstrap_interval(kPoints, kMeans, options, [&](auto) { return ++next; });
  // 1 ... 101: the 5 % point is the sixth.
  EXPECT_NEAR(interval.low, 6, 1e-9);
  EXPECT_NEAR(interval.high, 96, 1e-9);
  EXPECT_EQ(interval.undetermined, 0);
}

TEST(BootstrapInterval, LeavesOutAFewUndeterminedReplicatesAndGivesUpOnMany) {
  ExtrapolationOptions options;
  options.bootstrap = 100;
  const auto with = [&](int undetermined) {
    int next = 0;
    return bootstrap_interval(kPoints, kMeans, options,
                              [&](auto) { return ++next <= undetermined ? std::nan("") : 0.5; });
  };
  EXPECT_EQ(with(10).low, 0.5);
  EXPECT_NEAR(with(10).undetermined, 0.1, 1e-12);
  EXPECT_TRUE(std::isnan(with(11).low));
  EXPECT_TRUE(std::isnan(with(11).high));
  EXPECT_TRUE(std::isnan(with(100).low));
}

TEST(BootstrapInterval, ResamplesTheAccuraciesFromItsOwnStream) {
  ExtrapolationOptions options;
  options.bootstrap = 3;
  options.seed = 11;
  std::vector<double> seen;
  (void)bootstrap_interval(kPoints, kMeans, options, [&](std::span<const CurvePoint> replicate) {
    for (const CurvePoint& point : replicate) {
      seen.push_back(point.accuracy);
      EXPECT_EQ(point.samples, 100);
    }
    return replicate[0].density;
  });
  RandomStream random(11, "bootstrap", 2);
  std::vector<double> expected;
  for (int r = 0; r < 3; ++r) {
    for (const double mean : kMeans) {
      expected.push_back(static_cast<double>(BinomialSampler(100, mean).draw(random)) / 100);
    }
  }
  EXPECT_EQ(seen, expected);
}

TEST(BootstrapInterval, OfAFitShrinksWithTheSquareRootOfTheSamples) {
  const auto width = [](std::int64_t samples) {
    ExtrapolationOptions options = options_for("logistic", 0.02);
    options.bootstrap = 400;
    const Extrapolation fit = extrapolate(
        curve_points("logistic", {0.7, 2, 0.06}, growing_densities(0.02, 0.8), samples), options);
    EXPECT_LT(fit.d_low, fit.d_star);
    EXPECT_GT(fit.d_high, fit.d_star);
    return std::log(fit.d_high / fit.d_low);
  };
  EXPECT_NEAR(width(10'000) / width(1'000'000), 10, 1.5);
}

TEST(BootstrapInterval, DependsOnTheSeedAndIsAbsentWithoutReplicates) {
  const auto points =
      curve_points("logistic", {0.7, 2, 0.06}, growing_densities(0.02, 0.8), 10'000);
  ExtrapolationOptions options = options_for("logistic", 0.02);
  EXPECT_TRUE(std::isnan(extrapolate(points, options).d_low));
  options.bootstrap = 50;
  const Extrapolation first = extrapolate(points, options);
  options.seed = 1;
  const Extrapolation second = extrapolate(points, options);
  EXPECT_NE(first.d_low, second.d_low);
  EXPECT_EQ(first.d_star, second.d_star);
}

}  // namespace
}  // namespace gcg
