#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/folder_lock.h"
#include "base/host.h"
#include "base/program.h"
#include "base/progress.h"
#include "record/run_file.h"
#include "run/calibrate.h"
#include "run/libtorch.h"
#include "run/local_ranks.h"
#include "run/measure.h"
#include "run/until_signal.h"
#include "study/command_line.h"
#include "study/estimate.h"
#include "study/process.h"
#include "study/references.h"

namespace {

using gcg::RunRecord;

void print_plan(const gcg::RunPlan& plan) {
  fmt::print("run     {}\nfolder  {}\n\n", plan.identity.name, plan.folder().string());
  for (const gcg::OptionValue& option : plan.identity.options) {
    fmt::print("{:<22} {}{}\n", option.name, option.value, option.is_default ? "" : "   (set)");
  }
}

void print_result(const gcg::RunPlan& plan, const RunRecord& record) {
  fmt::print(
      "density {:.4f}  validation {:.2f} %  test {:.2f} %  {} epochs, {:.2f} % of training waiting "
      "for data\n{}\n",
      record.result->density, 100 * record.result->validation_accuracy,
      100 * record.result->test_accuracy, record.cost.epochs,
      100 * record.cost.data_wait_seconds / std::max(record.cost.train_seconds, 1e-9),
      (plan.folder() / gcg::kRunFileName).string());
}

/// Of one of several processes; the number of them goes into the options.
std::optional<gcg::RankPlace> place_in_world(const gcg::RunCommand& command,
                                             gcg::GivenOptions& given) {
  if (!command.world) {
    return std::nullopt;
  }
  if (given.contains("processes")) {
    throw gcg::UsageError("--processes", "contradicts --world, which tells how many there are",
                          "leave one of the two out");
  }
  const gcg::RankPlace place = gcg::rank_place();
  given["processes"] = fmt::format("{}", place.ranks);
  return place;
}

/// `arguments`: those of main().
int run(std::span<const char* const> arguments) {
  const gcg::RunCommand command = gcg::parse_run_command(arguments.subspan(1));
  if (command.help) {
    fmt::print("{}", gcg::run_help());
    return 0;
  }
  if (command.list) {
    fmt::print("{}", gcg::run_list());
    return 0;
  }
  if (command.bibtex) {
    fmt::print("{}", gcg::bibtex());
    return 0;
  }
  if (command.version) {
    const gcg::BuildFacts build = gcg::build_facts();
    fmt::print("gcg {} ({}{}), {}, {}\n", build.version, build.commit.substr(0, 12),
               build.dirty ? ", changed" : "", build.compiler, build.build_type);
    return 0;
  }
  gcg::GivenOptions given = command.given;
  const std::optional<gcg::RankPlace> place = place_in_world(command, given);
  const std::unique_ptr<gcg::RunPlan> plan = gcg::make_run_plan(given);
  if (command.dry_run) {
    print_plan(*plan);
    return 0;
  }
  if (!gcg::libtorch() && gcg::needs_libtorch(*plan)) {
    gcg::restart_with_libtorch(arguments);
  }
  const bool several = plan->settings.processes > 1;
  if (several && (command.estimate || command.calibrate > 0)) {
    throw gcg::UsageError(command.estimate ? "--estimate" : "--calibrate", "measures one process",
                          "leave --processes or --world out");
  }
  if (command.estimate) {
    fmt::print("{}\n", gcg::estimate_text(*plan, gcg::measure_work(*plan)));
    return 0;
  }
  if (command.calibrate > 0) {
    const gcg::Calibration calibration = gcg::calibrate(command.given, command.calibrate);
    fmt::print("{}", gcg::calibration_text(calibration, plan->settings.recipe));
    return 0;
  }
  if (several && !place) {
    return gcg::run_local_ranks(given, *plan);
  }
  const RunRecord record = gcg::execute_until_signal(*plan, several ? &*place : nullptr);
  if (!place || place->rank == 0) {
    print_result(*plan, record);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::run_program("gcg_run", [&] {
    try {
      return run(std::span<const char* const>(argv, static_cast<std::size_t>(argc)));
    } catch (const gcg::Stopped&) {
      return gcg::kContinueStatus;
    } catch (const gcg::BusyError& error) {
      // Not as an error of the run: the process that is at it writes to the same log.
      gcg::put(stderr, fmt::format("not begun: {}\n", error.what()));
      return gcg::kContinueStatus;
    }
  });
}
