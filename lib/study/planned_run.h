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

/// What an experiment's command line says about its runs.
struct StudySettings {
  ExperimentRequest request;
  std::int64_t jobs = 0;
  std::string only, data_dir, execution, device, precision, out;
  std::string gpus;  ///< chosen_gpus
  std::int64_t runs_per_gpu = 1;
};

/// What a run's folder shows, in the order of urgency for the user.
enum class DiskState : std::uint8_t {
  running,  ///< a process works on it
  failed,
  damaged,  ///< will be rebuilt from its checkpoint
  foreign,  ///< of another version, never used
  stopped,  ///< begun, continues from its checkpoint
  nothing,  ///< there is no folder or run in it
  finished  ///< must stay the last
};
template <>
inline constexpr auto kNames<DiskState> = std::to_array<std::string_view>(
    {"running", "failed", "damaged", "foreign", "stopped", "-", "finished"});
static_assert(kNames<DiskState>.size() == static_cast<std::size_t>(DiskState::finished) + 1);

/// What is on disk for a run.
struct RunOnDisk {
  DiskState state = DiskState::nothing;
  std::string note{};     ///< why it failed, is damaged or foreign; who runs it
  bool unusable = false;  ///< failed, because its folder cannot even be looked at
  std::string data_digest{};
  std::int64_t train_images = 0;  ///< with validation images
  std::int64_t epochs = 0;        ///< finished
  double accuracy = 0;            ///< validation accuracy after the last of them
  double seconds = 0;             ///< of all processes of the run
  std::int64_t memory_bytes = 0;  ///< peak; without pages of files if the status file gives it
};

/// One run of the experiment with its plan and what is on disk for it.
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

/// For every run, the index of its trunk run: that of curve `trunk` with the same seed. Errors: no
/// such run; runs that start from each other.
std::vector<std::optional<std::size_t>> trunk_runs(const std::vector<ExperimentRun>& runs);

/// The runs of the experiment, resolved and looked up on disk. A selected run's trunk is selected
/// too. UsageError: a selection without any run; --execution, --device or --precision where the
/// experiment sets it; data the experiment does not support.
std::vector<PlannedRun> plan_runs(const Experiment& experiment, const StudySettings& settings);

/// The options that determine a run's images: runs with equal ones see the same images.
std::string images_of(const RunPlan& plan);

/// What is on disk for a run now: from its status file if that matches the run file that is there.
/// A folder that cannot be looked at is that of a failed run, with the reason as its note.
RunOnDisk look_at_disk(const RunPlan& plan);

/// The same from the run file itself, which is read and its checksum checked.
RunOnDisk read_disk(const RunPlan& plan);

/// The gcg_run beside this program, and its command line with the options of a run.
std::filesystem::path run_program();
std::vector<std::string> run_command(const PlannedRun& run);

/// The last thing a log says: gcg_run's own message if that comes last, with its remedies or
/// without, else the last line.
std::string last_words(const std::filesystem::path& log);

/// Whether a line of a log is a run's own reason for its end.
bool is_complaint(const std::string& line);

/// Why a failed run failed, in one line: what its log says last, or what is on disk otherwise.
std::string why_failed(const PlannedRun& run);

/// The width that a column of curves needs.
std::size_t curve_width(const std::vector<PlannedRun>& planned);

}  // namespace gcg
