#include "study/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/progress.h"
#include "study/process.h"
#include "study/run_estimates.h"

namespace gcg {

void print_list(const Experiment& experiment, const std::vector<PlannedRun>& planned) {
  fmt::print("{}: {}\n\n", experiment.name, experiment.about);
  const std::size_t width = curve_width(planned);
  std::vector<std::pair<std::string, std::int64_t>> curves;
  for (const PlannedRun& run : planned) {
    if (!run.selected) {
      continue;
    }
    const auto found =
        std::ranges::find(curves, run.run.curve, &std::pair<std::string, std::int64_t>::first);
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

void print_status(const std::vector<PlannedRun>& planned, const std::string& queue) {
  const std::size_t width = curve_width(planned);
  fmt::print("{:<{}}  seed  {:<8}  run\n", "curve", width, "state");
  for (const PlannedRun& run : planned) {
    if (!run.selected) {
      continue;
    }
    fmt::print("{:<{}}  {:>4}  {:<8}  {}\n", run.run.curve, width, run.run.seed,
               name_of(run.disk.state), run.plan->identity.name);
    if (run.disk.state == DiskState::failed) {
      fmt::print("    log {}\n    {}\n", run.log().string(), why_failed(run));
    } else if (!run.disk.note.empty()) {
      fmt::print("    {}\n", run.disk.note);
    }
  }
  if (!queue.empty()) {
    fmt::print("{}\n", queue);
  }
}

void print_dry_run(const std::vector<PlannedRun>& planned, std::int64_t side_by_side,
                   std::int64_t jobs, const GpuShare& gpus) {
  const RunEstimates estimates = estimate_runs(planned, jobs, gpus);
  double total = 0;
  double longest = 0;
  std::int64_t unknown = 0;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const PlannedRun& run = planned[i];
    if (!run.selected) {
      continue;
    }
    const double seconds = estimates.seconds[i];
    const std::string time = run.disk.state == DiskState::finished ? ""
                             : std::isnan(seconds)                 ? ", time unknown"
                                                   : ", about " + duration_text(seconds);
    fmt::print("# {}, seed {}: {}{}\n{}\n", run.run.curve, run.run.seed, name_of(run.disk.state),
               time, shell_line(run_command(run)));
    if (!seen.insert(run.plan->identity.name).second) {
      continue;  // another curve has the same run
    }
    if (std::isnan(seconds)) {
      ++unknown;
    } else {
      total += seconds;
      longest = std::max(longest, seconds);
    }
  }
  for (const std::string& note : estimates.notes) {
    fmt::print("# {}\n", note);
  }
  fmt::print("# to do: about {} of run time, {} with {} side by side{}\n", duration_text(total),
             duration_text(std::max(longest, total / static_cast<double>(side_by_side))),
             side_by_side,
             unknown > 0 ? fmt::format(", and {} runs of unknown time", unknown) : "");
}

void print_explanation(const std::vector<PlannedRun>& planned, std::string_view cell) {
  const bool exact =
      std::ranges::any_of(planned, [&](const PlannedRun& run) { return run.run.curve == cell; });
  bool any = false;
  for (const PlannedRun& run : planned) {
    if (exact ? run.run.curve != cell : run.run.curve.find(cell) == std::string::npos) {
      continue;
    }
    any = true;
    fmt::print("{}, seed {}\n  run      {}\n  state    {}\n  run file {}\n", run.run.curve,
               run.run.seed, run.plan->identity.name, name_of(run.disk.state), run.file().string());
    if (run.trunk) {
      fmt::print("  starts from {}\n", planned[*run.trunk].plan->identity.name);
    }
    if (!run.disk.note.empty()) {
      fmt::print("  note     {}\n", run.disk.note);
    }
    fmt::print("  {}\n", shell_line(run_command(run)));
  }
  if (!any) {
    throw UsageError("--explain", fmt::format("no curve contains '{}'", cell),
                     "--list shows the curves");
  }
}

}  // namespace gcg
