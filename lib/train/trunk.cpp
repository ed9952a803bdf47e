#include "train/trunk.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "record/belongs.h"
#include "record/run_file.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& runs, const Trunk& trunk) {
  fs::path folder = runs / trunk.name;
  if (!fs::exists(folder / kRunFileName)) {
    throw Error(folder.string(), "there is no such run to branch off from",
                "run the trunk first, with the same --out");
  }
  return folder;
}

/// Its run file, which has to be its own.
RunRecord read_whole(const fs::path& folder, const Trunk& trunk) {
  RunRecord record = read_run_file(folder / kRunFileName);
  if (record.identity.name != trunk.name) {
    throw Error((folder / kRunFileName).string(),
                fmt::format("is that of another run, {}", record.identity.name),
                "it was copied there: remove it and give the command of the run again");
  }
  return record;
}

std::string layers_text(const Network& network) {
  std::string text;
  for (const Layer& layer : network.layers) {
    text += fmt::format("{} {}x{}x{}x{}, ", layer.name, layer.outputs, layer.inputs,
                        layer.kernel_height, layer.kernel_width);
  }
  return text;
}

/// As an identity sees it: a run that is older than the option has its default.
std::string value_of(const RunIdentity& identity, std::string_view option) {
  const auto found = std::ranges::find(identity.options, option, &OptionValue::name);
  const bool is_default = found == identity.options.end() || found->is_default;
  return is_default ? "the default" : found->value;
}

/// What a branch must have in common with its trunk: without it the trunk's stages would not be
/// the branch's own past, or its validation images would be training images.
void check_same(const fs::path& folder, const RunRecord& trunk, const RunRecord& own) {
  const auto same = [&](std::string_view what, const auto& theirs, const auto& ours) {
    if (theirs != ours) {
      throw Error(folder.string(),
                  fmt::format("cannot be the trunk of this run: its {} is {}, this run's is {}",
                              what, theirs, ours),
                  "name a trunk with the same network, width, data and seed");
    }
  };
  const RunIdentity& a = trunk.identity;
  const RunIdentity& b = own.identity;
  same("network", a.network, b.network);
  if (layers_text(trunk.network) != layers_text(own.network)) {
    throw Error(folder.string(), "cannot be the trunk of this run: its layers have other shapes",
                "name a trunk with the same network, width, data and seed");
  }
  same("seed", a.seed, b.seed);
  same("data digest", a.data_digest, b.data_digest);
  same("number of training images", a.train_images, b.train_images);
  same("number of validation images", a.validation_images, b.validation_images);
  for (const char* option : {"class-subset", "train-share", "label-noise"}) {
    same(option, value_of(a, option), value_of(b, option));
  }
}

/// The first `count` of the rows in a trunk's run file.
template <typename Row>
std::vector<Row> first_rows(const fs::path& folder, std::vector<Row> rows, std::int64_t count,
                            std::string_view what) {
  if (count < 0 || std::ssize(rows) < count) {
    throw Error(folder.string(),
                fmt::format("its run file has only {} {}, {} are needed", rows.size(), what, count),
                "finish the trunk first");
  }
  rows.resize(static_cast<std::size_t>(count));
  return rows;
}

/// What the file of a stage leaves to the run file: all rows up to the end of its training. The
/// stage's own row and mask follow from the decision; its predictions are there.
void take_rows(const fs::path& folder, RunRecord whole, Checkpoint& checkpoint) {
  RunRecord& record = checkpoint.record;
  const std::int64_t stages = checkpoint.position.phase;
  record.trajectory = first_rows(folder, std::move(whole.trajectory), record.cost.epochs, "epochs");
  record.stages = first_rows(folder, std::move(whole.stages), stages, "stages");
  record.masks = first_rows(folder, std::move(whole.masks), stages, "masks");
  record.predictions.stages =
      first_rows(folder, std::move(whole.predictions.stages), stages + 1, "stages' predictions");
}

}  // namespace

void add_trunk_options(OptionList& list, Trunk& trunk) {
  list.add("trunk", trunk.name,
           "name of a run in the same --out folder, of the same network, data and seed, to branch "
           "off from; empty: none");
  list.add("trunk-stage", trunk.stage, {0, 1e6}, "stage at the end of which this run branches off")
      .used_if([&trunk] { return !trunk.name.empty(); }, "there is no --trunk");
}

void check_trunk_name(const Trunk& trunk) {
  if (trunk.name.find('/') != std::string::npos || trunk.name == "." || trunk.name == "..") {
    throw UsageError("--trunk", fmt::format("'{}' is not the name of a run", trunk.name),
                     "it is the name of a folder in --out, which --dry-run shows");
  }
}

Checkpoint read_trunk(const fs::path& runs, const Trunk& trunk, const RunRecord& own) {
  const fs::path folder = folder_of(runs, trunk);
  Checkpoint checkpoint = read_stage(folder, trunk.stage);
  RunRecord whole = read_whole(folder, trunk);
  check_same(folder, whole, own);
  check_belongs(stage_path(folder, trunk.stage), checkpoint.record, whole);
  take_rows(folder, std::move(whole), checkpoint);
  return checkpoint;
}

Mask read_trunk_mask(const fs::path& runs, const Trunk& trunk, const RunRecord& own) {
  const fs::path folder = folder_of(runs, trunk);
  RunRecord record = read_whole(folder, trunk);
  check_same(folder, record, own);
  const auto found = std::ranges::find(record.masks, trunk.stage, &StageMask::stage);
  if (found == record.masks.end()) {
    throw Error(
        folder.string(),
        fmt::format("has no stage {}: {} stages have ended", trunk.stage, record.masks.size()),
        record.status == RunStatus::finished ? "name one of its stages" : "finish the trunk first");
  }
  return std::move(found->mask);
}

void take_over(RunRecord trunk, const Trunk& from, RunRecord& own) {
  own.trajectory = std::move(trunk.trajectory);
  own.stages = std::move(trunk.stages);
  own.masks = std::move(trunk.masks);
  own.predictions.stages = std::move(trunk.predictions.stages);
  own.cost = trunk.cost;
  std::vector<std::string> warnings = std::move(trunk.warnings);
  for (std::string& warning : own.warnings) {
    if (std::ranges::find(warnings, warning) == warnings.end()) {
      warnings.push_back(std::move(warning));
    }
  }
  warnings.push_back(fmt::format(
      "stages 0 to {} were trained by the trunk {}: their rows, epochs and costs are taken over",
      from.stage, from.name));
  own.warnings = std::move(warnings);
}

}  // namespace gcg
