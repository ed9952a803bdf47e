#include "study/planned_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <set>
#include <stdexcept>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "base/text.h"
#include "record/run_file.h"
#include "record/run_summary.h"
#include "study/estimate.h"
#include "train/cost.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;

GivenOptions all_options(const Experiment& experiment, const StudySettings& settings,
                         const ExperimentRun& run) {
  GivenOptions given = run.options;
  const bool own_data = !given.insert({"data", settings.request.data}).second;
  given["seed"] = fmt::format("{}", run.seed);
  given["out"] = settings.out;
  for (const auto& [name, value] : {std::pair{"execution", settings.execution},
                                    {"device", settings.device},
                                    {"precision", settings.precision}}) {
    if (!value.empty() && !given.insert({name, value}).second) {
      throw UsageError(
          fmt::format("--{}", name),
          fmt::format("{} compares {}s: its runs say theirs themselves", experiment.name, name),
          "leave it out");
    }
  }
  if (!settings.data_dir.empty() && !own_data) {
    given["data-dir"] = settings.data_dir;
  }
  return given;
}

/// What a run file says of its run.
RunOnDisk read_state(const RunPlan& plan, const fs::path& file) {
  RunOnDisk disk;
  RunRecord record;
  try {
    record = read_run_file(file);
  } catch (const Error& error) {
    disk.state = DiskState::damaged;
    disk.note = error.what();
    try {
      if (const std::int64_t schema = run_file_schema(file); schema != kRunFileSchema) {
        disk.state = DiskState::foreign;
        disk.note = fmt::format("{}: layout version {}, this program writes {}", file.string(),
                                schema, kRunFileSchema);
      }
    } catch (const Error&) {
      // Damaged: the first error says how.
    }
    return disk;
  }
  if (record.identity.hash != plan.identity.hash) {
    disk.state = DiskState::foreign;
    disk.note = fmt::format("{}: holds run {} (defaults version {}, now {})", file.string(),
                            record.identity.name, record.identity.defaults_version,
                            plan.identity.defaults_version);
    return disk;
  }
  disk.state = record.status == RunStatus::finished ? DiskState::finished
               : record.status == RunStatus::failed ? DiskState::failed
                                                    : DiskState::stopped;
  disk.note = record.failure;
  disk.data_digest = record.identity.data_digest;
  disk.train_images = record.identity.train_images + record.identity.validation_images;
  disk.epochs = std::ssize(record.trajectory);
  disk.accuracy = record.trajectory.empty() ? 0 : record.trajectory.back().validation_accuracy;
  disk.seconds = recorded_seconds(record.cost);
  disk.memory_bytes = record.cost.peak_memory_bytes;
  return disk;
}

/// What a status file says of its run.
RunOnDisk state_of(const RunSummary& summary) {
  RunOnDisk disk;
  disk.state = summary.status == RunStatus::finished ? DiskState::finished
               : summary.status == RunStatus::failed ? DiskState::failed
                                                     : DiskState::stopped;
  disk.note = summary.failure;
  disk.data_digest = summary.data_digest;
  disk.train_images = summary.images;
  disk.epochs = summary.epochs;
  disk.accuracy = summary.accuracy;
  disk.seconds = summary.seconds;
  disk.memory_bytes = summary.memory_bytes;
  return disk;
}

}  // namespace

fs::path PlannedRun::file() const { return plan->folder() / kRunFileName; }
fs::path PlannedRun::log() const { return plan->folder() / "log.txt"; }

std::vector<std::optional<std::size_t>> trunk_runs(const std::vector<ExperimentRun>& runs) {
  std::vector<std::optional<std::size_t>> trunks(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].trunk.empty()) {
      continue;
    }
    const auto found = std::ranges::find_if(runs, [&](const ExperimentRun& run) {
      return run.curve == runs[i].trunk && run.seed == runs[i].seed;
    });
    if (found == runs.end()) {
      throw Error(runs[i].curve, fmt::format("starts from curve '{}', which has no run of seed {}",
                                             runs[i].trunk, runs[i].seed));
    }
    trunks[i] = static_cast<std::size_t>(found - runs.begin());
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::size_t steps = 0;
    for (std::optional<std::size_t> at = trunks[i]; at; at = trunks[*at]) {
      if (++steps > runs.size()) {
        throw Error(runs[i].curve, "its trunk runs start from each other");
      }
    }
  }
  return trunks;
}

