#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "topology/mask.h"

namespace gcg {

/// The family of sampling laws over absent connections: successive
/// sampling without replacement with weights (1 - lambda) s^beta /
/// sum(s^beta) + lambda / N_absent. With beta = 0 every s^beta is 1, also
/// for a score of 0; if all scores are 0, only the uniform part is left.
struct SamplingLaw {
  double beta = 1;    ///< 0: uniform; infinity: greedy (the n largest scores; needs lambda = 0)
  double lambda = 0;  ///< in [0, 1]: share of the uniform part
};

/// Draws n of the candidates without replacement and returns their positions in
/// `log_scores`, ascending. The stream is drawn from once per candidate, in order,
/// whatever n is. The n largest keys log weight + Gumbel noise win, which is exactly
/// successive sampling (Efraimidis & Spirakis 2006). The greedy rule breaks ties by the
/// stream. -inf is a score of 0. O(N) time, O(n) memory. Errors (`where` names the layer
/// or network): NaN or +inf (with the position), n above the number of candidates, fewer
/// than n positive weights, beta or lambda out of range or contradictory.
std::vector<std::int64_t> sample_without_replacement(std::span<const double> log_scores,
                                                     std::int64_t n, const SamplingLaw& law,
                                                     RandomStream& stream,
                                                     std::string_view where = "sampling");

/// Candidates in an array: its elements that are not set in `excluded` (null: all of them).
struct Candidates {
  std::span<const double> log_scores;
  const LayerMask* excluded = nullptr;
};

/// The same for candidates in several arrays, without copying their scores. Positions count the
/// candidates of all arrays in turn.
std::vector<std::int64_t> sample_without_replacement(std::span<const Candidates> parts,
                                                     std::int64_t n, const SamplingLaw& law,
                                                     RandomStream& stream,
                                                     std::string_view where = "sampling");

}  // namespace gcg
