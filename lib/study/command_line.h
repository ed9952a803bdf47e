#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "study/run_plan.h"

namespace gcg {

/// A command line of gcg_run, parsed but not yet resolved.
struct RunCommand {
  GivenOptions given;
  bool help = false;
  bool list = false;
  bool bibtex = false;
  bool version = false;
  bool dry_run = false;
  bool estimate = false;
  std::int64_t calibrate = 0;  ///< epochs; 0: not asked for
  bool world = false;          ///< one of several processes, as the environment tells
};

/// Parses the command line with Boost.Program_options, then the file named by --config (lines "name
/// = value"), whose values give way to the command line's. UsageError: anything unknown, given
/// twice, abbreviated or left over.
RunCommand parse_run_command(std::span<const char* const> arguments);

/// The text of gcg_run --help: all options of all methods and data sets with their defaults.
std::string run_help();

/// The text of gcg_run --list: methods, growth rules, seed rules, networks, data sets,
/// extrapolators.
std::string run_list();

}  // namespace gcg
