#include "study/run_estimates.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/host.h"
#include "base/progress.h"
#include "study/launcher.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// The options of a run without its seed and its trunk, which has the seed in its name.
std::string same_but_seed(const PlannedRun& run) {
  std::string key;
  for (const auto& [name, value] : run.run.options) {
    if (name != "seed" && name != "trunk") {
      key += fmt::format("{}={}\n", name, value);
    }
  }
  return key;
}

/// What the seconds of a step depend on.
std::string kind_of(const PlannedRun& run) {
  const RunSettings& settings = run.plan->settings;
  const std::int64_t width =
      run.plan->method->width(settings.network, {{3, 32, 32}, 10, settings.width});
  const Recipe& recipe = settings.recipe;
  const TaskOptions& task = recipe.task;
  return fmt::format(
      "{} width {}, {} on {} in {} by {} kernels{}, {} threads, batch {}, {}, {} classes, "
      "share {}, depth {}, crop {}, jitter {}",
      settings.network, width, backend_used(settings).name, settings.device,
      request_of(settings).precision, kernels_used(settings),
      settings.cuda_graphs ? " by graphs" : "", settings.threads, settings.recipe.batch_size,
      images_of(*run.plan), task.classes > 0 ? fmt::format("{}", task.classes) : "all",
      task.train_share, recipe.stochastic_depth, recipe.resized_crop, recipe.colour_jitter);
}

/// A folder for the answers, which disappears.
struct Answers {
  fs::path path = fs::temp_directory_path() / fmt::format("gcg-estimates-{}", ::getpid());
  Answers() { fs::create_directories(path); }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;
  ~Answers() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

std::optional<WorkTimes> read_answer(const fs::path& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("{")) {
      return read_estimate(line);
    }
  }
  return std::nullopt;
}

/// Asks gcg_run about one run of every kind.
std::map<std::string, WorkTimes> ask(const std::map<std::string, const PlannedRun*>& kinds,
                                     std::int64_t jobs, GpuShare gpus,
                                     std::vector<std::string>& notes) {
  const Answers answers;
  std::vector<Job> questions;
  for (const auto& [kind, run] : kinds) {
    if (run->on_gpu() && gpus.names.empty()) {
      notes.push_back(fmt::format("no estimate for {}: no GPU is seen here", kind));
      continue;
    }
    Job job;
    job.name = kind;
    job.command = run_command(*run);
    job.command.emplace_back("--estimate");
    job.gpu = run->on_gpu();
    job.log = answers.path / fmt::format("{}.json", questions.size());
    questions.push_back(std::move(job));
  }
  LaunchSettings settings;
  settings.parallel = std::max<std::int64_t>(1, jobs > 0 ? jobs : own_cores());
  settings.gpus = std::move(gpus);
  settings.gpus.runs_each = 1;
  const Launched launched = run_jobs(questions, settings, [](const auto&) {});
  if (launched.signal != 0) {
    throw Error("--dry-run", "was interrupted");
  }
  std::map<std::string, WorkTimes> known;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    std::optional<WorkTimes> answer;
    if (launched.states[i] == JobState::done) {
      answer = read_answer(questions[i].log);
    }
    if (!answer) {
      const std::string& reason = launched.reasons[i];
      notes.push_back(fmt::format("no estimate for {}: {}", questions[i].name,
                                  reason.empty() ? last_words(questions[i].log) : reason));
      continue;
    }
    if (!answer->data_read) {
      notes.push_back(fmt::format(
          "{}: no data folder is named; counted as the published set of {} training images",
          questions[i].name, answer->train_images + answer->validation_images));
    }
    known[questions[i].name] = *answer;
  }
  return known;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// Seconds that remain of a run that takes `all`.
double remaining(const PlannedRun& run, double all) {
  const double done =
      std::min(1.0, static_cast<double>(run.disk.epochs) /
                        static_cast<double>(std::max<std::int64_t>(1, run.planned_epochs)));
  return all * (1 - done);
}

}  // namespace

RunEstimates estimate_runs(const std::vector<PlannedRun>& planned, std::int64_t jobs,
                           GpuShare gpus) {
  std::map<std::string, std::vector<double>> recorded;
  for (const PlannedRun& run : planned) {
    if (run.disk.state == DiskState::finished) {
      recorded[same_but_seed(run)].push_back(run.disk.seconds);
    }
  }
  std::map<std::string, const PlannedRun*> kinds;
  for (const PlannedRun& run : planned) {
    if (run.selected && run.disk.state != DiskState::finished &&
        !recorded.contains(same_but_seed(run))) {
      kinds.emplace(kind_of(run), &run);
    }
  }
  RunEstimates estimates;
  const std::map<std::string, WorkTimes> work = ask(kinds, jobs, std::move(gpus), estimates.notes);
  std::map<std::string, std::vector<double>> ratios;
  for (const PlannedRun& run : planned) {
    if (const auto found = work.find(kind_of(run));
        found != work.end() && run.disk.state == DiskState::finished) {
      ratios[found->first].push_back(run.disk.seconds / plan_seconds(*run.plan, found->second));
    }
  }
  for (const auto& [kind, values] : ratios) {
    estimates.notes.push_back(fmt::format(
        "{}: {} finished runs took {:.2f} times their estimate, counted in by half (its root)",
        kind, values.size(), median(values)));
  }
  for (const PlannedRun& run : planned) {
    double seconds = kUnknown;
    if (!run.selected || run.disk.state == DiskState::finished) {
      seconds = 0;
    } else if (const auto same = recorded.find(same_but_seed(run)); same != recorded.end()) {
      double sum = 0;
      for (const double one : same->second) {
        sum += one;
      }
      seconds = remaining(run, sum / static_cast<double>(same->second.size()));
    } else if (const auto found = work.find(kind_of(run)); found != work.end()) {
      const auto ratio = ratios.find(found->first);
      seconds = remaining(run, plan_seconds(*run.plan, found->second) *
                                   (ratio == ratios.end() ? 1 : std::sqrt(median(ratio->second))));
    }
    estimates.seconds.push_back(seconds);
  }
  return estimates;
}

}  // namespace gcg
