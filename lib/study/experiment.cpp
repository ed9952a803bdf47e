#include "study/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "base/program.h"
#include "study/experiment_options.h"
#include "study/planned_run.h"
#include "study/rates.h"
#include "study/report.h"
#include "study/slurm.h"
#include "study/study_file.h"
#include "study/verify.h"
#include "study/watch.h"
#include "study/work.h"

namespace gcg {

namespace {

/// The command of one worker of the study on any host.
std::vector<std::string> worker_command(const ExperimentCommand& command) {
  const StudySettings& study = command.study;
  std::vector<std::string> words{std::filesystem::read_symlink("/proc/self/exe").string(), "--work",
                                 "--scale=" + command.scale};
  for (const std::string& change : command.changes) {
    words.push_back("--set=" + change);
  }
  words.push_back(fmt::format("--seeds={}", study.request.seeds));
  words.push_back(fmt::format("--jobs={}", study.jobs));
  words.push_back("--data=" + study.request.data);
  if (study.runs_per_gpu > 1) {
    words.push_back(fmt::format("--runs-per-gpu={}", study.runs_per_gpu));
  }
  for (const auto& [option, value] : {std::pair{"only", study.only},
                                      {"data-dir", study.data_dir},
                                      {"execution", study.execution},
                                      {"device", study.device},
                                      {"precision", study.precision},
                                      {"out", study.out}}) {
    if (!value.empty()) {
      words.push_back(fmt::format("--{}={}", option, value));
    }
  }
  return words;
}

SlurmStudy slurm_study(const Experiment& experiment, const ExperimentCommand& command) {
  SlurmStudy study;
  study.files = study_file(experiment, command.study).replace_extension("slurm");
  study.name = "gcg-" + study.files.stem().string();
  study.worker = worker_command(command);
  study.exclusive = experiment.kind == ExperimentKind::alone;
  return study;
}

/// Submits an array of workers, unless nothing is left to do or one is queued already.
void submit_workers(const Experiment& experiment, const ExperimentCommand& command,
                    const std::vector<PlannedRun>& planned) {
  const SlurmStudy study = slurm_study(experiment, command);
  const auto left = std::ranges::count_if(planned, [](const PlannedRun& run) {
    return run.selected && run.disk.state != DiskState::finished;
  });
  if (left == 0) {
    fmt::print("{}: every run is finished, nothing is submitted\n", experiment.name);
    return;
  }
  if (command.submit) {
    if (const std::string queue = queue_text(queued_tasks(study)); !queue.empty()) {
      fmt::print("{}: nothing is submitted, the study's workers are {}\n", experiment.name, queue);
      return;
    }
  }
  SlurmRequest request = command.slurm;
  if (request.cpus == 0) {
    const std::int64_t side_by_side =
        command.study.jobs > 0 ? command.study.jobs : request.gpus * command.study.runs_per_gpu;
    request.cpus = planned.front().plan->settings.threads * std::max<std::int64_t>(1, side_by_side);
  }
  const std::filesystem::path script = write_batch_script(study, request);
  fmt::print("{}\n# {}\n", batch_script(study, request), script.string());
  if (command.submit) {
    fmt::print("{}: job {}, {} workers for {} runs\n", experiment.name, submit(study, script),
               request.workers, left);
  }
  std::fflush(stdout);
}

/// --slurm --wait: the exit status is that of a local launch.
int wait_for_workers(const Experiment& experiment, const ExperimentCommand& command,
                     std::vector<PlannedRun>& planned) {
  const SlurmStudy study = slurm_study(experiment, command);
  watch_status(experiment, planned, [&] { return queued_tasks(study); });
  const auto left = std::ranges::count_if(planned, [](const PlannedRun& run) {
    return run.selected && run.disk.state != DiskState::finished;
  });
  if (left > 0) {
    fmt::print(stderr, "{} of {} runs are not finished; the same command tries them again\n", left,
               planned.size());
  }
  return left == 0 ? 0 : 1;
}

int cancel_workers(const Experiment& experiment, const ExperimentCommand& command) {
  const SlurmStudy study = slurm_study(experiment, command);
  const std::vector<QueuedTask> tasks = queued_tasks(study);
  if (tasks.empty()) {
    fmt::print("{}: {}\n", experiment.name,
               submitted_jobs(study).empty() ? "nothing was submitted from this folder of runs"
                                             : "nothing of the study is in Slurm's queue");
    return 0;
  }
  cancel(tasks);
  fmt::print("{}: cancelled what was {}\n", experiment.name, queue_text(tasks));
  return 0;
}

int work_on(const Experiment& experiment, const ExperimentCommand& command,
            const std::vector<PlannedRun>& planned) {
  WorkSettings how;
  how.worker = command.work;
  how.gpus = gpus_of(command.study, planned);
  how.side_by_side = runs_side_by_side(experiment, command.study, planned, how);
  if (command.minutes > 0) {
    how.seconds = 60 * command.minutes;
  }
  return work(experiment, command.study, planned, how);
}

int answer(const Experiment& experiment, const ExperimentCommand& command,
           std::vector<PlannedRun>& planned) {
  const StudySettings& study = command.study;
  if (command.list) {
    print_list(experiment, planned);
  } else if (command.runs) {
    fmt::print("{}", study_text(experiment, study, planned));
  } else if (command.dry_run && !command.rate_file.empty()) {
    for (const DeviceHours& hours : device_hours(planned, read_rates(command.rate_file))) {
      fmt::print("{}\n", device_text(hours));
    }
  } else if (command.dry_run) {
    WorkSettings how;
    how.gpus = gpus_of(study, planned);
    print_dry_run(planned, runs_side_by_side(experiment, study, planned, how), study.jobs,
                  how.gpus);
  } else if (command.status) {
    const SlurmStudy slurm = slurm_study(experiment, command);
    if (command.watch) {
      watch_status(experiment, planned, [&] { return queued_tasks(slurm); });
    } else {
      print_status(planned, asked_queue([&] { return queued_tasks(slurm); }, false).text);
    }
  } else if (command.explain) {
    print_explanation(planned, *command.explain);
  } else if (command.verify) {
    for (PlannedRun& run : planned) {
      run.disk = read_disk(*run.plan);
    }
    return verify(experiment, study, planned) ? 0 : 1;
  } else if (command.submit || command.slurm_dry_run) {
    submit_workers(experiment, command, planned);
    return command.wait ? wait_for_workers(experiment, command, planned) : 0;
  } else if (command.cancel) {
    return cancel_workers(experiment, command);
  } else {
    return work_on(experiment, command, planned);
  }
  return 0;
}

int run(int argc, const char* const* argv, const Experiment& experiment) {
  ExperimentCommand command = parse_experiment_command(argc, argv, experiment);
  StudySettings& study = command.study;
  if (command.help) {
    fmt::print("{}: {}\n\n", experiment.name, experiment.about);
    std::cout << experiment_options(experiment, command);
    return 0;
  }
  if (command.settings) {
    fmt::print("{}", experiment.settings.text);
    return 0;
  }
  study.request.scale =
      read_scale(experiment.settings, command.scale, command.changes, study.request.data);
  if (command.study_file) {
    fmt::print("{}\n", study_file(experiment, study).string());
    return 0;
  }
  std::vector<PlannedRun> planned = plan_runs(experiment, study);
  if ((!study.gpus.empty() || study.runs_per_gpu > 1) &&
      std::ranges::none_of(planned, &PlannedRun::on_gpu)) {
    throw UsageError(study.gpus.empty() ? "--runs-per-gpu" : "--gpus", "no run is on a GPU",
                     "give --device cuda, or leave it out");
  }
  return answer(experiment, command, planned);
}

}  // namespace

std::string_view default_data(const Experiment& experiment) {
  return experiment.kind == ExperimentKind::demo ? "procedural" : "cifar10";
}

int experiment_main(int argc, const char* const* argv, const Experiment& experiment) {
  return run_program(experiment.name, [&] { return run(argc, argv, experiment); });
}

}  // namespace gcg
