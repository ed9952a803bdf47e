#include "study/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/host.h"
#include "base/progress.h"
#include "record/run_file.h"
#include "study/launcher.h"
#include "train/trainer.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

struct Settings {
  ExperimentRequest request;
  std::int64_t jobs = 0;
  std::string only, data, data_dir, execution, out;
  bool help = false, list = false, dry_run = false, status = false;
};

/// One run of the experiment with its plan and what is on disk of it.
struct PlannedRun {
  ExperimentRun run;
  std::unique_ptr<RunPlan> plan;
  bool selected = true;     ///< by --only
  std::string state;        ///< "finished", "started", "failed", "damaged" or "-"
  std::string data_digest;  ///< of a finished run
};

po::options_description describe(const Experiment& experiment, Settings& settings) {
  po::options_description options(100);
  options.add_options()("help", po::bool_switch(&settings.help), "print this and exit")(
      "list", po::bool_switch(&settings.list), "print the curves and their runs, and exit")(
      "dry-run", po::bool_switch(&settings.dry_run),
      "print the exact gcg_run line of every run and its state, and exit")(
      "status", po::bool_switch(&settings.status), "print the state of every run, and exit")(
      "scale", po::value(&settings.request.scale)->default_value("smoke"),
      "smoke (minutes), small (about an hour) or full")(
      "seeds", po::value(&settings.request.seeds)->default_value(0),
      "seeds per curve; 0: the scale's own number")(
      "jobs", po::value(&settings.jobs)->default_value(0),
      "runs side by side; 0: one per core. Changes no result")(
      "only", po::value(&settings.only)->default_value(""), "only curves that contain this text")(
      "data", po::value(&settings.data)->default_value(std::string(experiment.default_data)),
      "data set of every run")("data-dir", po::value(&settings.data_dir)->default_value(""),
                               "folder of the data set; empty: the environment's GCG_DATA")(
      "execution", po::value(&settings.execution)->default_value(""),
      "how every run is executed (auto, sparse, dense); empty: as the experiment says, or auto")(
      "out", po::value(&settings.out)->default_value("runs"), "folder of all runs");
  return options;
}

Settings parse(int argc, const char* const* argv, const Experiment& experiment) {
  Settings settings;
  const po::options_description options = describe(experiment, settings);
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
  } catch (const po::error& error) {
    throw UsageError("command line", error.what(), "--help lists the options");
  }
  const std::vector<std::string_view> scales =
      experiment.one_scale ? std::vector<std::string_view>{"smoke"}
                           : std::vector<std::string_view>{"smoke", "small", "full"};
  if (std::find(scales.begin(), scales.end(), settings.request.scale) == scales.end()) {
    throw UsageError("--scale", fmt::format("'{}' is none of: {}", settings.request.scale,
                                            fmt::join(scales, ", ")));
  }
  if (settings.request.seeds < 0 || settings.jobs < 0) {
    throw UsageError(settings.jobs < 0 ? "--jobs" : "--seeds", "is negative");
  }
  if (experiment.alone && settings.jobs > 1) {
    throw UsageError("--jobs",
                     fmt::format("{} measures seconds, runs side by side would disturb "
                                 "each other",
                                 experiment.name),
                     "leave it out");
  }
  return settings;
}

void look_at_disk(PlannedRun& run) {
  const fs::path file = run.plan->folder() / kRunFileName;
  run.state = fs::exists(run.plan->folder() / "log.txt") ? "started" : "-";
  if (!fs::exists(file)) {
    return;
  }
  try {
    const RunRecord record = read_run_file(file);
    run.state = record.status == "running" ? "started" : record.status;
    run.data_digest = record.identity.data_digest;
  } catch (const Error&) {
    run.state = "damaged";  // it is made again from its checkpoint
  }
}