namespace {

/// The plan of a run of an experiment. An error about an option that the user of the experiment did
/// not give, but its settings made, says of which run it is.
std::unique_ptr<RunPlan> plan_of(const GivenOptions& given, const ExperimentRun& run) {
  try {
    return make_run_plan(given);
  } catch (const UsageError& error) {
    const std::string_view text = error.what();
    const std::string_view option = text.substr(0, text.find_first_of(" :"));
    constexpr std::array kGivenByUser{"--data", "--data-dir", "--device", "--execution",
                                      "--precision"};
    if (!text.starts_with("--") || std::ranges::find(kGivenByUser, option) != kGivenByUser.end()) {
      throw;
    }
    throw UsageError(fmt::format("{}, seed {}", run.curve, run.seed),
                     fmt::format("by the scale's settings it has {}", text));
  }
}

}  // namespace

std::vector<PlannedRun> plan_runs(const Experiment& experiment, const StudySettings& settings) {
  const std::string& data = settings.request.data;
  if (experiment.kind != ExperimentKind::any_data && settings.request.scale.is_shipped &&
      (data == "tinyimagenet" || data == "imagenet")) {
    throw UsageError(
        "--data", fmt::format("{} has no sizes for {}", experiment.name, data),
        "give it a scale of your own by --scale FILE.toml; growth_rules, extrapolation "
        "and methods_table have sizes for it");
  }
  std::vector<ExperimentRun> runs = experiment.of.runs(settings.request);
  settings.request.scale.check_all_read(experiment.name);
  std::set<std::pair<std::string, std::uint64_t>> seen;
  for (const ExperimentRun& run : runs) {
    if (!seen.emplace(run.curve, run.seed).second) {
      throw UsageError(settings.request.scale.where,
                       fmt::format("two runs of seed {} are called '{}'", run.seed, run.curve),
                       "its values are too close to tell them apart: leave some out");
    }
  }
  const std::vector<std::optional<std::size_t>> trunks = trunk_runs(runs);
  std::vector<PlannedRun> planned(runs.size());
  // A trunk's name is an option of the runs that start from it: it is resolved first.
  const std::function<void(std::size_t)> resolve = [&](std::size_t i) {
    if (planned[i].plan) {
      return;
    }
    GivenOptions given = all_options(experiment, settings, runs[i]);
    if (trunks[i]) {
      resolve(*trunks[i]);
      given["trunk"] = planned[*trunks[i]].plan->identity.name;
    }
    planned[i].plan = plan_of(given, runs[i]);
    // The nodes of a cluster may differ in their processors; its runs are those planned here.
    if (const std::string kernels = kernels_used(planned[i].plan->settings);
        kernels != "sparse" && !given.contains("kernels")) {
      given["kernels"] = kernels;
      planned[i].plan = plan_of(given, runs[i]);
    }
    runs[i].options = std::move(given);
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    resolve(i);
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    PlannedRun& next = planned[i];
    next.selected = runs[i].curve.find(settings.only) != std::string::npos;
    next.trunk = trunks[i];
    next.run = std::move(runs[i]);
    next.planned_epochs = next.plan->method->planned_epochs(with_budget(next.plan->settings.recipe),
                                                            planned_network(*next.plan));
    next.disk = look_at_disk(*next.plan);
  }
  if (std::ranges::none_of(planned, &PlannedRun::selected)) {
    throw UsageError("--only", fmt::format("no curve contains '{}'", settings.only),
                     "--list shows the curves");
  }
  for (std::size_t i = 0; i < planned.size(); ++i) {
    for (std::optional<std::size_t> at = planned[i].trunk; planned[i].selected && at;
         at = planned[*at].trunk) {
      planned[*at].selected = true;
    }
  }
  return planned;
}

