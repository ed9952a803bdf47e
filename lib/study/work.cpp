#include "study/work.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "base/host.h"
#include "base/progress.h"
#include "base/temporary_files.h"
#include "study/launcher.h"
#include "study/process.h"
#include "study/study_file.h"
#include "study/watch.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;

/// Loads the images once, before any run is started: a missing folder is told here, and finished
/// runs on other images or of another version are not taken for this study's.
void check_ground(const std::vector<PlannedRun>& planned) {
  std::map<std::string, std::string> digests;
  for (const PlannedRun& run : planned) {
    std::string& digest = digests[images_of(*run.plan)];
    if (digest.empty()) {
      digest = run.plan->data->load().digest;
    }
    if (run.disk.state == DiskState::finished && run.disk.data_digest != digest) {
      throw Error(run.file().string(),
                  fmt::format("this finished run saw other images (digest {}, now {})",
                              run.disk.data_digest.substr(0, 12), digest.substr(0, 12)),
                  "choose another --out for other data");
    }
    if (run.selected && run.disk.state == DiskState::foreign) {
      throw Error(run.plan->folder().string(),
                  fmt::format("is the work of another version of the program and is not used: {}",
                              run.disk.note),
                  "choose another --out, or remove that folder to have the run made again");
    }
  }
}

/// One process for every run that is not finished; runs that several curves share are run once.
/// `index` becomes the run of each.
std::vector<Job> make_jobs(const std::vector<PlannedRun>& planned,
                           std::vector<std::size_t>& index) {
  std::vector<Job> jobs;
  std::map<std::string, std::size_t> job_of;  // by the run's name
  std::int64_t largest = 0;
  for (const PlannedRun& run : planned) {
    largest = std::max(largest, run.disk.memory_bytes);
  }
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const PlannedRun& run = planned[i];
    if (!run.selected || run.disk.state == DiskState::finished ||
        !job_of.emplace(run.plan->identity.name, jobs.size()).second) {
      continue;
    }
    Job job;
    job.name = run.plan->identity.name;
    job.log = run.log();
    job.command = run_command(run);
    job.memory_bytes = largest;
    job.gpu = run.on_gpu();
    jobs.push_back(std::move(job));
    index.push_back(i);
  }
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    if (const std::optional<std::size_t> trunk = planned[index[j]].trunk) {
      if (const auto job = job_of.find(planned[*trunk].plan->identity.name); job != job_of.end()) {
        jobs[j].after.push_back(job->second);
      }
    }
  }
  return jobs;
}

/// When a run last said something, by the clock of its file system.
fs::file_time_type last_sign(const PlannedRun& run) {
  fs::file_time_type last = fs::file_time_type::min();
  for (const fs::path& path : {run.file(), run.log()}) {
    std::error_code code;
    const fs::file_time_type time = fs::last_write_time(path, code);
    last = code ? last : std::max(last, time);
  }
  return last;
}

fs::file_time_type file_time_now(const fs::path& folder) {
  const fs::path probe = folder / fmt::format(".clock.begin.{}", own_mark());
  write_file_atomically(probe, std::string_view("x"));
  const fs::file_time_type now = fs::last_write_time(probe);
  fs::remove(probe);
  return now;
}

/// What a run that may be started is to a process that began at a time. Errors: its folder cannot
/// be used.
JobFound find_job(const PlannedRun& run, fs::file_time_type began) {
  RunOnDisk disk = look_at_disk(*run.plan);
  if (disk.state != DiskState::finished && disk.state != DiskState::running) {
    // Nobody was at it at the end of that look; who was at its beginning may have finished it.
    disk = look_at_disk(*run.plan);
  }
  if (disk.unusable) {
    throw Error("its folder cannot be used", disk.note);
  }
  switch (disk.state) {
    case DiskState::finished:
      return JobFound::done;
    case DiskState::running:
      return JobFound::busy;
    case DiskState::foreign:
      return JobFound::failed;
    case DiskState::failed:
      return last_sign(run) > began ? JobFound::failed : JobFound::open;
    case DiskState::damaged:
    case DiskState::stopped:
    case DiskState::nothing:
      break;
  }
  make_writable_folder(run.plan->folder());  // for its log
  return JobFound::open;
}

void tell_gpus(const GpuShare& share) {
  const FreeGpuMemory free = share.free_memory();
  const bool watched = std::ranges::all_of(
      share.names, [&](const std::string& name) { return free.contains(name); });
  fmt::print("GPUs {}: at most {} run{} on each{}{}\n", fmt::join(share.names, ", "),
             share.runs_each, share.runs_each == 1 ? "" : "s",
             watched ? "" : "; nvidia-smi does not tell their memory, which is not watched",
             share.runs_each == 1 ? ""
             : has_mps()          ? "; MPS runs: they work at the same time"
                                  : "; they take turns: nvidia-cuda-mps-control -d starts MPS, "
                                    "under which they work at the same time");
}

