#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "topology/mask.h"

namespace gcg {

/// The family of sampling laws over absent connections (method: successive sampling without
/// replacement with weight (1 - lambda) s^beta / sum(s^beta) + lambda / N_absent). With beta = 0
/// every s^beta is 1, that of a score of 0 too; where all scores are 0 only the uniform part is
/// left.
struct SamplingLaw {
  double beta = 1;    ///< 0: uniform; infinity: greedy (the n largest scores; needs lambda = 0)
  double lambda = 0;  ///< in [0, 1]: share of the uniform law
};

/// Draws n of the candidates without replacement; returns their positions in `log_scores`,
/// ascending. One draw of the stream per candidate, in order, so that the result does not depend on
/// n's history. Keys are log weight + Gumbel noise and the n largest win: exactly successive
/// sampling. The greedy rule breaks ties by the stream. -inf is a score of 0. O(N) time, O(n)
/// memory. Errors (`where` names the layer or network): NaN or +inf (position named), n above the
/// number of candidates, fewer positive weights than n, beta or lambda out of range or
/// contradictory.
std::vector<std::int64_t> sample_without_replacement(std::span<const double> log_scores,
                                                     std::int64_t n, const SamplingLaw& law,
                                                     RandomStream& stream,
                                                     std::string_view where = "sampling");

/// Candidates in an array: its elements where `excluded` is not set (null: all of them).
struct Candidates {
  std::span<const double> log_scores;
  const LayerMask* excluded = nullptr;
};

/// The same for candidates that lie in several arrays, without a copy of their scores; positions
/// count the candidates one array behind the other.
std::vector<std::int64_t> sample_without_replacement(std::span<const Candidates> parts,
                                                     std::int64_t n, const SamplingLaw& law,
                                                     RandomStream& stream,
                                                     std::string_view where = "sampling");

}  // namespace gcg
