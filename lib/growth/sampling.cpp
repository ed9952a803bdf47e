#include "growth/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace gcg {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check_law(const SamplingLaw& law, std::string_view where) {
  if (!(law.beta >= 0)) {
    throw Error(where, fmt::format("beta = {} is not in [0, infinity]", law.beta));
  }
  if (!(law.lambda >= 0 && law.lambda <= 1)) {
    throw Error(where, fmt::format("lambda = {} is not in [0, 1]", law.lambda));
  }
  if (law.beta == kInfinity && law.lambda > 0) {
    throw Error(where, fmt::format("beta infinite (greedy) contradicts lambda = {}", law.lambda),
                "take lambda = 0 or a finite beta");
  }
}

/// The largest log score, -inf if there is none; checks them on the way.
double largest(std::span<const double> log_scores, std::string_view where) {
  double result = -kInfinity;
  for (std::size_t i = 0; i < log_scores.size(); ++i) {
    if (std::isnan(log_scores[i]) || log_scores[i] == kInfinity) {
      throw Error(where, fmt::format("the log score of candidate {} is {}", i, log_scores[i]));
    }
    result = std::max(result, log_scores[i]);
  }
  return result;
}

/// log(s^beta) up to a common constant: relative to the largest score, so that nothing overflows
/// upwards; what overflows downwards stays a positive weight.
double log_power(double log_score, double top, double beta) {
  if (beta == 0) {
    return 0;
  }
  if (log_score == -kInfinity) {
    return -kInfinity;
  }
  return std::max(beta * (log_score - top), std::numeric_limits<double>::lowest());
}

double log_add(double a, double b) {
  const double high = std::max(a, b);
  return high == -kInfinity ? high : high + std::log1p(std::exp(std::min(a, b) - high));
}

struct Candidate {
  double key = 0;
  double noise = 0;  ///< decides between keys that are equal (greedy) or were rounded to be
  std::int64_t position = 0;
};

bool wins(const Candidate& a, const Candidate& b) {
  if (a.key != b.key) {
    return a.key > b.key;
  }
  return a.noise != b.noise ? a.noise > b.noise : a.position < b.position;
}

void keep_best(std::vector<Candidate>& candidates, std::size_t n) {
  if (candidates.size() > n) {
    std::nth_element(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(n),
                     candidates.end(), wins);
    candidates.resize(n);
  }
}

}  // namespace

std::vector<std::int64_t> sample_without_replacement(std::span<const double> log_scores,
                                                     std::int64_t n, const SamplingLaw& law,
                                                     RandomStream& stream, std::string_view where) {
  check_law(law, where);
  const std::int64_t size = std::ssize(log_scores);
  if (n < 0 || n > size) {
    throw Error(where, fmt::format("cannot draw {} of {} candidates", n, size));
  }
  const double top = largest(log_scores, where);
  const bool greedy = law.beta == kInfinity;

  // log of the factor of s^beta and of the uniform part.
  double log_share = 0;
  double log_uniform = -kInfinity;
  if (!greedy) {
    double sum = 0;
    for (const double log_score : log_scores) {
      sum += std::exp(log_power(log_score, top, law.beta));
    }
    log_share = sum > 0 ? std::log1p(-law.lambda) - std::log(sum) : -kInfinity;
    log_uniform = std::log(law.lambda) - std::log(static_cast<double>(size));
  }

  const auto wanted = static_cast<std::size_t>(n);
  std::vector<Candidate> best;
  std::int64_t positive = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    const double noise = stream.gumbel();
    const double log_score = log_scores[static_cast<std::size_t>(i)];
    const double log_weight =
        greedy ? log_score : log_add(log_share + log_power(log_score, top, law.beta), log_uniform);
    if (log_weight == -kInfinity) {
      continue;
    }
    ++positive;
    best.push_back({greedy ? log_weight : log_weight + noise, noise, i});
    if (best.size() >= 2 * wanted + 1024) {
      keep_best(best, wanted);
    }
  }
  if (positive < n) {
    throw Error(where,
                fmt::format("only {} of {} candidates have a positive weight, {} are to be drawn",
                            positive, size, n),
                "give the uniform law a share (lambda > 0)");
  }
  keep_best(best, wanted);

  std::vector<std::int64_t> positions;
  positions.reserve(best.size());
  for (const Candidate& candidate : best) {
    positions.push_back(candidate.position);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

}  // namespace gcg
