#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/shell.h"

namespace gcg::testing {

/// One run as an experiment's --explain tells it.
struct PlannedRun {
  std::string curve;
  std::map<std::string, std::string> options;  ///< as given on the command line of gcg_run
  std::string name;                            ///< of the run's folder: its identity
};

/// What an experiment (the path of its program) would run. Starts nothing, needs no images.
inline std::vector<PlannedRun> planned_runs(const std::string& program, const std::string& scale) {
  const Outcome all = shell(fmt::format("{} --scale {} --explain ''", program, scale));
  EXPECT_EQ(all.status, 0) << all.output;
  std::vector<PlannedRun> runs;
  const std::regex head("([^ ].*), seed [0-9]+");
  const std::regex name(" *run +([^ ]+)");
  const std::regex option("--([a-z0-9-]+)=(\\S+)");
  std::istringstream lines(all.output);
  for (std::string line; std::getline(lines, line);) {
    if (std::smatch found; std::regex_match(line, found, head)) {
      runs.push_back({found[1], {}, {}});
    } else if (std::regex_match(line, found, name)) {
      runs.back().name = found[1];
    }
    for (std::sregex_iterator at(line.begin(), line.end(), option), end; at != end; ++at) {
      runs.back().options[(*at)[1]] = (*at)[2];
    }
  }
  return runs;
}

inline std::set<std::string> names(const std::vector<PlannedRun>& runs) {
  std::set<std::string> result;
  for (const PlannedRun& run : runs) {
    result.insert(run.name);
  }
  return result;
}

}  // namespace gcg::testing
