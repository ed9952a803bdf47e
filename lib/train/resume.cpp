#include "train/resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "record/belongs.h"
#include "train/recorder.h"

namespace gcg {

namespace {

std::string libraries_text(const RunRecord& record) {
  std::string text;
  for (const Library& library : record.libraries) {
    text += fmt::format("{} {};", library.name, library.version);
  }
  return text;
}

std::string build_text(const RunRecord& record) {
  return record.build.commit + (record.build.dirty ? " with changes" : "");
}

/// Processes of a run, "1" where the option had no use.
std::string processes_text(const RunRecord& record) {
  const auto found = std::ranges::find(record.identity.options, "processes", &OptionValue::name);
  return found == record.identity.options.end() ? "1" : found->value;
}

void check_same(std::string_view what, const std::string& was, const std::string& is,
                const std::string& place) {
  if (was != is) {
    throw Error(
        place,
        fmt::format("the checkpoint belongs to another run: its {} is {}, not {}", what, was, is),
        "choose another output folder, or remove this one");
  }
}

}  // namespace

RunRecord resumed_record(RunRecord old, RunRecord own, const std::string& place,
                         const std::function<void(const std::string&)>& say) {
  check_same("identity", old.identity.hash, own.identity.hash, place);
  check_same("data digest", old.identity.data_digest, own.identity.data_digest, place);
  // Everything in it is arranged by its own layers; the network of this process takes their place.
  check_same_layers(place, old.network, own.network);
  if (old.status == RunStatus::finished) {
    if (!old.result || old.stages.empty() || old.masks.size() != old.stages.size()) {
      throw Error(
          place,
          "its checkpoint is inconsistent: it says that the run is finished, but has no result",
          "remove the run's folder and run it again");
    }
    old.network = std::move(own.network);
    return old;
  }
  const auto compare = [&](std::string_view what, const std::string& was, const std::string& is) {
    if (was != is) {
      const std::string warning = fmt::format(
          "resumed with another {} ({}, before: {}): results may differ from those of an "
          "uninterrupted run",
          what, is, was);
      old.warnings.push_back(warning);
      say("warning: " + warning);
    }
  };
  compare("type of processor", old.host.processor, own.host.processor);
  compare("vector extension", old.host.instructions, own.host.instructions);
  compare("set of libraries", libraries_text(old), libraries_text(own));
  compare("number of processes", processes_text(old), processes_text(own));
  compare("build", build_text(old), build_text(own));
  old.network = std::move(own.network);
  old.build = std::move(own.build);
  old.host = std::move(own.host);
  old.threads = own.threads;
  old.execution = std::move(own.execution);
  old.libraries = std::move(own.libraries);
  old.identity.options = std::move(own.identity.options);
  old.identity.command = std::move(own.identity.command);
  return old;
}

void check_position(const Checkpoint& now, const Stage& stage, std::int64_t counted,
                    const EpochSize& epoch, const std::string& place) {
  const auto require = [&](bool holds, std::string_view what, auto is, auto of) {
    if (!holds) {
      throw Error(place, fmt::format("its checkpoint is inconsistent: {} {}, of {}", what, is, of),
                  "remove the run's folder and run it again");
    }
  };
  const RunRecord& record = now.record;
  const Position& position = now.position;
  const Phase& phase = stage.phase;
  const auto layers = std::ssize(record.network.layers);
  const auto within = [&](std::string_view what, std::int64_t is, std::int64_t last) {
    require(is >= 0 && is <= last, what, is, last);
  };
  require(position.phase == std::ssize(record.stages), "phase", position.phase,
          record.stages.size());
  require(record.masks.size() == record.stages.size(), "masks", record.masks.size(),
          record.stages.size());
  require(record.cost.epochs == std::ssize(record.trajectory), "epochs", record.cost.epochs,
          record.trajectory.size());
  require(phase.epochs > 0 && phase.epochs <= kMostEpochs, "epochs of its phase", phase.epochs,
          kMostEpochs);
  within("stage", phase.stage, kMostEpochs);
  within("epoch", position.epoch_in_phase, phase.epochs);
  within("batch", position.batch_in_epoch,
         position.epoch_in_phase < phase.epochs ? epoch.batches : 0);
  within("counted batch", counted, position.batch_in_epoch);
  const std::int64_t updates = phase.epochs * epoch.batches;
  within("first update", phase.first_update, updates - 1);
  within("update before a copy of the state", phase.snapshot.value_or(0), updates);
  std::int64_t last = -1;
  for (const std::int64_t update : phase.mask_updates) {
    require(update > last && update <= updates, "update of the mask", update, updates);
    last = update;
  }
  within("sample", position.samples, epoch.images);
  within("correct sample", position.correct, position.samples);
  require(std::isfinite(position.loss_sum), "loss", position.loss_sum, position.samples);
  const Schedule& schedule = phase.schedule;
  require(std::isfinite(schedule.peak) && schedule.peak >= 0, "learning rate", schedule.peak,
          "a finite one");
  require(schedule.warmup >= 0 && schedule.warmup < 1, "warm-up", schedule.warmup, 1);
  require(phase.gradient_average >= 0 && phase.gradient_average < 1, "weight of an average",
          phase.gradient_average, 1);
  for (const std::int64_t size :
       {std::ssize(stage.mask.allocation.counts), std::ssize(stage.mask.allocation.wanted)}) {
    require(size == 0 || size == layers, "layer counts of the allocation", size, layers);
  }
  check_mask_invariant(record.network, now.state);
  if (now.memory.kept) {
    check_mask_invariant(record.network, *now.memory.kept);
  }
}

void tell_failure(const std::filesystem::path& folder, RunRecord& record,
                  const std::function<void(const std::string&)>& say) {
  std::optional<RunRecord> failed = shown_record(folder, record.identity.hash);
  if (!failed || failed->status != RunStatus::failed) {
    return;
  }
  const std::string told = "went on after it had failed: " + failed->failure;
  const bool again = std::ranges::find(failed->warnings, told) != failed->warnings.end();
  if (again && failed->failure.ends_with(kFollowsFromOptions)) {
    throw HopelessError(
        folder.string(),
        "the run failed twice in the same way and is not tried again: " + failed->failure,
        "change its options, or remove the folder to run it from the start");
  }
  for (std::string& warning : failed->warnings) {
    if (std::ranges::find(record.warnings, warning) == record.warnings.end()) {
      record.warnings.push_back(std::move(warning));
    }
  }
  if (!again) {
    record.warnings.push_back(told);
  }
  say("warning: " + told);
}

}  // namespace gcg