std::string images_of(const RunPlan& plan) {
  std::string text = plan.settings.data;
  for (const Option& option : plan.options.options()) {
    if (option.group == "Data " + plan.settings.data) {
      text += fmt::format(" {}={}", option.name, option.text());
    }
  }
  return text;
}

namespace {

/// Adds what the folder says to what the run file says.
RunOnDisk with_folder(RunOnDisk disk, const RunPlan& plan) {
  const fs::path log = plan.folder() / "log.txt";
  if (disk.state == DiskState::nothing && fs::exists(log)) {
    disk.state = DiskState::stopped;
  }
  if (disk.state == DiskState::finished || !fs::exists(plan.folder())) {
    return disk;
  }
  if (const std::optional<Owner> owner = lock_owner(plan.folder())) {
    disk.state = DiskState::running;
    disk.note = owner->host.empty() ? ""
                                    : fmt::format("process {} on {}{}", owner->process, owner->host,
                                                  owner->job.empty() ? "" : ", job " + owner->job);
  } else if (disk.state == DiskState::stopped) {
    if (const std::string words = last_words(log); is_complaint(words)) {
      disk.state = DiskState::failed;
      disk.note = words;
    }
  }
  return disk;
}

/// What is on disk by the summary that `summarise` finds, else by the run file.
RunOnDisk looked_at(const RunPlan& plan,
                    const std::function<std::optional<RunSummary>()>& summarise) {
  try {
    const fs::path folder = plan.folder();
    if (fs::exists(folder) && !fs::is_directory(folder)) {
      throw Error(folder.string(), "is not a folder", "remove it");
    }
    const std::optional<RunSummary> summary = summarise();
    if (summary && summary->hash == plan.identity.hash) {
      return with_folder(state_of(*summary), plan);
    }
    const fs::path file = folder / kRunFileName;
    return with_folder(fs::exists(file) ? read_state(plan, file) : RunOnDisk(), plan);
  } catch (const std::runtime_error& error) {
    return {.state = DiskState::failed, .note = error.what(), .unusable = true};
  }
}

}  // namespace

RunOnDisk look_at_disk(const RunPlan& plan) {
  return looked_at(plan, [&] { return read_run_summary(plan.folder()); });
}

RunOnDisk read_disk(const RunPlan& plan) {
  return looked_at(plan, [] { return std::optional<RunSummary>(); });
}

fs::path run_program() { return fs::read_symlink("/proc/self/exe").parent_path() / "gcg_run"; }

std::vector<std::string> run_command(const PlannedRun& run) {
  std::vector<std::string> command{run_program().string()};
  for (const auto& [name, value] : run.run.options) {
    command.push_back(fmt::format("--{}={}", name, value));
  }
  return command;
}

std::string last_words(const fs::path& log) {
  constexpr std::streamoff kTail = 4096;
  std::ifstream file(log, std::ios::ate);
  if (!file) {
    return {};
  }
  file.seekg(std::max<std::streamoff>(0, file.tellg() - kTail));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) {
      lines.push_back(line);
    }
  }
  // The remedies of a message are indented.
  const auto message = std::ranges::find_if_not(
      lines.rbegin(), lines.rend(), [](const std::string& line) { return line.starts_with("  "); });
  if (message != lines.rend() && is_complaint(*message)) {
    return *message;
  }
  return lines.empty() ? std::string() : lines.back();
}

bool is_complaint(const std::string& line) {
  return line.starts_with("gcg_run: ") || line.starts_with("not started: ");
}

std::string why_failed(const PlannedRun& run) {
  const std::string words = run.disk.unusable ? "" : last_words(run.log());
  // Beside a run file that says why, a log that ends with progress says nothing.
  const bool by_log = is_complaint(words) || words.starts_with("ended ") || run.disk.note.empty();
  return by_log ? words : run.disk.note.substr(0, run.disk.note.find('\n'));
}

std::size_t curve_width(const std::vector<PlannedRun>& planned) {
  std::size_t width = 5;
  for (const PlannedRun& run : planned) {
    width = std::max(width, run.run.curve.size());
  }
  return width;
}

}  // namespace gcg
