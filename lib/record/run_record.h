#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "backend/state.h"
#include "base/host.h"
#include "base/named.h"
#include "graph/network.h"
#include "paths/statistics.h"
#include "record/rows.h"
#include "search/search.h"

namespace gcg {

/// The status of a run, as its files say.
enum class RunStatus : std::uint8_t { running, finished, failed };
template <>
inline constexpr auto kNames<RunStatus> = std::to_array<std::string_view>({"running", "finished",
                                                                           "failed"});

/// One option of the run with its resolved value.
struct OptionValue {
  std::string name;
  std::string value;  ///< canonical text
  bool is_default = true;
  bool affects_result = true;
};

/// What identifies a run and where it ran.
struct RunIdentity {
  std::string name;  ///< readable prefix and hash: the name of the run's folder
  std::string
      hash;  ///< SHA-256 over the options that affect the result and the version of the defaults
  std::int64_t defaults_version = 0;
  std::uint64_t seed = 0;
  std::vector<OptionValue> options;
  std::string method, network, data;
  std::string data_digest;
  std::int64_t classes = 0;
  std::int64_t train_images = 0, validation_images = 0, test_images = 0;
  std::string command;  ///< the gcg_run line that produces this run
};

/// How the network was executed.
struct ExecutionFacts {
  std::string asked;      ///< --execution: auto or a backend's name
  std::string used;       ///< the backend's name
  std::string device;     ///< "cpu"
  std::string precision;  ///< of products: "fp32"
  std::string kernels;    ///< instruction set of the sparse kernels ("AVX2"); empty if not sparse
  bool fused = false;     ///< the kernels' multiply-adds round once: the same bits as with every
                          ///< other fused instruction set
  std::string rule;       ///< how each layer's kernel is chosen by its shape and density
};

struct Library {
  std::string name, version;
};

/// The mask of one stage with its statistics. The weights at the stage's end are in the checkpoint.
struct StageMask {
  std::int64_t stage = 0;
  Mask mask;
  MaskStatistics statistics;
};

/// The network's predictions on the validation images at a stage's end, in the split's order.
struct StagePredictions {
  std::int64_t stage = 0;
  std::vector<float> losses;  ///< nats
  std::vector<bool> hits;     ///< classified correctly
};

struct PredictionRecord {
  std::vector<std::int64_t> images;  ///< the split: positions among the training images
  std::vector<StagePredictions> stages;
};

/// What a search for a density has found. Numbers that do not exist are NaN.
struct SearchResult {
  SearchOutcome outcome = SearchOutcome::none;
  std::int64_t stage = -1;  ///< stage whose state got the final training; -1: none
  double density = std::numeric_limits<double>::quiet_NaN();  ///< of the network that was found
  /// Smallest and largest density on the way back whose loss the validation images cannot tell from
  /// the least (as_good_as). This covers their noise only, which is less than that between seeds.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

/// Seconds, FLOPs and counts by kind of work.
struct CostRecord {
  double density_epochs = 0;        ///< sum over epochs of density: the cost used in the source
  double training_flops = 0;        ///< steps
  double scoring_flops = 0;         ///< path sweeps
  double dense_gradient_flops = 0;  ///< gradients of absent connections
  double train_seconds = 0, evaluate_seconds = 0, grow_seconds = 0, statistics_seconds = 0,
         record_seconds = 0;     ///< checkpoints and run files
  double data_wait_seconds = 0;  ///< part of train_seconds: waiting for a batch to be made
  std::int64_t peak_memory_bytes = 0;
  std::int64_t steps = 0, epochs = 0;
};

/// The end of a finished run.
struct RunResult {
  TrainingState state;  ///< final values and mask
  double density = 0;
  double validation_accuracy = 0, validation_loss = 0;
  double test_accuracy = 0, test_loss = 0;
  std::vector<std::int32_t> test_predictions;  ///< predicted class per test image, in file order
  std::vector<std::int32_t> test_labels;
  double inference_flops = 0;  ///< one sample
};

/// Everything a run file holds.
struct RunRecord {
  RunIdentity identity;
  BuildFacts build;
  HostFacts host;
  std::int64_t threads = 1;
  ExecutionFacts execution;
  std::vector<Library> libraries;
  RunStatus status = RunStatus::running;
  std::string failure;  ///< what and where, if failed
  std::vector<std::string> warnings;
  Network network;  ///< only layers are stored; nodes are not read back
  std::vector<TrajectoryRow> trajectory;
  std::vector<StageRow> stages;
  std::vector<StageMask> masks;
  PredictionRecord predictions;
  SearchResult search;
  CostRecord cost;
  std::optional<RunResult> result;
};

}  // namespace gcg
