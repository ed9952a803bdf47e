#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/named.h"
#include "study/experiment.h"

namespace gcg {

/// What an experiment's command line says of its runs.
struct StudySettings {
  ExperimentRequest request;
  std::int64_t jobs = 0;
  std::string only, data_dir, execution, device, precision, out;
  std::string gpus;  ///< chosen_gpus
  std::int64_t runs_per_gpu = 1;
};

/// What a run's folder tells, what needs looking at first.
enum class DiskState : std::uint8_t {
  running,  ///< a process works on it
  failed,
  damaged,  ///< is rebuilt from its checkpoint
  foreign,  ///< of another version, never taken
  stopped,  ///< begun, goes on from its checkpoint
  nothing,  ///< there is none
  finished  ///< stays the last
};
template <>
inline constexpr auto kNames<DiskState> = std::to_array<std::string_view>(
    {"running", "failed", "damaged", "foreign", "stopped", "-", "finished"});
static_assert(kNames<DiskState>.size() == static_cast<std::size_t>(DiskState::finished) + 1);

/// What is on disk of a run.
struct RunOnDisk {
  DiskState state = DiskState::nothing;
  std::string note{};  ///< why it failed, is damaged or foreign; who is at it
  std::string data_digest{};
  std::int64_t train_images = 0;  ///< validation images included
  std::int64_t epochs = 0;        ///< finished
  double accuracy = 0;            ///< validation accuracy after the last of them
  double seconds = 0;             ///< of all processes of the run together
  std::int64_t memory_bytes = 0;  ///< peak, without pages of files where the status file says it
};

/// One run of the experiment with its plan and what is on disk of it.
struct PlannedRun {
  ExperimentRun run;
  std::unique_ptr<RunPlan> plan;
  bool selected = true;                ///< by --only
  std::optional<std::size_t> trunk{};  ///< index of the run it starts from
  std::int64_t planned_epochs = 0;     ///< at most
  RunOnDisk disk;

  [[nodiscard]] std::filesystem::path file() const;
  [[nodiscard]] std::filesystem::path log() const;
  [[nodiscard]] bool on_gpu() const { return plan->settings.device != "cpu"; }
};

/// For every run the index of its trunk run: of curve `trunk` and the same seed. Errors: no such
/// run; runs that start from each other.
std::vector<std::optional<std::size_t>> trunk_runs(const std::vector<ExperimentRun>& runs);

/// The runs of the experiment, resolved and looked up on disk. A selected run's trunk is selected
/// too. UsageError: a selection without any run; --execution, --device or --precision where the
/// experiment sets it; data the experiment does not support.
std::vector<PlannedRun> plan_runs(const Experiment& experiment, const StudySettings& settings);

/// The options of a run's images: runs that agree in them see the same.
std::string images_of(const RunPlan& plan);

/// What is on disk of a run's plan now, by its status file if that is of the run file there is.
RunOnDisk look_at_disk(const RunPlan& plan);

/// The same by the run file itself, read to its checksum.
RunOnDisk read_disk(const RunPlan& plan);

/// The gcg_run beside this program, with the options of a run.
std::filesystem::path run_program();
std::vector<std::string> run_command(const PlannedRun& run);

/// The last thing a log says: gcg_run's own message if there is one near the end, else the last
/// line.
std::string last_words(const std::filesystem::path& log);

/// How wide a column for curves has to be.
std::size_t curve_width(const std::vector<PlannedRun>& planned);

/// Of the study file: raised whenever its layout changes, for the analysis to refuse others.
inline constexpr std::int64_t kStudyVersion = 2;

/// The list of runs that the analysis starts from, as JSON: of every run its curve, what that is
/// (Part), seed, name and options. It stands in OUT/NAME-SCALE.json.
std::string study_text(const Experiment& experiment, const StudySettings& settings,
                       const std::vector<PlannedRun>& planned);
std::filesystem::path study_file(const Experiment& experiment, const StudySettings& settings);
void write_study_file(const Experiment& experiment, const StudySettings& settings,
                      const std::vector<PlannedRun>& planned);

/// Finished runs of an earlier study file that another version of the defaults or of the layout
/// made: their names, to be told. They are not taken and not touched.
std::vector<std::string> outdated_runs(const Experiment& experiment, const StudySettings& settings,
                                       const std::vector<PlannedRun>& planned);

}  // namespace gcg
