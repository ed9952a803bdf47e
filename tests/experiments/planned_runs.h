#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/lookup.h"
#include "study/planned_run.h"
#include "table.h"

namespace gcg::testing {

/// One run as an experiment names it.
struct NamedRun {
  std::string curve;
  Part part;
  std::map<std::string, std::string> options;  ///< as given on the command line of gcg_run
  std::string name;                            ///< of the run's folder: its identity
};

/// What a row of the table of experiments would run. Starts nothing, needs no images.
inline std::vector<NamedRun> runs_of(const Experiment& experiment, const std::string& scale,
                                     const std::string& data) {
  StudySettings settings;
  settings.request.data = data;
  settings.request.scale = read_scale(experiment.settings, scale, {}, data);
  settings.out = "no such folder";
  std::vector<NamedRun> runs;
  for (const PlannedRun& run : plan_runs(experiment, settings)) {
    runs.push_back({run.run.curve, run.run.part, run.run.options, run.plan->identity.name});
  }
  return runs;
}

inline std::vector<NamedRun> runs_of(std::string_view experiment, const std::string& scale) {
  const Experiment& row = find_row(experiments::experiment_table(), experiment, "experiment");
  return runs_of(row, scale, std::string(default_data(row)));
}

inline std::set<std::string> names(const std::vector<NamedRun>& runs) {
  std::set<std::string> result;
  for (const NamedRun& run : runs) {
    result.insert(run.name);
  }
  return result;
}

}  // namespace gcg::testing
