#include "growth/sampling.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "score/chi_square.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kDraws = 20000;

std::vector<std::int64_t> sample(const std::vector<double>& log_scores, std::int64_t n,
                                 const SamplingLaw& law, std::uint64_t index = 0) {
  RandomStream stream(7, "sampling-test", index);
  return sample_without_replacement(log_scores, n, law, stream);
}

/// Of the standard Gumbel distribution.
double gumbel(RandomStream& stream) { return -std::log(-std::log(stream.uniform_open())); }

/// The law's weights, straight from the formula.
std::vector<double> weights_of(const std::vector<double>& scores, const SamplingLaw& law) {
  double sum = 0;
  for (const double score : scores) {
    sum += std::pow(score, law.beta);
  }
  std::vector<double> weights;
  for (const double score : scores) {
    weights.push_back((sum > 0 ? (1 - law.lambda) * std::pow(score, law.beta) / sum : 0) +
                      law.lambda / static_cast<double>(scores.size()));
  }
  return weights;
}

/// Frequencies of all pairs among the scores against the exact law of successive sampling.
void expect_pairs_follow(const std::vector<double>& scores, const SamplingLaw& law) {
  std::vector<double> log_scores;
  for (const double score : scores) {
    log_scores.push_back(std::log(score));
  }
  const std::vector<double> w = weights_of(scores, law);
  double total = 0;
  for (const double weight : w) {
    total += weight;
  }
  const std::size_t size = scores.size();
  std::vector<double> probabilities(size * size, 0);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = i + 1; j < size; ++j) {
      if (w[i] > 0 && w[j] > 0) {
        probabilities[i * size + j] =
            w[i] / total * w[j] / (total - w[i]) + w[j] / total * w[i] / (total - w[j]);
      }
    }
  }
  std::vector<std::size_t> counts(size * size, 0);
  for (std::size_t k = 0; k < kDraws; ++k) {
    const std::vector<std::int64_t> pair = sample(log_scores, 2, law, k);
    ASSERT_EQ(pair.size(), 2U);
    ASSERT_LT(pair[0], pair[1]);
    ++counts[static_cast<std::size_t>(pair[0]) * size + static_cast<std::size_t>(pair[1])];
  }
  EXPECT_LT(testing::chi_square(counts, probabilities), testing::chi_square_limit(probabilities));
}

TEST(Sampling, PairsFollowSuccessiveSampling) {
  for (const double beta : {0.0, 0.5, 1.0, 2.0}) {
    for (const double lambda : {0.0, 0.3, 1.0}) {
      SCOPED_TRACE(fmt::format("beta {} lambda {}", beta, lambda));
      expect_pairs_follow({1, 2, 3, 4, 10}, {beta, lambda});
    }
  }
}

TEST(Sampling, ScoresOfZeroAreDrawnOnlyByTheUniformShare) {
  for (const double lambda : {0.0, 0.3, 1.0}) {
    SCOPED_TRACE(fmt::format("lambda {}", lambda));
    expect_pairs_follow({1, 0, 3, 0, 10}, {1, lambda});
  }
  expect_pairs_follow({0, 0, 0, 0, 0}, {1, 0.3});
  expect_pairs_follow({1, 0, 3, 0, 10}, {0, 0});
}

TEST(Sampling, IsExactForScoresFarBeyondTheRangeOfDoubles) {
  // A common factor of exp(-2^20) means nothing.
  const std::vector<double> scores{1, 2, 3, 4};
  std::vector<double> log_scores;
  std::vector<double> shifted;
  for (const double score : scores) {
    log_scores.push_back(std::log(score));
    shifted.push_back(std::log(score) - 0x1.0p20);
  }
  std::size_t equal = 0;
  for (std::size_t k = 0; k < 1000; ++k) {
    equal += sample(log_scores, 2, {1, 0.3}, k) == sample(shifted, 2, {1, 0.3}, k) ? 1 : 0;
  }
  EXPECT_EQ(equal, 1000U);
  // Ratios of exp(1e300) leave no doubt, and the smallest positive score is still drawn at last.
  EXPECT_THAT(sample({-1e300, 1e300, 0}, 1, {1, 0}), ElementsAre(1));
  EXPECT_THAT(sample({-1e300, 1e300, 0, -1e308}, 2, {2, 0}), ElementsAre(1, 2));
  EXPECT_THAT(sample({-1.7e308, 1.7e308, -kInfinity}, 2, {2, 0}), ElementsAre(0, 1));
}

TEST(Sampling, GreedyTakesTheLargestScores) {
  const std::vector<double> log_scores{-3, 5, -kInfinity, 1e300, -1e300, 2};
  const SamplingLaw greedy{kInfinity, 0};
  EXPECT_THAT(sample(log_scores, 1, greedy), ElementsAre(3));
  EXPECT_THAT(sample(log_scores, 3, greedy), ElementsAre(1, 3, 5));
  EXPECT_THAT(sample(log_scores, 5, greedy), ElementsAre(0, 1, 3, 4, 5));
}

TEST(Sampling, GreedyBreaksTiesUniformly) {
  std::vector<std::size_t> counts(4, 0);
  for (std::size_t k = 0; k < kDraws; ++k) {
    const auto drawn = sample({1, 2, 1, 1, 1}, 2, {kInfinity, 0}, k);
    ASSERT_TRUE(drawn[0] == 1 || drawn[1] == 1);
    const std::int64_t tied = drawn[0] == 1 ? drawn[1] : drawn[0];
    ++counts[static_cast<std::size_t>(tied == 0 ? 0 : tied - 1)];
  }
  const std::vector<double> law(4, 0.25);
  EXPECT_LT(testing::chi_square(counts, law), testing::chi_square_limit(law));
}

