#include "study/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <csignal>
#include <iostream>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/host.h"
#include "base/program.h"
#include "study/launcher.h"
#include "study/planned_run.h"
#include "study/report.h"
#include "study/verify.h"
#include "study/watch.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

struct CommandLine {
  StudySettings study;
  std::string scale;                   ///< as given: a name or a file
  std::vector<std::string> changes;    ///< SETTING=VALUE
  std::optional<std::string> explain;  ///< the cell asked about; empty text: all
  bool help = false, settings = false, study_file = false, list = false, runs = false,
       dry_run = false, status = false, watch = false, verify = false;
};

po::options_description describe(const Experiment& experiment, CommandLine& line) {
  StudySettings& study = line.study;
  po::options_description options(100);
  options.add_options()("help", po::bool_switch(&line.help), "print this and exit")(
      "list", po::bool_switch(&line.list), "print the curves and their runs, and exit")(
      "runs", po::bool_switch(&line.runs),
      "print every run as JSON, as the study file holds them, and exit")(
      "study-file", po::bool_switch(&line.study_file),
      "print the path of the study file, which names the scale, and exit")(
      "dry-run", po::bool_switch(&line.dry_run),
      "print the exact gcg_run line of every run, its state and about how long it takes, and exit")(
      "status", po::bool_switch(&line.status), "print the state of every run, and exit")(
      "watch", po::bool_switch(&line.watch),
      "with --status: repaint it until nothing runs any more, in whatever process")(
      "explain", po::value<std::string>()->value_name("CELL"),
      "print the runs behind a curve (its name or a part of it; '': all), their states, files and "
      "gcg_run "
      "lines, and exit")(
      "verify", po::bool_switch(&line.verify),
      "check the run files, compare what was measured with what is expected, and exit")(
      "settings", po::bool_switch(&line.settings),
      "print the settings file with the scales, to make one of your own of it, and exit")(
      "scale", po::value(&line.scale)->default_value("smoke"),
      "a scale of the settings file (smoke, small, full, ...), or FILE.toml with one of your own")(
      "set", po::value(&line.changes)->composing()->value_name("SETTING=VALUE"),
      "change one setting of the scale; may be repeated")(
      "seeds", po::value(&study.request.seeds)->default_value(0),
      "seeds per curve; 0: the scale's own number")(
      "jobs", po::value(&study.jobs)->default_value(0),
      "runs side by side; 0: one per core. Changes no result")(
      "only", po::value(&study.only)->default_value(""), "only curves that contain this text")(
      "data", po::value(&study.request.data)->default_value(std::string(default_data(experiment))),
      "data set of every run")("data-dir", po::value(&study.data_dir)->default_value(""),
                               "folder of the data set; empty: the environment's GCG_DATA")(
      "execution", po::value(&study.execution)->default_value(""),
      "how every run is executed (auto, sparse, dense); empty: as the experiment says, or auto")(
      "out", po::value(&study.out)->default_value("runs"), "folder of all runs");
  return options;
}

void check(const CommandLine& line, const Experiment& experiment) {
  const StudySettings& study = line.study;
  if (study.request.seeds < 0 || study.jobs < 0) {
    throw UsageError(study.jobs < 0 ? "--jobs" : "--seeds", "is negative");
  }
  if (experiment.kind == ExperimentKind::alone && study.jobs > 1) {
    throw UsageError("--jobs",
                     fmt::format("{} measures seconds, runs side by side would disturb "
                                 "each other",
                                 experiment.name),
                     "leave it out");
  }
  const int questions = static_cast<int>(line.list) + static_cast<int>(line.runs) +
                        static_cast<int>(line.dry_run) + static_cast<int>(line.status) +
                        static_cast<int>(line.verify) + static_cast<int>(line.explain.has_value());
  if (questions > 1) {
    throw UsageError(
        "command line",
        "asks for more than one of --list, --runs, --dry-run, --status, --explain, --verify",
        "ask one at a time");
  }
  if (line.watch && !line.status) {
    throw UsageError("--watch", "repaints --status", "give both");
  }
}

CommandLine parse(int argc, const char* const* argv, const Experiment& experiment) {
  CommandLine line;
  const po::options_description options = describe(experiment, line);
  try {
    po::variables_map values;
    const auto style = static_cast<int>(po::command_line_style::unix_style) &
                       ~static_cast<int>(po::command_line_style::allow_guessing);
    po::store(po::command_line_parser(argc, argv)
                  .options(options)
                  .positional(po::positional_options_description())
                  .style(style)
                  .run(),
              values);
    po::notify(values);
    if (values.count("explain") != 0) {
      line.explain = values["explain"].as<std::string>();
    }
  } catch (const po::error& error) {
    throw UsageError("command line", error.what(), "--help lists the options");
  }
  check(line, experiment);
  return line;
}

