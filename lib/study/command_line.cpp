#include "study/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "backend/backends.h"
#include "base/error.h"
#include "base/text.h"
#include "extrapolate/curve.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "method/methods.h"
#include "score/score_table.h"
#include "study/program_words.h"
#include "study/support_table.h"
#include "topology/allocation.h"

namespace gcg {

namespace {

namespace po = boost::program_options;

constexpr unsigned kLineLength = 100;

po::options_description describe_run_options() {
  po::options_description all(kLineLength);
  std::vector<po::options_description> groups;
  std::string heading;
  for (const OptionDescription& option : all_run_options()) {
    if (groups.empty() || option.group != heading) {
      heading = option.group;
      groups.emplace_back(heading, kLineLength);
    }
    groups.back().add_options()(
        option.name.c_str(),
        po::value<std::string>()->default_value(option.default_text)->value_name("X"),
        option.help.c_str());
  }
  for (const po::options_description& group : groups) {
    all.add(group);
  }
  return all;
}

po::options_description describe_program_options() {
  po::options_description program("Program", kLineLength);
  program.add_options()("help", "print this and exit")("list", "print what is registered and exit")(
      "bibtex", "print the references of what is registered and exit")(
      "version", "print version and build and exit")(
      "dry-run", "resolve the options, print the run's name and settings, and exit")(
      "estimate",
      "time a few training steps, print how many seconds the run would take (JSON), and exit")(
      "calibrate", po::value<std::string>()->value_name("EPOCHS"),
      "run the method and dense training for this many epochs each, print the cost ratios that "
      "--budget flops and --budget time want, and exit")(
      "world", po::value<std::string>()->value_name("auto"),
      "this is one of the processes of a run that srun, mpirun or torchrun started, here or on "
      "several machines; instead of --processes")(
      "config", po::value<std::string>()->value_name("FILE"),
      "read options from a file of lines 'name = value'; the command line wins");
  return program;
}

/// Lines 'name = value'. A value is all that stands behind the first '=', whatever is in it; '#'
/// begins a comment at the beginning of a line alone.
GivenOptions read_config(const std::string& path, const po::options_description& options) {
  GivenOptions given;
  std::int64_t number = 0;
  const std::string text = read_text(path);
  for (const std::string_view whole : lines_of(text)) {
    const std::string_view line = trimmed(whole);
    const std::string where = fmt::format("{}: line {}", path, ++number);
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      throw UsageError(where, fmt::format("'{}' is not 'name = value'", line),
                       "write NAME = VALUE; a comment has a line of its own, after '#'");
    }
    const std::string name(trimmed(line.substr(0, equals)));
    // find_nothrow() takes an empty name for every option.
    if (std::ranges::none_of(options.options(),
                             [&](const auto& option) { return option->long_name() == name; })) {
      throw UsageError(where, fmt::format("there is no option '{}'", name),
                       "gcg_run --help lists the options");
    }
    if (!given.emplace(name, trimmed(line.substr(equals + 1))).second) {
      throw UsageError(where, fmt::format("the option '{}' is given twice", name),
                       "keep one of the two");
    }
  }
  return given;
}

template <typename Table>
void list_table(std::string& text, std::string_view heading, const Table& table) {
  text += fmt::format("{}\n", heading);
  for (const auto& entry : table) {
    text += fmt::format("  {:<12} {}\n", entry.name, entry.about);
    if constexpr (requires { entry.reference; }) {
      if (!entry.reference.empty()) {
        text += fmt::format("  {:<12}   [{}]\n", "", entry.reference);
      }
    }
  }
  text += "\n";
}

}  // namespace

RunCommand parse_run_command(std::span<const char* const> arguments) {
  const po::options_description program = describe_program_options();
  const po::options_description run = describe_run_options();
  po::options_description all;
  all.add(program).add(run);
  const po::variables_map values = parse_words(arguments, all, "gcg_run --help lists the options");
  RunCommand command;
  if (values.count("config") != 0) {
    const std::string& file = values["config"].as<std::string>();
    try {
      command.given = read_config(file, run);
    } catch (const UsageError&) {
      throw;
    } catch (const Error& error) {
      const std::string_view text = error.what();
      throw UsageError("--config", text.substr(0, text.find('\n')),
                       "name a text file of lines 'name = value'");
    }
  }
  command.help = values.count("help") != 0;
  command.list = values.count("list") != 0;
  command.bibtex = values.count("bibtex") != 0;
  command.version = values.count("version") != 0;
  command.dry_run = values.count("dry-run") != 0;
  command.estimate = values.count("estimate") != 0;
  if (values.count("calibrate") != 0) {
    OptionList list;
    list.add("calibrate", command.calibrate, {1, 1e6}, "epochs");
    list.set("calibrate", values["calibrate"].as<std::string>());
  }
  if (values.count("world") != 0) {
    const std::string& world = values["world"].as<std::string>();
    if (world != "auto") {
      throw UsageError("--world " + world, "is not auto", "write --world auto, or leave it out");
    }
    command.world = true;
  }
  for (const auto& [name, value] : values) {
    if (run.find_nothrow(name, false) != nullptr && !value.defaulted()) {
      command.given[name] = value.as<std::string>();
    }
  }
  return command;
}

std::string run_help() {
  std::ostringstream text;
  text << "gcg_run: one run of one method; writes OUT/NAME/run.h5 and continues where it "
          "stopped.\n\n"
       << "  gcg_run --data procedural --epochs 20 --seed 1\n"
       << "  gcg_run --method fixed_mask --seed-rule erk --seed-density 0.1 --data cifar10 "
          "--data-dir FOLDER\n\n"
       << "An option that the chosen method and data set do not use is an error. One that several\n"
          "use stands under the first of them; --dry-run lists those that a run has.\n\n"
       << describe_program_options() << "\n"
       << describe_run_options();
  return text.str();
}

std::string run_list() {
  std::string text;
  list_table(text, "Methods (--method)", method_table());
  list_table(text, "Scores (--growth-rule, --regrow, and behind seed rules)", score_table());
  list_table(text, "Allocations (--quotas, --prune-scope, and behind seed rules)",
             allocation_table());
  list_table(text, "Seed rules (--seed-rule)", seed_rule_table());
  list_table(text, "Extrapolators (--extrapolator)", extrapolator_table());
  list_table(text, "Networks (--network)", network_table());
  list_table(text, "Data sets (--data)", data_source_table());
  list_table(text, "Optimisers (--optimiser)", optimiser_table());
  list_table(text, "Backends (--execution)", backend_table());
  BackendRequest everything;
  for (const NetworkEntry& network : network_table()) {
    const std::span<const Operation> operations = network_operations(network.name);
    everything.operations.insert(everything.operations.end(), operations.begin(), operations.end());
  }
  for (const Backend& backend : backend_table()) {
    const std::string lacks = missing(backend, everything);
    std::vector<std::string_view> optimisers;
    for (const Optimiser& optimiser : optimiser_table()) {
      if (backend.has_optimiser(optimiser.name)) {
        optimisers.push_back(optimiser.name);
      }
    }
    text += fmt::format("  {:<12} {}; {}; {}\n", backend.name, backend.devices_text(),
                        lacks.empty() ? "every operation of the networks" : lacks,
                        fmt::join(optimisers, ", "));
  }
  return text + "\nWhat runs where\n" + support_table();
}

}  // namespace gcg
