#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "backend/state.h"
#include "base/host.h"
#include "base/named.h"
#include "extrapolate/joint.h"
#include "graph/network.h"
#include "paths/statistics.h"
#include "search/search.h"

namespace gcg {

/// Version of the layout described in docs/run_file.md; raised with every change that a reader can
/// see.
inline constexpr std::int64_t kRunFileSchema = 4;

/// The status of a run, as its files say.
enum class RunStatus : std::uint8_t { running, finished, failed };
template <>
inline constexpr auto kNames<RunStatus> = std::to_array<std::string_view>({"running", "finished",
                                                                           "failed"});

/// What a stage does within its method.
enum class Role : std::uint8_t {
  dense,  ///< trains all connections
  fixed,  ///< trains a fixed mask by the recipe
  stage,  ///< limited training of one stage in a series of densities
  set,    ///< the recipe with the mask updates of the method of this name; so the next four
  rigl,
  granet,
  gmp,
  acdc,
  round,       ///< training after a round of pruning
  reallocate,  ///< the recipe while connections move and go
  returning,   ///< limited training of one stage on the way back to lower densities
  final,       ///< training of the network that was found; must stay the last
};
template <>
inline constexpr auto kNames<Role> =
    std::to_array<std::string_view>({"dense", "fixed", "stage", "set", "rigl", "granet", "gmp",
                                     "acdc", "round", "reallocate", "return", "final"});
static_assert(kNames<Role>.size() == static_cast<std::size_t>(Role::final) + 1);

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

/// One row per evaluation (end of each epoch). Accuracies in [0, 1], losses in nats per sample.
struct TrajectoryRow {
  std::int64_t step = 0;   ///< updates so far
  std::int64_t epoch = 0;  ///< epochs so far: 1 after the first
  std::int64_t stage = 0;  ///< 0: before any growth
  Role phase = Role::stage;
  double density = 0;
  double learning_rate = 0;  ///< of the epoch's last step
  double train_loss = 0;     ///< mean over the epoch's augmented batches, as trained
  double train_accuracy = 0;
  double validation_loss = 0;
  double validation_accuracy = 0;
  double training_flops = 0;  ///< so far: training steps, scoring sweeps and dense gradients
  double seconds = 0;         ///< so far, of all processes of the run
};

/// A stage against the best (least mean loss) of its way back, on the same validation images:
/// differences, stage minus best, with standard errors. NaN if there is no way back.
struct StageComparison {
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< nats
  double loss_error = std::numeric_limits<double>::quiet_NaN();
  double accuracy = std::numeric_limits<double>::quiet_NaN();
  double accuracy_error = std::numeric_limits<double>::quiet_NaN();
};

/// One row per stage, written when its training ends.
struct StageRow {
  std::int64_t stage = 0;
  Role phase = Role::stage;
  std::int64_t present = 0;
  double density = 0;
  std::int64_t epochs = 0;
  double validation_loss = 0;
  double validation_accuracy = 0;
  std::int64_t grown = 0;     ///< connections added to reach this stage's mask
  std::int64_t repaired = 0;  ///< of those, added by the repair of dead units; in the first stage:
                              ///< connections that the repair of the seed mask moved
  /// Structural diversity: Jaccard index between the connections that the growth rule selected and
  /// a second draw with the same layer counts (1: there was no choice). NaN if nothing was
  /// selected.
  double growth_overlap = std::numeric_limits<double>::quiet_NaN();
  std::string scores;  ///< the last score behind this stage's mask and how it was computed: rule,
                       ///< mode of batch norm, precision, batches; empty if there was none
  Extrapolation fit;   ///< after this stage (too_few_stages if there is none)
  std::string
      decision;  ///< what was decided after this stage: "grow", "stop: reached d*", "final", ...
  double training_flops = 0;  ///< of this stage, growth included
  double seconds = 0;         ///< of this stage
  double density_epochs = 0;  ///< so far, as CostRecord::density_epochs: the budget spent
  StageComparison above_best{};
  JointFit joint{};  ///< over density and time, after this stage: no rule uses it to stop
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