std::int64_t side_by_side(const Experiment& experiment, const StudySettings& settings,
                          const std::vector<PlannedRun>& planned) {
  const std::int64_t threads = planned.front().plan->settings.threads;
  const std::int64_t free =
      experiment.kind == ExperimentKind::alone ? 1 : host_facts().cores / threads;
  return settings.jobs > 0 ? settings.jobs : std::max<std::int64_t>(1, free);
}

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
                  fmt::format("is the work of another version of the program and is not taken: {}",
                              run.disk.note),
                  "choose another --out, or remove that folder to have the run made again");
    }
  }
}

/// One process for every run that is not finished; runs that several curves share are run once.
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
    make_writable_folder(run.plan->folder());
    Job job;
    job.name = run.plan->identity.name;
    job.log = run.log();
    job.command = run_command(run);
    job.memory_bytes = largest;
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

/// One study at a time works in a folder.
std::unique_ptr<FolderLock> lock_study(const StudySettings& settings) {
  make_writable_folder(settings.out);
  if (is_locked(settings.out)) {
    throw Error(settings.out, "another experiment is making its runs in this folder",
                "wait for it to end (--status --watch shows how far it is), or choose another "
                "--out");
  }
  return std::make_unique<FolderLock>(settings.out);
}

int run_all(const Experiment& experiment, const StudySettings& settings,
            const std::vector<PlannedRun>& planned) {
  check_ground(planned);
  const std::unique_ptr<FolderLock> lock = lock_study(settings);
  for (const std::string& name : outdated_runs(experiment, settings, planned)) {
    fmt::print("not taken: {} was made by another version of the defaults or the layout\n", name);
  }
  write_study_file(experiment, settings, planned);
  std::vector<std::size_t> index;
  const std::vector<Job> jobs = make_jobs(planned, index);
  LaunchSettings launch;
  launch.threads = planned.front().plan->settings.threads;
  launch.parallel = side_by_side(experiment, settings, planned);
  fmt::print("{}: {} runs, {} to do, {} side by side; logs in {}/NAME/log.txt\n", experiment.name,
             std::ranges::count_if(planned, &PlannedRun::selected), jobs.size(), launch.parallel,
             settings.out);
  std::fflush(stdout);
  LaunchProgress progress(experiment, planned, jobs, index);
  const Launched launched =
      run_jobs(jobs, launch, [&](const std::vector<JobState>& states) { progress.update(states); });
  if (launched.signal != 0) {
    fmt::print(stderr, "{}: stopped by {}; the same command goes on where the runs are\n",
               experiment.name, ::strsignal(launched.signal));
    return 128 + launched.signal;
  }
  const auto failed = std::ranges::count(launched.states, JobState::failed);
  if (failed > 0) {
    fmt::print(stderr, "{} of {} runs failed; the same command tries them again\n", failed,
               jobs.size());
    return 1;
  }
  return 0;
}

int run(int argc, const char* const* argv, const Experiment& experiment) {
  CommandLine line = parse(argc, argv, experiment);
  StudySettings& study = line.study;
  if (line.help) {
    fmt::print("{}: {}\n\n", experiment.name, experiment.about);
    std::cout << describe(experiment, line);
    return 0;
  }
  if (line.settings) {
    fmt::print("{}", experiment.settings.text);
    return 0;
  }
  study.request.scale =
      read_scale(experiment.settings, line.scale, line.changes, study.request.data);
  if (line.study_file) {
    fmt::print("{}\n", study_file(experiment, study).string());
    return 0;
  }
  std::vector<PlannedRun> planned = plan_runs(experiment, study);
  if (line.list) {
    print_list(experiment, planned);
  } else if (line.runs) {
    fmt::print("{}", study_text(experiment, study, planned));
  } else if (line.dry_run) {
    print_dry_run(planned, side_by_side(experiment, study, planned), study.jobs);
  } else if (line.status && line.watch) {
    watch_status(experiment, study, planned);
  } else if (line.status) {
    print_status(planned);
  } else if (line.explain) {
    print_explanation(planned, *line.explain);
  } else if (line.verify) {
    return verify(experiment, study, planned) ? 0 : 1;
  } else {
    return run_all(experiment, study, planned);
  }
  return 0;
}

}  // namespace

std::string_view default_data(const Experiment& experiment) {
  return experiment.kind == ExperimentKind::demo ? "procedural" : "cifar10";
}

int experiment_main(int argc, const char* const* argv, const Experiment& experiment) {
  return run_program(experiment.name, [&] { return run(argc, argv, experiment); });
}

}  // namespace gcg
