#include "study/watch.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/progress.h"

namespace gcg {

namespace {

/// Seconds between two looks at the disk.
constexpr double kLook = 5;
constexpr std::chrono::seconds kRepaint{2};
/// Seconds between two questions to a scheduler.
constexpr double kAskQueue = 30;

double epochs_of(const PlannedRun& run) {
  return static_cast<double>(std::max<std::int64_t>(1, run.planned_epochs));
}

double share_of(const PlannedRun& run) {
  return std::min(1.0, static_cast<double>(run.disk.epochs) / epochs_of(run));
}

/// Where a state stands in the page: what needs looking at first.
DiskState rank(DiskState state) { return std::min(state, DiskState::nothing); }

/// Seconds that are left of a run by its own pace; negative: unknown.
double left_of(const PlannedRun& run) {
  if (run.disk.epochs == 0) {
    return -1;
  }
  return run.disk.seconds * (1 - share_of(run)) / share_of(run);
}

/// Seconds that are left of the study, by the pace of the epochs there are and the runs at work.
double left_of_all(const std::vector<PlannedRun>& planned) {
  double seconds = 0;
  double done = 0;
  double open = 0;
  std::int64_t running = 0;
  for (const PlannedRun& run : planned) {
    if (!run.selected) {
      continue;
    }
    seconds += run.disk.seconds;
    done += static_cast<double>(run.disk.epochs);
    open += run.disk.state == DiskState::finished ? 0 : (1 - share_of(run)) * epochs_of(run);
    running += run.disk.state == DiskState::running ? 1 : 0;
  }
  return done > 0 && running > 0 ? open * seconds / done / static_cast<double>(running) : -1;
}

std::size_t terminal_lines() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2;
  return known ? size.ws_row - 1U : 24U;
}

}  // namespace

LaunchProgress::LaunchProgress(const Experiment& experiment, const std::vector<PlannedRun>& planned,
                               const std::vector<Job>& jobs, const std::vector<std::size_t>& index)
    : experiment_(experiment),
      jobs_(jobs),
      before_(jobs.size(), JobState::waiting),
      said_(jobs.size()) {
  for (const std::size_t i : index) {
    runs_.push_back(&planned[i]);
  }
}

void LaunchProgress::update(const Launched& launched) {
  const std::vector<JobState>& states = launched.states;
  if (states == before_ && now_seconds() - last_ < kLook) {
    return;
  }
  last_ = now_seconds();
  double done = 0;
  double planned = 0;
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    if (experiment_.kind == ExperimentKind::demo && states[j] != JobState::waiting) {
      repeat_stages(j);
    }
    if (states[j] != before_[j]) {
      tell(j, states[j], launched.reasons[j]);
    }
    planned += epochs_of(*runs_[j]);
    done += share_done(j, states[j]) * epochs_of(*runs_[j]);
  }
  before_ = states;
  const auto count = [&](JobState state) { return std::ranges::count(states, state); };
  const auto elsewhere = count(JobState::elsewhere);
  line_.show(fmt::format("{}: {} of {} runs done, {} running, {} failed", experiment_.name,
                         count(JobState::done), jobs_.size(), count(JobState::running),
                         count(JobState::failed)) +
                 (elsewhere > 0 ? fmt::format(", {} elsewhere", elsewhere) : ""),
             planned > 0 ? done / planned : 0);
}

double LaunchProgress::share_done(std::size_t j, JobState state) {
  if (state == JobState::done || state == JobState::failed) {
    return 1;
  }
  const double before = share_of(*runs_[j]);
  if (state == JobState::waiting) {
    return before;
  }
  const RunOnDisk disk = look_at_disk(*runs_[j]->plan);
  return std::max(before, std::min(1.0, static_cast<double>(disk.epochs) / epochs_of(*runs_[j])));
}

void LaunchProgress::tell(std::size_t j, JobState state, const std::string& reason) {
  const ExperimentRun& run = runs_[j]->run;
  if (state == JobState::done) {
    line_.say(fmt::format("finished  {}, seed {}", run.curve, run.seed));
  } else if (state == JobState::failed) {
    line_.say(fmt::format("FAILED    {}, seed {}: see {}\n          {}", run.curve, run.seed,
                          jobs_[j].log.string(),
                          reason.empty() ? last_words(jobs_[j].log) : reason));
  }
}

