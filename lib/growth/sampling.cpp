#include "growth/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
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

/// Calls f(log score) for every candidate in order.
template <typename F>
void for_each_candidate(std::span<const Candidates> parts, F f) {
  for (const Candidates& part : parts) {
    if (part.excluded == nullptr) {
      std::for_each(part.log_scores.begin(), part.log_scores.end(), f);
      continue;
    }
    const std::span<const std::uint64_t> words = part.excluded->words();
    for (std::size_t w = 0; w < words.size(); ++w) {
      const std::size_t rest = part.log_scores.size() - 64 * w;
      const std::uint64_t inside = rest >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << rest) - 1;
      for (std::uint64_t bits = ~words[w] & inside; bits != 0; bits &= bits - 1) {
        f(part.log_scores[64 * w + static_cast<std::size_t>(std::countr_zero(bits))]);
      }
    }
  }
}

std::int64_t count_candidates(std::span<const Candidates> parts) {
  std::int64_t count = 0;
  for (const Candidates& part : parts) {
    count += std::ssize(part.log_scores) - (part.excluded == nullptr ? 0 : part.excluded->count());
  }
  return count;
}

/// The largest log score, -inf if there is none; checks them on the way.
double largest(std::span<const Candidates> parts, std::string_view where) {
  double result = -kInfinity;
  std::int64_t position = 0;
  for_each_candidate(parts, [&](double log_score) {
    if (std::isnan(log_score) || log_score == kInfinity) {
      throw Error(where, fmt::format("the log score of candidate {} is {}", position, log_score));
    }
    result = std::max(result, log_score);
    ++position;
  });
  return result;
}

/// An upper bound of the Gumbel noise -log(-log u), by the highest bits of u: most candidates are
/// out of the race at that, and need no logarithm.
class NoiseBound {
 public:
  NoiseBound() {
    for (std::size_t i = 0; i < bound_.size(); ++i) {
      const double high = static_cast<double>(i + 1) / static_cast<double>(bound_.size());
      // Far more than rounding can take from the noise; infinite at the end.
      bound_[i] = high < 1 ? -std::log(-std::log(high)) + 1e-9 : kInfinity;
    }
  }
  [[nodiscard]] double operator()(double u) const {
    return bound_[static_cast<std::size_t>(u * static_cast<double>(bound_.size()))];
  }

 private:
  std::array<double, 1024> bound_{};
};

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

/// Keeps the n best, the worst of them last.
void keep_best(std::vector<Candidate>& candidates, std::size_t n) {
  if (candidates.size() > n) {
    const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(n);
    if (n > 0) {
      std::nth_element(candidates.begin(), end - 1, candidates.end(), wins);
    }
    candidates.erase(end, candidates.end());
  }
}

}  // namespace

std::vector<std::int64_t> sample_without_replacement(std::span<const Candidates> parts,
                                                     std::int64_t n, const SamplingLaw& law,
                                                     RandomStream& stream, std::string_view where) {
  check_law(law, where);
  const std::int64_t size = count_candidates(parts);
  if (n < 0 || n > size) {
    throw Error(where, fmt::format("cannot draw {} of {} candidates", n, size));
  }
  const double top = largest(parts, where);
  const bool greedy = law.beta == kInfinity;

  // log of the factor of s^beta and of the uniform part.
  double log_share = 0;
  double log_uniform = -kInfinity;
  if (!greedy) {
    double sum = 0;
    for_each_candidate(
        parts, [&](double log_score) { sum += std::exp(log_power(log_score, top, law.beta)); });
    log_share = sum > 0 ? std::log1p(-law.lambda) - std::log(sum) : -kInfinity;
    log_uniform = std::log(law.lambda) - std::log(static_cast<double>(size));
  }

  const auto wanted = static_cast<std::size_t>(n);
  static const NoiseBound noise_bound;
  std::vector<Candidate> best;
  double limit = -kInfinity;  // n candidates have keys from here on
  std::int64_t positive = 0;
  std::int64_t position = -1;
  for_each_candidate(parts, [&](double log_score) {
    ++position;
    const double u = stream.uniform_open();
    double log_weight = log_score;
    if (!greedy) {
      const double scored = log_share + log_power(log_score, top, law.beta);
      log_weight = law.lambda == 0 ? scored : log_add(scored, log_uniform);
    }
    if (log_weight == -kInfinity) {
      return;
    }
    ++positive;
    if (log_weight + (greedy ? 0 : noise_bound(u)) < limit) {
      return;
    }
    const double noise = -std::log(-std::log(u));
    best.push_back({greedy ? log_weight : log_weight + noise, noise, position});
    if (best.size() >= 2 * wanted + 1024) {
      keep_best(best, wanted);
      limit = best.empty() ? kInfinity : best.back().key;
    }
  });
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

std::vector<std::int64_t> sample_without_replacement(std::span<const double> log_scores,
                                                     std::int64_t n, const SamplingLaw& law,
                                                     RandomStream& stream, std::string_view where) {
  const Candidates all{log_scores};
  return sample_without_replacement(std::span(&all, 1), n, law, stream, where);
}

}  // namespace gcg
