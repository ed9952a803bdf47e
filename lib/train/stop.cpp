#include "train/stop.h"

#include <fmt/format.h>

#include <exception>

#include "base/program.h"
#include "record/run_summary.h"
#include "train/phase_state.h"
#include "train/training.h"

namespace gcg {

void save_kept(Stop& stop) {
  stop.recording.lock();  // and never unlocked: the process ends
  if (stop.kept && !stop.lost) {
    save(*stop.recorder, *stop.kept);
  }
}

void record_early_failure(Stop& stop, const std::filesystem::path& folder, const std::string& hash,
                          const std::string& failure,
                          const std::function<void(const std::string&)>& say) {
  try {
    const std::lock_guard guard(stop.recording);
    std::optional<RunRecord> record = shown_record(folder, hash);
    if (!record || record->status == RunStatus::finished || stop.lost) {
      return;
    }
    Recorder recorder{folder};
    if (const std::optional<RunSummary> before = read_run_summary(folder)) {
      recorder.memory_bytes = before->memory_bytes;
    }
    record_failure(recorder, *record, failure);
  } catch (const std::exception& second) {
    say(fmt::format("the failure cannot be recorded: {}", reason_of(second)));
  }
}

void check_same(Training& training, std::string_view when) {
  if (training.run.ranks != nullptr) {
    training.now.method_state = phase_text({training.stage, training.counted});
    check_same_state(training.run.ranks, training.now, when);
  }
}

void save(Training& training) {
  Stop& stop = *training.run.stop;
  training.now.method_state = phase_text({training.stage, training.counted});
  check_same(training, "before a checkpoint");
  if (leads(training.run.ranks)) {
    const std::lock_guard guard(stop.recording);
    if (stop.lost) {
      throw Stopped();
    }
    save(training.recorder, training.now);
    stop.kept.reset();
  }
  if (training.run.ranks != nullptr) {
    training.run.ranks->meet();
  }
}

void keep(Training& training) {
  if (!leads(training.run.ranks)) {
    return;
  }
  Stop& stop = *training.run.stop;
  training.now.method_state = phase_text({training.stage, training.counted});
  const std::lock_guard guard(stop.recording);
  stop.recorder = training.recorder;
  stop.kept = training.now;
}

void pass(Training& training) {
  Stop& stop = *training.run.stop;
  training.wishes = agreed(training.run.ranks, {stop.asked, save_is_due(training.recorder, false),
                                                training.step_seconds > kLongStep});
  if (training.wishes.stop) {
    if (!stop.asked) {
      training.run.say(kStoppedElsewhere);
    }
    catch_up(training);
    save(training);
    throw Stopped();
  }
  const std::lock_guard guard(stop.recording);
  stop.kept.reset();
}

}  // namespace gcg
