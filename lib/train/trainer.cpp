#include "train/trainer.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/program.h"
#include "record/network_file.h"
#include "record/run_file.h"
#include "record/run_summary.h"
#include "train/resume.h"
#include "train/training.h"

namespace gcg {

namespace {

void train_all(Training& training) {
  if (training.stage.phase.epochs == 0) {
    begin(training);
  }
  // A branch stands at the end of its trunk's stage.
  bool more = !stage_ended(training) || next_stage(training);
  while (more) {
    pass(training);
    train_epoch(training);
    const bool ended = stage_ended(training);
    more = !ended || next_stage(training);
    const bool good_moment = ended || training.run.save_after_epochs;
    const Wishes wishes{.save = more && save_is_due(training.recorder, good_moment)};
    if (agreed(training.run.ranks, wishes).save) {
      catch_up(training);
      save(training);
    }
  }
  test(training);
  training.now.record.status = RunStatus::finished;
  save(training);
}

/// Where a run stands, for the reason that it failed.
std::string place(const Training& training) {
  const Phase& phase = training.stage.phase;
  if (phase.epochs == 0) {
    return "before the first stage";
  }
  return stage_ended(training) ? fmt::format("after the training of stage {}", phase.stage)
                               : fmt::format("stage {}, epoch {} of {}, batch {}", phase.stage,
                                             training.now.position.epoch_in_phase + 1, phase.epochs,
                                             training.now.position.batch_in_epoch);
}

/// prepare(), which does not go on from a failure without a word in the run file.
Training prepared(TrainingRun& run) {
  const std::string hash = run.record.identity.hash;
  try {
    return prepare(run);
  } catch (const RanksStopped&) {
    throw;
  } catch (const HopelessError&) {
    throw;  // as the run file says already
  } catch (const std::exception& error) {
    if (leads(run.ranks)) {
      record_early_failure(*run.stop, run.folder, hash, "at the start: " + reason_of(error),
                           run.say);
    }
    throw;
  }
}

/// For readers of states: the run file holds the layers, not how they are connected.
void write_network(const TrainingRun& run, const RunRecord& record) {
  write_file_atomically(run.folder / kNetworkFileName,
                        network_text(run.network, {.run = record.identity.name}));
}

}  // namespace

RunRecord train(TrainingRun run) {
  Training training = prepared(run);
  RunRecord& record = training.now.record;
  if (record.status == RunStatus::finished) {
    if (leads(run.ranks)) {
      // Killed between the last checkpoint and the run file: show it again.
      write_network(run, record);
      write_run_file(run.folder / kRunFileName, record);
      write_run_summary(run.folder, summary_of(record, record.cost.peak_memory_bytes));
    }
    return std::move(record);
  }
  try {
    if (leads(run.ranks)) {
      write_network(run, record);
    }
    train_all(training);
  } catch (const RanksStopped&) {
    run.say(kStoppedElsewhere);
    Stop& stop = *training.run.stop;
    const std::lock_guard guard(stop.recording);
    if (stop.kept && !stop.lost) {
      save(*stop.recorder, *stop.kept);
    }
    throw Stopped();
  } catch (const std::exception& error) {
    run.say("failed: " + place(training));
    try {
      const std::lock_guard guard(training.run.stop->recording);
      training.run.stop->kept.reset();  // a stop that is under way would show the run as going on
      if (leads(run.ranks) && !training.run.stop->lost) {
        const bool by_options =
            training.by_options && dynamic_cast<const Error*>(&error) != nullptr;
        record_failure(training.recorder, record,
                       fmt::format("{}: {}{}", place(training), reason_of(error),
                                   by_options ? kFollowsFromOptions : ""));
      }
    } catch (const std::exception& second) {
      run.say(fmt::format("the failure cannot be recorded: {}", reason_of(second)));
    }
    throw;
  }
  return std::move(record);
}

}  // namespace gcg