void tell_plan(const Experiment& experiment, const StudySettings& settings,
               const std::vector<PlannedRun>& planned, std::size_t jobs, const WorkSettings& how) {
  for (const std::string& name : outdated_runs(experiment, settings, planned)) {
    fmt::print("not used: {} was made by another version of the defaults or the layout\n", name);
  }
  if (!locks_work(settings.out)) {
    fmt::print(
        "file locks do nothing in {}: only leases protect runs, and a run that a killed process on "
        "another host held is free {:.0f} s later\n",
        settings.out, kLeaseSeconds);
  }
  fmt::print("{}: {} runs, {} to do, {} side by side; logs in {}/NAME/log.txt\n", experiment.name,
             std::ranges::count_if(planned, &PlannedRun::selected), jobs, how.side_by_side,
             settings.out);
  if (!how.gpus.names.empty()) {
    tell_gpus(how.gpus);
  }
  std::fflush(stdout);
}

/// Says how the launch ended, and gives the exit status.
int tell_end(const Experiment& experiment, const Launched& launched, bool worker) {
  const auto count = [&](JobState state) { return std::ranges::count(launched.states, state); };
  if (launched.signal != 0) {
    put(stderr, fmt::format("{}: stopped by {}; the same command goes on with the runs\n",
                            experiment.name, ::strsignal(launched.signal)));
    return worker ? kContinueStatus : 128 + launched.signal;
  }
  if (launched.out_of_time) {
    put(stderr, fmt::format("{}: its time is over; the same command goes on with the runs\n",
                            experiment.name));
    return kContinueStatus;
  }
  if (count(JobState::failed) > 0) {
    fmt::print(stderr,
               "{} of {} runs failed (--status says why); the same command tries again those that "
               "another try can help\n",
               count(JobState::failed), launched.states.size());
    return 1;
  }
  if (count(JobState::elsewhere) > 0) {
    fmt::print("{}: other processes are working on the {} runs that are left\n", experiment.name,
               count(JobState::elsewhere));
  }
  return 0;
}

}  // namespace

GpuShare gpus_of(const StudySettings& settings, const std::vector<PlannedRun>& planned) {
  GpuShare share;
  share.runs_each = settings.runs_per_gpu;
  if (std::ranges::any_of(planned,
                          [](const PlannedRun& run) { return run.selected && run.on_gpu(); })) {
    share.names = chosen_gpus(visible_gpus(), settings.gpus);
  }
  return share;
}

std::int64_t runs_side_by_side(const Experiment& experiment, const StudySettings& settings,
                               const std::vector<PlannedRun>& planned, const WorkSettings& how) {
  if (settings.jobs > 0) {
    return settings.jobs;
  }
  if (experiment.kind == ExperimentKind::alone) {
    return 1;
  }
  if (!how.gpus.names.empty()) {
    return std::ssize(how.gpus.names) * how.gpus.runs_each;
  }
  return how.worker
             ? 1
             : std::max<std::int64_t>(1, own_cores() / planned.front().plan->settings.threads);
}

int work(const Experiment& experiment, const StudySettings& settings,
         const std::vector<PlannedRun>& planned, const WorkSettings& how) {
  check_ground(planned);
  make_writable_folder(settings.out);
  remove_old_files(settings.out);
  const fs::file_time_type began = file_time_now(settings.out);
  std::vector<std::size_t> index;
  const std::vector<Job> jobs = make_jobs(planned, index);
  tell_plan(experiment, settings, planned, jobs.size(), how);
  write_study_file(experiment, settings, planned);
  LaunchSettings launch;
  launch.threads = planned.front().plan->settings.threads;
  launch.parallel = how.side_by_side;
  launch.gpus = how.gpus;
  launch.leave_to_others = how.worker;
  if (how.worker) {
    const Owner own = this_process();
    launch.order = order_of_worker(jobs, fmt::format("{} {} {}", own.host, own.process, own.job));
  }
  launch.seconds = how.seconds;
  launch.look = [&](std::size_t job) { return find_job(planned[index[job]], began); };
  LaunchProgress progress(experiment, planned, jobs, index);
  const Launched launched =
      run_jobs(jobs, launch, [&](const Launched& now) { progress.update(now); });
  return tell_end(experiment, launched, how.worker);
}

}  // namespace gcg
