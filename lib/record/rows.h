#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>

#include "base/named.h"
#include "extrapolate/joint.h"

/// What a run file has more of as the run goes on: a row for every epoch and one for every stage,
/// each with the columns it is stored as.
namespace gcg {

/// Version of the layout described in docs/run_file.md; raised with every change that a reader can
/// see.
inline constexpr std::int64_t kRunFileSchema = 4;

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

/// One row per evaluation (end of each epoch). Accuracies in [0, 1], losses in nats per sample;
/// schema::kTrajectory says what each member is.
struct TrajectoryRow {
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  std::int64_t stage = 0;
  Role phase = Role::stage;
  double density = 0;
  double learning_rate = 0;
  double train_loss = 0;
  double train_accuracy = 0;
  double validation_loss = 0;
  double validation_accuracy = 0;
  double training_flops = 0;
  double seconds = 0;
};

/// A stage against the best (least mean loss) of its way back, on the same validation images:
/// differences, stage minus best, with standard errors. NaN if there is no way back.
struct StageComparison {
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< nats
  double loss_error = std::numeric_limits<double>::quiet_NaN();
  double accuracy = std::numeric_limits<double>::quiet_NaN();
  double accuracy_error = std::numeric_limits<double>::quiet_NaN();
};

/// One row per stage, written when its training ends; schema::kStages says what each member is.
struct StageRow {
  std::int64_t stage = 0;
  Role phase = Role::stage;
  std::int64_t present = 0;
  double density = 0;
  std::int64_t epochs = 0;
  double validation_loss = 0;
  double validation_accuracy = 0;
  std::int64_t grown = 0;
  std::int64_t repaired = 0;
  /// A measure of structural diversity. 1: there was no choice; NaN: nothing was selected.
  double growth_overlap = std::numeric_limits<double>::quiet_NaN();
  std::string scores;    ///< empty if there were none
  Extrapolation fit;     ///< after this stage (too_few_stages if there is none)
  std::string decision;  ///< "grow", "stop: reached d*", "final", ...
  double training_flops = 0;
  double seconds = 0;
  double density_epochs = 0;  ///< as CostRecord::density_epochs
  StageComparison above_best{};
  JointFit joint{};  ///< over density and time, after this stage: no rule uses it to stop
};

namespace schema {

/// A column of a table (one array per column) or an attribute of a group. Units: "1" for
/// dimensionless numbers, "none" for texts and flags.
template <typename Row, typename Value>
struct Field {
  std::string_view name;
  Value Row::*member;
  std::string_view unit;
  std::string_view description;
};
template <typename Row, typename Value>
Field(const char*, Value Row::*, const char*, const char*) -> Field<Row, Value>;

inline constexpr std::tuple kTrajectory{
    Field{"step", &TrajectoryRow::step, "updates", "updates so far"},
    Field{"epoch", &TrajectoryRow::epoch, "epochs", "epochs so far, 1 after the first"},
    Field{"stage", &TrajectoryRow::stage, "1", "stage, 0 before any growth"},
    Field{"phase", &TrajectoryRow::phase, "none", "phase of the method"},
    Field{"density", &TrajectoryRow::density, "1", "present / all connections"},
    Field{"learning_rate", &TrajectoryRow::learning_rate, "1",
          "learning rate of the epoch's last step"},
    Field{"train_loss", &TrajectoryRow::train_loss, "nats/sample",
          "mean loss over the epoch's augmented batches, as trained"},
    Field{"train_accuracy", &TrajectoryRow::train_accuracy, "1",
          "accuracy over the epoch's augmented batches, as trained"},
    Field{"validation_loss", &TrajectoryRow::validation_loss, "nats/sample",
          "mean loss on the validation split"},
    Field{"validation_accuracy", &TrajectoryRow::validation_accuracy, "1",
          "accuracy on the validation split"},
    Field{"training_flops", &TrajectoryRow::training_flops, "FLOP",
          "so far: training steps, scoring sweeps and dense gradients"},
    Field{"seconds", &TrajectoryRow::seconds, "s", "so far, all processes of the run together"},
};

/// StageRow::above_best.
inline constexpr std::tuple kAboveBest{
    Field{"loss", &StageComparison::loss, "nats/sample",
          "mean validation loss minus that of the best stage of the same way back"},
    Field{"loss_error", &StageComparison::loss_error, "nats/sample",
          "its standard error over the validation images, paired"},
    Field{"accuracy", &StageComparison::accuracy, "1",
          "validation accuracy minus that of the same best stage"},
    Field{"accuracy_error", &StageComparison::accuracy_error, "1",
          "its standard error over the validation images, paired"},
};

inline constexpr std::tuple kStages{
    Field{"stage", &StageRow::stage, "1", "stage, 0 before any growth"},
    Field{"phase", &StageRow::phase, "none", "phase of the method"},
    Field{"present", &StageRow::present, "connections", "present connections"},
    Field{"density", &StageRow::density, "1", "present / all connections"},
    Field{"epochs", &StageRow::epochs, "epochs", "epochs of this stage"},
    Field{"validation_loss", &StageRow::validation_loss, "nats/sample",
          "mean loss on the validation split at the stage's end"},
    Field{"validation_accuracy", &StageRow::validation_accuracy, "1",
          "accuracy on the validation split at the stage's end"},
    Field{"grown", &StageRow::grown, "connections", "connections added to reach the stage's mask"},
    Field{"repaired", &StageRow::repaired, "connections",
          "of those, by the repair of dead units; first stage: moved by the repair of the seed"},
    Field{"growth_overlap", &StageRow::growth_overlap, "1",
          "Jaccard index of the selected connections with a second draw at the same layer counts"},
    Field{"scores", &StageRow::scores, "none",
          "the last score behind the stage's mask: rule, mode of batch norm, precision, batches"},
    Field{"decision", &StageRow::decision, "none", "what was decided after the stage"},
    Field{"training_flops", &StageRow::training_flops, "FLOP", "of this stage, growth included"},
    Field{"seconds", &StageRow::seconds, "s", "of this stage"},
    Field{"density_epochs", &StageRow::density_epochs, "epochs",
          "so far: sum over epochs of density, the budget spent"},
};

}  // namespace schema

}  // namespace gcg