TEST(Sampling, AgreesWithSortingAllKeys) {
  // The reference: the key log w + Gumbel noise of every candidate, all sorted.
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomStream source(seed, "sampling-scores");
    const std::int64_t size = 3000;
    std::vector<double> log_scores;
    for (std::int64_t i = 0; i < size; ++i) {
      log_scores.push_back(source.below(5) == 0 ? -kInfinity : 3 * source.normal());
    }
    const auto n = static_cast<std::int64_t>(source.below(2000));
    RandomStream noise(seed, "keys");
    std::vector<std::pair<double, std::int64_t>> keys;
    for (std::int64_t i = 0; i < size; ++i) {
      keys.emplace_back(-(log_scores[static_cast<std::size_t>(i)] + gumbel(noise)), i);
    }
    std::sort(keys.begin(), keys.end());
    std::vector<std::int64_t> expected;
    for (std::int64_t i = 0; i < n; ++i) {
      expected.push_back(keys[static_cast<std::size_t>(i)].second);
    }
    std::sort(expected.begin(), expected.end());
    RandomStream stream(seed, "keys");
    EXPECT_EQ(sample_without_replacement(log_scores, n, {1, 0}, stream), expected);
  }
}

TEST(Sampling, DrawsOnceForEveryCandidateWhateverN) {
  const std::vector<double> log_scores{0, 1, -kInfinity, 3, 4, 5};
  for (const SamplingLaw& law : {SamplingLaw{1, 0}, SamplingLaw{0, 1}, SamplingLaw{kInfinity, 0}}) {
    RandomStream expected(3, "draws");
    for (std::size_t i = 0; i < log_scores.size(); ++i) {
      gumbel(expected);
    }
    const std::uint64_t next = expected.next_u64();
    std::vector<std::int64_t> fewer;
    for (std::int64_t n = 0; n <= 5; ++n) {
      RandomStream stream(3, "draws");
      const auto drawn = sample_without_replacement(log_scores, n, law, stream);
      EXPECT_EQ(stream.next_u64(), next);
      EXPECT_EQ(std::ssize(drawn), n);
      EXPECT_TRUE(std::includes(drawn.begin(), drawn.end(), fewer.begin(), fewer.end()));
      fewer = drawn;
    }
  }
}

TEST(Sampling, DrawsNothingOrEverything) {
  EXPECT_THAT(sample({}, 0, {1, 0.5}), IsEmpty());
  EXPECT_THAT(sample({-kInfinity}, 0, {1, 0}), IsEmpty());
  EXPECT_THAT(sample({-5, 1e300, -1e300}, 3, {1, 0}), ElementsAre(0, 1, 2));
}

TEST(Sampling, RefusesMoreThanThereIs) {
  EXPECT_THAT(
      [] {
        sample({0, 0}, 3, {1, 0});
      },
      ThrowsMessage<Error>(HasSubstr("sampling: cannot draw 3 of 2 candidates")));
  EXPECT_THAT(
      [] {
        sample({0, 0}, -1, {1, 0});
      },
      ThrowsMessage<Error>(HasSubstr("cannot draw -1 of 2 candidates")));
  for (const double beta : {1.0, kInfinity}) {
    EXPECT_THAT(
        [&] {
          sample({0, -kInfinity, -kInfinity}, 2, {beta, 0});
        },
        ThrowsMessage<Error>(
            HasSubstr("only 1 of 3 candidates have a positive weight, 2 are to be drawn")));
  }
}

TEST(Sampling, NamesTheCallersPlaceInErrors) {
  RandomStream stream(1, "x");
  const std::vector<double> none;
  EXPECT_THAT([&] { sample_without_replacement(none, 1, {}, stream, "net: conv1"); },
              ThrowsMessage<Error>(HasSubstr("net: conv1: cannot draw")));
}

TEST(Sampling, RefusesScoresThatAreNoNumbers) {
  EXPECT_THAT(
      [] {
        sample({0, std::nan("")}, 1, {1, 0});
      },
      ThrowsMessage<Error>(HasSubstr("the log score of candidate 1 is nan")));
  EXPECT_THAT(
      [] {
        sample({0, 1, kInfinity}, 1, {0, 1});
      },
      ThrowsMessage<Error>(HasSubstr("the log score of candidate 2 is inf")));
}

TEST(Sampling, RefusesLawsThatMakeNoSense) {
  EXPECT_THAT([] { sample({0}, 1, {-1, 0}); }, ThrowsMessage<Error>(HasSubstr("beta = -1")));
  EXPECT_THAT(
      [] {
        sample({0}, 1, {std::nan(""), 0});
      },
      ThrowsMessage<Error>(HasSubstr("beta = nan")));
  EXPECT_THAT([] { sample({0}, 1, {1, 1.5}); }, ThrowsMessage<Error>(HasSubstr("lambda = 1.5")));
  EXPECT_THAT(
      [] {
        sample({0}, 1, {1, std::nan("")});
      },
      ThrowsMessage<Error>(HasSubstr("lambda = nan")));
  EXPECT_THAT(
      [] {
        sample({0}, 1, {kInfinity, 0.1});
      },
      ThrowsMessage<Error>(HasSubstr("contradicts lambda = 0.1")));
}

}  // namespace
}  // namespace gcg
