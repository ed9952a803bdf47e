#include "study/experiment_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

#include "backend/backends.h"
#include "base/error.h"
#include "base/lookup.h"
#include "base/options.h"
#include "study/program_words.h"

namespace gcg {

namespace {

namespace po = boost::program_options;

/// Larger numbers are mistakes, and would fill the memory or the machine before they end in one.
constexpr Range kSeeds{0, 1000, false, false};
constexpr Range kSideBySide{0, 4096, false, false};
constexpr Range kOnOneGpu{1, 256, false, false};
constexpr Range kMinutes{0, 1e6, true, false};
constexpr Range kWorkers{1, 100'000, false, false};
constexpr Range kGpusOfWorker{0, 256, false, false};
constexpr Range kProcessors{0, 4096, false, false};

/// A number is refused with its range, as by gcg_run. Returns its value for a default.
template <typename Number>
po::typed_value<std::string>* add_number(po::options_description& options, const char* name,
                                         const char* word, Number& value, const Range& range,
                                         const std::string& help) {
  OptionList list;
  const Option option = list.add(name, value, range, help);
  auto* text = po::value<std::string>()->value_name(word)->notifier(option.set);
  options.add_options()(name, text, option.help.c_str());
  return text;
}

void add_questions(po::options_description& options, ExperimentCommand& command) {
  options.add_options()("help", po::bool_switch(&command.help), "print this and exit")(
      "list", po::bool_switch(&command.list), "print the curves and their runs, and exit")(
      "runs", po::bool_switch(&command.runs),
      "print every run as JSON, as the study file holds them, and exit")(
      "study-file", po::bool_switch(&command.study_file),
      "print the path of the study file, which names the scale, and exit")(
      "dry-run", po::bool_switch(&command.dry_run),
      "print the exact gcg_run line of every run, its state and roughly how long it takes, and "
      "exit")(
      "rate", po::value(&command.rate_file)->value_name("FILE"),
      "with --dry-run: hours on 1, 8 and 64 devices of the kinds whose rates the file gives, "
      "instead "
      "of measuring this host")(
      "status", po::bool_switch(&command.status),
      "print the state of every run, and of the study's jobs in Slurm's queue, and exit")(
      "watch", po::bool_switch(&command.watch),
      "with --status: repaint it until nothing runs or is queued any more")(
      "explain", po::value<std::string>()->value_name("CELL"),
      "print the runs behind a curve (its name or a part of it; '': all), their states, files and "
      "gcg_run "
      "lines, and exit")(
      "verify", po::bool_switch(&command.verify),
      "check the run files, compare what was measured with what is expected, and exit")(
      "settings", po::bool_switch(&command.settings),
      "print the settings file with the scales, as a start for your own, and exit");
}

void add_study(po::options_description& options, const Experiment& experiment,
               ExperimentCommand& command) {
  StudySettings& study = command.study;
  const std::string executions =
      fmt::format("how every run is executed (auto, {}); empty: as the experiment says, or auto",
                  fmt::join(row_names(backend_table()), ", "));
  const std::string devices =
      fmt::format("what every run is on ({}); empty: as the experiment says, or cpu",
                  fmt::join(device_names(), ", "));
  options.add_options()(
      "scale", po::value(&command.scale)->default_value("smoke"),
      "a scale of the settings file (smoke, small, full, ...), or FILE.toml with one of your own")(
      "set", po::value(&command.changes)->composing()->value_name("SETTING=VALUE"),
      "change one setting of the scale; may be repeated");
  add_number(options, "seeds", "N", study.request.seeds, kSeeds,
             "seeds per curve; 0: the scale's own number")
      ->default_value("0");
  add_number(options, "jobs", "N", study.jobs, kSideBySide,
             "runs side by side; 0: one per core, with --work one, with --device cuda "
             "--runs-per-gpu for each GPU. Changes no result")
      ->default_value("0");
  options.add_options()("only", po::value(&study.only)->default_value(""),
                        "only curves that contain this text")(
      "data", po::value(&study.request.data)->default_value(std::string(default_data(experiment))),
      "data set of every run")("data-dir", po::value(&study.data_dir)->default_value(""),
                               "folder of the data set; empty: the environment's GCG_DATA")(
      "execution", po::value(&study.execution)->default_value(""), executions.c_str())(
      "device", po::value(&study.device)->default_value(""), devices.c_str())(
      "precision", po::value(&study.precision)->default_value(""),
      "precision of every run (gcg_run --help); empty: as the experiment says, or fp32")(
      "gpus", po::value(&study.gpus)->default_value("")->value_name("N|LIST"),
      "with --device cuda: so many GPUs, or these (a list has a comma in it: 0,3 or 3,); empty: "
      "all "
      "that CUDA_VISIBLE_DEVICES shows. Changes no result");
  add_number(
      options, "runs-per-gpu", "N", study.runs_per_gpu, kOnOneGpu,
      "with --device cuda: runs side by side on each GPU, as far as they fit. Changes no result")
      ->default_value("1");
  options.add_options()("out", po::value(&study.out)->default_value("runs"), "folder of all runs");
}

void add_cluster(po::options_description& options, ExperimentCommand& command) {
  SlurmRequest& slurm = command.slurm;
  options.add_options()(
      "work", po::bool_switch(&command.work),
      "be one of any number of workers, on any hosts that share the folder of runs: take runs that "
      "nobody has, until none is left");
  add_number(options, "minutes", "M", command.minutes, kMinutes,
             "with --work: end after this many minutes; unfinished runs continue later");
  options.add_options()("slurm", po::bool_switch(&command.submit),
                        "write a batch script, print it and submit it: one array of equal workers")(
      "slurm-dry-run", po::bool_switch(&command.slurm_dry_run),
      "write the batch script, print it and exit")(
      "wait", po::bool_switch(&command.wait),
      "with --slurm: stay until nothing of the study is queued or runs")(
      "cancel", po::bool_switch(&command.cancel),
      "remove the study's jobs from Slurm's queue; running ones save their state");
  add_number(options, "workers", "N", slurm.workers, kWorkers, "workers of the array (1)");
  options.add_options()("partition", po::value(&slurm.partition)->value_name("P"),
                        "partition of the workers")(
      "account", po::value(&slurm.account)->value_name("A"), "account of the workers");
  add_number(options, "gpus-per-worker", "G", slurm.gpus, kGpusOfWorker,
             "GPUs of each worker (0; with --device cuda 1)");
  add_number(options, "cpus", "C", slurm.cpus, kProcessors,
             "processors of each worker; 0: those its runs side by side have threads for");
  options.add_options()("memory", po::value(&slurm.memory)->value_name("M"),
                        "memory per worker (4G)")("time", po::value(&slurm.time)->value_name("T"),
                                                  "time limit of each worker, 8:00:00");
}

/// Throws for an option that is given without the one it belongs to.
void check_companions(const po::variables_map& values, const ExperimentCommand& command) {
  const auto need = [&](const char* option, bool companion, std::string_view with) {
    if (values.count(option) != 0 && !values[option].defaulted() && !companion) {
      throw UsageError(fmt::format("--{}", option), fmt::format("belongs to {}", with),
                       "give both, or neither");
    }
  };
  need("minutes", command.work, "--work");
  need("rate", command.dry_run, "--dry-run");
  for (const char* option :
       {"workers", "partition", "account", "gpus-per-worker", "cpus", "memory", "time"}) {
    need(option, command.submit || command.slurm_dry_run, "--slurm or --slurm-dry-run");
  }
  if (command.watch && !command.status) {
    throw UsageError("--watch", "repaints --status", "give both");
  }
  if ((command.submit || command.slurm_dry_run) && !command.study.gpus.empty()) {
    throw UsageError("--gpus", "Slurm says which GPUs a worker has",
                     "leave it out; --gpus-per-worker says how many");
  }
  if (command.wait && !command.submit) {
    throw UsageError("--wait", "waits for --slurm", "give both");
  }
}

void check(const po::variables_map& values, const ExperimentCommand& command,
           const Experiment& experiment) {
  const StudySettings& study = command.study;
  if (experiment.kind == ExperimentKind::alone && (study.jobs > 1 || study.runs_per_gpu > 1)) {
    throw UsageError(study.jobs > 1 ? "--jobs" : "--runs-per-gpu",
                     fmt::format("{} measures seconds, runs side by side would disturb "
                                 "each other",
                                 experiment.name),
                     "leave it out");
  }
  const std::array asked{command.list,   command.runs,   command.dry_run,
                         command.status, command.verify, command.explain.has_value(),
                         command.work,   command.submit, command.slurm_dry_run,
                         command.cancel};
  if (std::ranges::count(asked, true) > 1) {
    throw UsageError("command line",
                     "asks for more than one of --list, --runs, --dry-run, --status, --explain, "
                     "--verify, --work, --slurm, --slurm-dry-run, --cancel",
                     "ask one at a time");
  }
  check_companions(values, command);
  check_slurm_request(command.slurm);
}

}  // namespace

po::options_description experiment_options(const Experiment& experiment,
                                           ExperimentCommand& command) {
  po::options_description options(100);
  add_questions(options, command);
  add_study(options, experiment, command);
  add_cluster(options, command);
  return options;
}

ExperimentCommand parse_experiment_command(int argc, const char* const* argv,
                                           const Experiment& experiment) {
  ExperimentCommand command;
  const po::variables_map values =
      parse_words(std::span(argv, static_cast<std::size_t>(argc)).subspan(1),
                  experiment_options(experiment, command), "--help lists the options");
  if (values.count("explain") != 0) {
    command.explain = values["explain"].as<std::string>();
  }
  if (values.count("gpus-per-worker") == 0 && command.study.device == "cuda") {
    command.slurm.gpus = 1;
  }
  check(values, command, experiment);
  return command;
}

}  // namespace gcg