/// Prints the lines about stages that the run's log has gained.
void LaunchProgress::repeat_stages(std::size_t j) {
  std::ifstream log(jobs_[j].log);
  log.seekg(said_[j]);
  for (std::string text; std::getline(log, text) && !log.eof();) {
    said_[j] = log.tellg();
    if (text.starts_with("stage ") && text.find("validation") != std::string::npos) {
      line_.say(fmt::format("{:<6} {}", runs_[j]->run.curve, text));
    }
  }
}

std::string watch_page(const Experiment& experiment, const std::vector<PlannedRun>& planned,
                       std::size_t lines) {
  std::vector<const PlannedRun*> runs;
  for (const PlannedRun& run : planned) {
    if (run.selected) {
      runs.push_back(&run);
    }
  }
  std::ranges::stable_sort(runs, {}, [](const PlannedRun* run) { return rank(run->disk.state); });
  const auto count = [&](DiskState state) {
    return std::ranges::count_if(runs,
                                 [&](const PlannedRun* run) { return run->disk.state == state; });
  };
  const double left = left_of_all(planned);
  std::vector<std::string> page;
  page.push_back(fmt::format("{}: {} runs, {} finished, {} running, {} failed{}", experiment.name,
                             runs.size(), count(DiskState::finished), count(DiskState::running),
                             count(DiskState::failed),
                             left >= 0 ? ", about " + duration_text(left) + " left" : ""));
  const std::size_t width = curve_width(planned);
  page.push_back(fmt::format("{:<{}}  seed  {:<8}  {:>9}  {:>10}  left", "curve", width, "state",
                             "epochs", "validation"));
  for (const PlannedRun* run : runs) {
    const RunOnDisk& disk = run->disk;
    const double of_run = disk.state == DiskState::running ? left_of(*run) : -1;
    page.push_back(fmt::format("{:<{}}  {:>4}  {:<8}  {:>9}  {:>10}  {}", run->run.curve, width,
                               run->run.seed, name_of(disk.state),
                               fmt::format("{}/{}", disk.epochs, run->planned_epochs),
                               disk.epochs > 0 ? fmt::format("{:.2f} %", 100 * disk.accuracy) : "",
                               of_run >= 0 ? duration_text(of_run) : ""));
    if (disk.state == DiskState::failed) {
      page.push_back("    log " + run->log().string());
      page.push_back("    " + why_failed(*run));
    }
  }
  if (lines > 3 && page.size() > lines) {
    const std::size_t hidden = page.size() - (lines - 1);
    page.resize(lines - 1);
    page.push_back(fmt::format("... and {} lines more", hidden));
  }
  return fmt::format("{}\n", fmt::join(page, "\n"));
}

QueueText asked_queue(const std::function<std::vector<QueuedTask>()>& queue, bool first) {
  try {
    return {queue_text(queue())};
  } catch (const Error& error) {
    if (first) {
      throw;
    }
    return {fmt::format("Slurm's queue cannot be asked now: {}", error.what()), false};
  }
}

void watch_status(const Experiment& experiment, std::vector<PlannedRun>& planned,
                  const std::function<std::vector<QueuedTask>()>& queue) {
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  std::string shown;
  QueueText queued;
  bool first = true;
  double asked = 0;
  for (int idle = 0; idle < 2;) {
    for (PlannedRun& run : planned) {
      if (run.disk.state != DiskState::finished) {
        run.disk = look_at_disk(*run.plan);
      }
    }
    const auto any = [&](auto is) {
      return std::ranges::any_of(
          planned, [&](const PlannedRun& run) { return run.selected && is(run.disk.state); });
    };
    const bool runs = any([](DiskState state) { return state == DiskState::running; });
    const bool open = any([](DiskState state) { return state != DiskState::finished; });
    if (first || now_seconds() - asked >= kAskQueue) {
      queued = asked_queue(queue, first);
      asked = now_seconds();
      first = false;
    }
    const bool waits = !queued.text.empty() && (queued.known || open);
    idle = runs || waits ? 0 : idle + 1;
    const std::string page = watch_page(experiment, planned, terminal ? terminal_lines() : 0) +
                             (queued.text.empty() ? "" : queued.text + "\n");
    if (terminal || page != shown) {
      fmt::print("{}{}", terminal ? "\x1b[H\x1b[2J" : "", page);
      shown = page;
    }
    std::fflush(stdout);
    if (idle < 2) {
      std::this_thread::sleep_for(kRepaint);
    }
  }
  fmt::print("nothing runs\n");
}

}  // namespace gcg