std::vector<PlannedRun> plan_runs(const Experiment& experiment, const Settings& settings) {
  std::vector<PlannedRun> planned;
  bool any = false;
  for (ExperimentRun& run : experiment.runs(settings.request)) {
    GivenOptions given = run.options;
    const bool own_data = !given.insert({"data", settings.data}).second;
    given["seed"] = fmt::format("{}", run.seed);
    given["out"] = settings.out;
    if (!settings.execution.empty()) {
      if (given.contains("execution")) {
        throw UsageError(
            "--execution",
            fmt::format("{} compares executions: its runs say theirs themselves", experiment.name),
            "leave it out");
      }
      given["execution"] = settings.execution;
    }
    if (!settings.data_dir.empty() && !own_data) {
      given["data-dir"] = settings.data_dir;
    }
    run.options = given;
    PlannedRun next;
    next.selected = run.curve.find(settings.only) != std::string::npos;
    next.run = std::move(run);
    next.plan = make_run_plan(given);
    look_at_disk(next);
    any = any || next.selected;
    planned.push_back(std::move(next));
  }
  if (!any) {
    throw UsageError("--only", fmt::format("no curve contains '{}'", settings.only),
                     "--list shows the curves");
  }
  return planned;
}

/// The options of a run's images: runs that agree in them see the same.
std::string images_of(const RunPlan& plan) {
  std::string text = plan.settings.data;
  for (const Option& option : plan.options.options()) {
    if (option.group == "Data " + plan.settings.data) {
      text += fmt::format(" {}={}", option.name, option.text());
    }
  }
  return text;
}

/// Loads the images once, before any run is started: a missing folder is told here, and finished
/// runs on other images are not taken for this study's.
void check_data(const std::vector<PlannedRun>& planned) {
  std::map<std::string, std::string> digests;
  for (const PlannedRun& run : planned) {
    std::string& digest = digests[images_of(*run.plan)];
    if (digest.empty()) {
      digest = run.plan->data->load().digest;
    }
    if (run.state == "finished" && run.data_digest != digest) {
      throw Error((run.plan->folder() / kRunFileName).string(),
                  fmt::format("this finished run saw other images (digest {}, now {})",
                              run.data_digest.substr(0, 12), digest.substr(0, 12)),
                  "choose another --out for other data");
    }
  }
}

std::int64_t curve_width(const std::vector<PlannedRun>& planned) {
  std::size_t width = 5;
  for (const PlannedRun& run : planned) {
    width = std::max(width, run.run.curve.size());
  }
  return static_cast<std::int64_t>(width);
}

void print_states(const std::vector<PlannedRun>& planned) {
  const std::int64_t width = curve_width(planned);
  fmt::print("{:<{}}  seed  {:<8}  run\n", "curve", width, "state");
  for (const PlannedRun& run : planned) {
    if (run.selected) {
      fmt::print("{:<{}}  {:>4}  {:<8}  {}\n", run.run.curve, width, run.run.seed, run.state,
                 run.plan->identity.name);
    }
  }
}

void print_list(const Experiment& experiment, const std::vector<PlannedRun>& planned) {
  fmt::print("{}: {}\n\n", experiment.name, experiment.about);
  const std::int64_t width = curve_width(planned);
  std::vector<std::pair<std::string, std::int64_t>> curves;
  for (const PlannedRun& run : planned) {
    if (!run.selected) {
      continue;
    }
    const auto found = std::find_if(curves.begin(), curves.end(), [&](const auto& curve) {
      return curve.first == run.run.curve;
    });
    if (found == curves.end()) {
      curves.emplace_back(run.run.curve, 1);
    } else {
      ++found->second;
    }
  }
  fmt::print("{:<{}}  runs\n", "curve", width);
  for (const auto& [curve, count] : curves) {
    fmt::print("{:<{}}  {:>4}\n", curve, width, count);
  }
}

/// A word as a shell wants it.
std::string quoted(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-_./=,:+").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) {
    return word;
  }
  std::string text = "'";
  for (const char c : word) {
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return text + "'";
}

