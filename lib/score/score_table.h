#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/state.h"
#include "score/gradient_score.h"
#include "score/path_score.h"

namespace gcg {

/// What a score is computed from. Scores change none of it.
struct ScoreRequest {
  const Network& network;
  const TrainingState& state;
  PathNorm path_norm = PathNorm::folded;
  GradientSource gradients{};                          ///< for scores that use images
  CurvatureSource curvature{};                         ///< for scores that use it
  std::uint64_t first_batch = 0;                       ///< number of the first batch of images
  std::int64_t batches = 1;                            ///< number of batches for gradients
  const ConnectionValues* gradient_average = nullptr;  ///< for momentum: kept during training
};

/// A score and how it was computed.
struct Scored {
  Scores scores;
  std::string context;     ///< for the record: mode of batch norm, precision, batches used
  double sweep_flops = 0;  ///< of sweeps without images; gradient sources count their own
};

/// One row of the table of scores.
struct ScoreRule {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  Scored (*score)(const ScoreRequest&);
  bool grows = false;      ///< ranks absent connections: a growth rule
  bool prunes = false;     ///< ranks present connections: a pruning rule
  bool images = false;     ///< needs gradients of training images, or their average
  bool curvature = false;  ///< needs ScoreRequest::curvature
  bool averaged = false;   ///< needs ScoreRequest::gradient_average
  bool paths = false;      ///< sums over paths: uses ScoreRequest::path_norm
  bool equal = false;      ///< all connections are equal: there is no order
};

/// path, path_l2, gradient, random, momentum, magnitude, snip, grasp, synflow. To add one: write
/// its function, add its row.
std::span<const ScoreRule> score_table();

/// The row with this name. UsageError if there is none.
const ScoreRule& find_score(std::string_view name);

/// Computes the score of a row and checks it. Errors that name rule and layer: a NaN, or a score of
/// 0 at every connection that it ranks. UsageError if `rule` is not in the table.
Scored score(std::string_view rule, const ScoreRequest& request);

}  // namespace gcg