std::vector<std::string> run_command(const PlannedRun& run) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / "gcg_run";
  std::vector<std::string> command{program.string()};
  for (const auto& [name, value] : run.run.options) {
    command.push_back(fmt::format("--{}={}", name, value));
  }
  return command;
}

void print_commands(const std::vector<PlannedRun>& planned) {
  for (const PlannedRun& run : planned) {
    if (!run.selected) {
      continue;
    }
    fmt::print("# {}, seed {}: {}\n", run.run.curve, run.run.seed, run.state);
    for (const std::string& word : run_command(run)) {
      fmt::print("{} ", quoted(word));
    }
    fmt::print("\n");
  }
}

/// The list of runs the analysis starts from.
void write_study_file(const Experiment& experiment, const Settings& settings,
                      const std::vector<PlannedRun>& planned) {
  nlohmann::json runs = nlohmann::json::array();
  for (const PlannedRun& run : planned) {
    runs.push_back({{"curve", run.run.curve},
                    {"seed", run.run.seed},
                    {"name", run.plan->identity.name},
                    {"command", run.plan->identity.command}});
  }
  const nlohmann::json study{{"experiment", experiment.name},
                             {"scale", settings.request.scale},
                             {"data", settings.data},
                             {"runs", runs}};
  write_file_atomically(
      fs::path(settings.out) / fmt::format("{}-{}.json", experiment.name, settings.request.scale),
      study.dump(1) + "\n");
}

std::vector<Job> make_jobs(const std::vector<PlannedRun>& planned,
                           std::vector<std::size_t>& index) {
  std::vector<Job> jobs;
  std::set<std::string> taken;
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const RunPlan& plan = *planned[i].plan;
    if (!planned[i].selected || planned[i].state == "finished" ||
        !taken.insert(plan.identity.name).second) {
      continue;
    }
    make_writable_folder(plan.folder());
    Job job;
    job.name = plan.identity.name;
    job.log = plan.folder() / "log.txt";
    job.command = run_command(planned[i]);
    jobs.push_back(std::move(job));
    index.push_back(i);
  }
  return jobs;
}

/// Shows how far the jobs are: what their run files and logs say, read now and then.
class Watch {
 public:
  Watch(const Experiment& experiment, const std::vector<PlannedRun>& planned,
        const std::vector<Job>& jobs, const std::vector<std::size_t>& index)
      : experiment_(experiment),
        jobs_(jobs),
        before_(jobs.size(), JobState::waiting),
        said_(jobs.size()) {
    for (const std::size_t i : index) {
      runs_.push_back(&planned[i]);
    }
  }

  void update(const std::vector<JobState>& states) {
    const bool changed = states != before_;
    if (!changed && now_seconds() - last_ < 5) {
      return;
    }
    last_ = now_seconds();
    double done = 0;
    double planned = 0;
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
      if (experiment_.show_stages && states[j] != JobState::waiting) {
        repeat_stages(j);
      }
      if (states[j] != before_[j]) {
        tell(j, states[j]);
      }
      const double epochs = planned_epochs(*runs_[j]);
      planned += epochs;
      done += share_done(j, states[j]) * epochs;
    }
    before_ = states;
    const auto count = [&](JobState state) {
      return std::count(states.begin(), states.end(), state);
    };
    line_.show(fmt::format("{}: {} of {} runs done, {} running, {} failed", experiment_.name,
                           count(JobState::done), jobs_.size(), count(JobState::running),
                           count(JobState::failed)),
               planned > 0 ? done / planned : 0);
  }

 private:
  static double planned_epochs(const PlannedRun& run) {
    // The images' shape is not known here, so neither is the exact number of stages of an open end.
    const NetworkRequest request{{3, 32, 32}, 10, run.plan->settings.width};
    return static_cast<double>(run.plan->method->planned_epochs(
        run.plan->settings.recipe, build_network(run.plan->settings.network, request)));
  }

  [[nodiscard]] double share_done(std::size_t j, JobState state) const {
    if (state == JobState::done || state == JobState::failed) {
      return 1;
    }
    const fs::path file = runs_[j]->plan->folder() / kRunFileName;
    if (state == JobState::waiting || !fs::exists(file)) {
      return 0;
    }
    try {
      const auto epochs = static_cast<double>(read_run_file(file).trajectory.size());
      return std::min(1.0, epochs / planned_epochs(*runs_[j]));
    } catch (const Error&) {
      return 0;  // a damaged file of an earlier start: the run is about to replace it
    }
  }

  void tell(std::size_t j, JobState state) {
    const ExperimentRun& run = runs_[j]->run;
    if (state == JobState::done) {
      line_.say(fmt::format("finished  {}, seed {}", run.curve, run.seed));
    } else if (state == JobState::failed) {
      line_.say(
          fmt::format("FAILED    {}, seed {}: see {}", run.curve, run.seed, jobs_[j].log.string()));
    }
  }

  /// Prints the lines about stages that the run's log has gained.
  void repeat_stages(std::size_t j) {
    std::ifstream log(jobs_[j].log);
    log.seekg(said_[j]);
    for (std::string text; std::getline(log, text) && !log.eof();) {
      said_[j] = log.tellg();
      if (text.starts_with("stage ") && text.find("validation") != std::string::npos) {
        line_.say(fmt::format("{:<6} {}", runs_[j]->run.curve, text));
      }
    }
  }

  const Experiment& experiment_;
  const std::vector<Job>& jobs_;
  std::vector<const PlannedRun*> runs_;
  std::vector<JobState> before_;
  std::vector<std::streamoff> said_;
  ProgressLine line_;
  double last_ = 0;
};

int run_all(const Experiment& experiment, const Settings& settings,
            const std::vector<PlannedRun>& planned) {
  check_data(planned);
  make_writable_folder(settings.out);
  write_study_file(experiment, settings, planned);
  std::vector<std::size_t> index;
  const std::vector<Job> jobs = make_jobs(planned, index);
  const std::int64_t threads = planned.front().plan->settings.threads;
  const std::int64_t free = experiment.alone ? 1 : host_facts().cores / threads;
  const std::int64_t parallel = settings.jobs > 0 ? settings.jobs : std::max<std::int64_t>(1, free);
  fmt::print("{}: {} runs, {} to do, {} side by side; logs in {}/NAME/log.txt\n", experiment.name,
             std::count_if(planned.begin(), planned.end(),
                           [](const PlannedRun& run) { return run.selected; }),
             jobs.size(), parallel, settings.out);
  std::fflush(stdout);
  Watch watch(experiment, planned, jobs, index);
  const std::vector<JobState> states = run_jobs(
      jobs, parallel, threads, [&](const std::vector<JobState>& now) { watch.update(now); });
  const auto failed = std::count(states.begin(), states.end(), JobState::failed);
  if (failed > 0) {
    fmt::print(stderr, "{} of {} runs failed; the same command tries them again\n", failed,
               jobs.size());
    return 1;
  }
  return 0;
}

}  // namespace

int experiment_main(int argc, const char* const* argv, const Experiment& experiment) {
  try {
    Settings settings = parse(argc, argv, experiment);
    if (settings.help) {
      fmt::print("{}: {}\n\n", experiment.name, experiment.about);
      std::cout << describe(experiment, settings);
      return 0;
    }
    const std::vector<PlannedRun> planned = plan_runs(experiment, settings);
    if (settings.list) {
      print_list(experiment, planned);
    } else if (settings.dry_run) {
      print_commands(planned);
    } else if (settings.status) {
      print_states(planned);
    } else {
      return run_all(experiment, settings, planned);
    }
    return 0;
  } catch (const UsageError& error) {
    fmt::print(stderr, "{}: {}\n", experiment.name, error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", experiment.name, error.what());
    return 1;
  }
}

}  // namespace gcg
