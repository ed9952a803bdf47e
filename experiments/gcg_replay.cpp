// Every stopping rule on the recorded runs of a study, without training: of growth those that
// extrapolate, with the coverage of the interval of d* on simulated curves; of growing and
// returning those that see the loss turn. From FOLDER/NAME.json to FOLDER/NAME.replay.json.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/program.h"
#include "base/text.h"
#include "extrapolate/replay.h"
#include "method/joint_record.h"
#include "method/search_record.h"
#include "record/run_file.h"
#include "search/paired.h"
#include "search/turn.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kAgain = "give the experiment's command again, which writes it";

constexpr std::string_view kUsage =
    "gcg_replay STUDY.json: every stopping rule on the study's finished growth runs and searches";

/// An epsilon of a rule: absolute or a share of what is above chance.
struct Epsilon {
  double value;
  bool relative;
};

constexpr std::array kEpsilons{Epsilon{0.005, false}, Epsilon{0.01, false}, Epsilon{0.02, false},
                               Epsilon{0.03, false},  Epsilon{0.05, false}, Epsilon{0.02, true},
                               Epsilon{0.05, true},   Epsilon{0.1, true}};
constexpr std::array<std::int64_t, 4> kMinStages{4, 5, 6, 7};
constexpr std::int64_t kTrials = 200;

/// JSON has no NaN.
json number(double value) { return std::isfinite(value) ? json(value) : json(); }

std::string option(const gcg::RunRecord& record, std::string_view name) {
  for (const gcg::OptionValue& option : record.identity.options) {
    if (option.name == name) {
      return option.value;
    }
  }
  throw gcg::Error(record.identity.name, fmt::format("has no option --{}", name),
                   "it is no growth run of this version");
}

/// The rule that the run itself was made with.
gcg::ExtrapolationOptions own_rule(const gcg::RunRecord& record) {
  gcg::ExtrapolationOptions rule;
  rule.extrapolator = option(record, "extrapolator");
  rule.epsilon = std::stod(option(record, "epsilon"));
  rule.epsilon_relative = option(record, "epsilon-relative") == "on";
  rule.min_stages = std::stoll(option(record, "min-stages"));
  rule.bootstrap = std::stoll(option(record, "bootstrap"));
  rule.confidence = rule.bootstrap > 0 ? std::stod(option(record, "confidence")) : rule.confidence;
  rule.chance = 1.0 / static_cast<double>(record.identity.classes);
  rule.seed = record.identity.seed;
  return rule;
}

json rule_json(const gcg::ExtrapolationOptions& rule) {
  return {{"extrapolator", rule.extrapolator},
          {"epsilon", rule.epsilon},
          {"epsilon_relative", rule.epsilon_relative},
          {"min_stages", rule.min_stages}};
}

json replay_json(std::span<const gcg::CurvePoint> points, const gcg::ExtrapolationOptions& rule) {
  const gcg::Replay replay = gcg::replay(points, rule, 1);
  json result = rule_json(rule);
  result["stop"] = replay.stop;
  result["reason"] = gcg::stop_reason_name(replay.reason);
  json& fits = result["fits"] = json::array();
  for (const gcg::Extrapolation& fit : replay.fits) {
    fits.push_back({{"outcome", gcg::name_of(fit.outcome)},
                    {"d_star", number(fit.d_star)},
                    {"d_low", number(fit.d_low)},
                    {"d_high", number(fit.d_high)},
                    {"accuracy_at_one", number(fit.accuracy_at_one)}});
  }
  return result;
}

/// The joint fit of accuracy over density and time after the last stage of growth, as the run
/// itself made it.
json joint_json(const gcg::RunRecord& record) {
  const auto last =
      std::find_if(record.stages.rbegin(), record.stages.rend(),
                   [](const gcg::StageRow& row) { return row.phase == gcg::Role::stage; });
  const gcg::JointFit& fit = last->joint;
  return {{"outcome", gcg::name_of(fit.outcome)},
          {"parameters", fit.parameters},
          {"accuracy_at_one", number(fit.accuracy_at_one)},
          {"d_star", number(fit.d_star)},
          {"d_low", number(fit.d_low)},
          {"d_high", number(fit.d_high)},
          {"difference_error", number(fit.difference_error)},
          {"union_low", number(fit.union_low)},
          {"union_high", number(fit.union_high)},
          {"own_noise", number(fit.own_noise)},
          {"common_noise", number(fit.common_noise)},
          {"note", fit.note}};
}

/// All rules on one run: every extrapolator, epsilon and first stage; the own epsilon and first
/// stage of the run by every extrapolator with its interval.
json replay_run(const gcg::RunRecord& record) {
  const std::vector<gcg::CurvePoint> points = gcg::growth_curve(record, record.stages.size() - 1);
  const gcg::ExtrapolationOptions own = own_rule(record);
  json rules = json::array();
  json with_interval = json::array();
  for (const gcg::ExtrapolatorEntry& entry : gcg::extrapolator_table()) {
    gcg::ExtrapolationOptions rule = own;
    rule.extrapolator = entry.name;
    with_interval.push_back(replay_json(points, rule));
    rule.bootstrap = 0;
    for (const Epsilon& epsilon : kEpsilons) {
      for (const std::int64_t stages : kMinStages) {
        rule.epsilon = epsilon.value;
        rule.epsilon_relative = epsilon.relative;
        rule.min_stages = stages;
        rules.push_back(replay_json(points, rule));
      }
    }
  }
  return {{"rules", rules},
          {"with_interval", with_interval},
          {"own", rule_json(own)},
          {"joint", joint_json(record)}};
}

/// Curves near those of the study's small networks, one of every family: each extrapolator meets
/// one truth of its own family and two of others.
json coverage_json(const gcg::RunRecord& record) {
  const std::vector<gcg::TrueCurve> truths{{"logistic", {0.67, 1.8, 0.055}},
                                           {"power", {0.72, 0.025, 0.9}},
                                           {"exponential", {0.66, 0.09}}};
  std::vector<double> densities;
  for (const gcg::CurvePoint& point : gcg::growth_curve(record, record.stages.size() - 1)) {
    densities.push_back(point.density);
  }
  gcg::ExtrapolationOptions rule = own_rule(record);
  rule.chance = 0.1;
  rule.epsilon_relative = false;
  rule.bootstrap = 100;
  json result = json::array();
  for (const gcg::TrueCurve& truth : truths) {
    for (const gcg::ExtrapolatorEntry& entry : gcg::extrapolator_table()) {
      rule.extrapolator = entry.name;
      const gcg::Coverage coverage = gcg::simulate_coverage(
          truth, densities, record.identity.validation_images, rule, kTrials);
      result.push_back({{"truth", truth.extrapolator},
                        {"true_d_star", gcg::true_d_star(truth, rule.epsilon, rule.chance)},
                        {"extrapolator", entry.name},
                        {"epsilon", rule.epsilon},
                        {"samples", record.identity.validation_images},
                        {"trials", coverage.trials},
                        {"found", coverage.found},
                        {"intervals", coverage.intervals},
                        {"covered", coverage.covered},
                        {"log_error", coverage.log_error},
                        {"log_bias", coverage.log_bias}});
    }
  }
  return result;
}

json difference_json(const gcg::PairedDifference& difference) {
  return {{"mean", difference.mean}, {"error", difference.error}};
}

/// Every rule on the last way back of a search: where it ends (null: not within the record), the
/// stage it takes, what that costs with its final training, and how that stage differs from the one
/// that the live rule takes, on the validation images. Costs in epochs of dense training.
json turns_json(const gcg::RunRecord& record) {
  const gcg::RecordedWay way = gcg::recorded_way(record);
  const std::size_t live = gcg::turn_of(way.stages, gcg::turn_rules().front()).taken;
  const auto final_epochs = static_cast<double>(record.stages.back().epochs);
  json turns = json::array();
  for (const gcg::TurnRule& rule : gcg::turn_rules()) {
    const gcg::Turn turn = gcg::turn_of(way.stages, rule);
    const gcg::StageRow& taken = record.stages[way.first + turn.taken];
    const std::size_t end = way.first + turn.end.value_or(way.stages.size() - 1);
    turns.push_back(
        {{"rule", rule.name},
         {"end", turn.end ? json(record.stages[end].stage) : json()},
         {"taken", taken.stage},
         {"density", taken.density},
         {"cost", record.stages[end].density_epochs + taken.density * final_epochs},
         {"loss_over_live", difference_json(gcg::paired_loss(way.stages[turn.taken].losses,
                                                             way.stages[live].losses))},
         {"accuracy_over_live", difference_json(gcg::paired_accuracy(*way.stages[turn.taken].hits,
                                                                     *way.stages[live].hits))}});
  }
  return turns;
}

/// Whether the record is one of a way back that was trained to the end.
bool has_turn(const gcg::RunRecord& record) {
  return record.identity.method == "grow_return" && record.stages.back().phase == gcg::Role::final;
}

/// A run as the study file names it.
struct NamedRun {
  std::string curve, name;
  std::uint64_t seed;
};

std::vector<NamedRun> read_plan(const fs::path& study) {
  std::vector<NamedRun> runs;
  try {
    const json plan = gcg::parse_json(gcg::read_text(study), study.string(), kAgain);
    for (const json& entry : plan.at("runs")) {
      runs.push_back(
          {entry.at("curve"), entry.at("name"),
           gcg::json_integer<std::uint64_t>(entry.at("seed"), study.string(), "seed", kAgain)});
    }
  } catch (const json::exception&) {
    throw gcg::Error(study.string(), "is no study file", kAgain);
  }
  for (const NamedRun& run : runs) {
    if (run.name.empty() || fs::path(run.name).filename() != run.name) {
      throw gcg::Error(study.string(),
                       fmt::format("calls a run '{}', which is no folder", run.name), kAgain);
    }
  }
  return runs;
}

/// What the rules say of a run; null if it is none of growth or of a search, or is not finished.
json replay_planned(const fs::path& run_file, const NamedRun& planned, json& coverage) {
  const gcg::RunRecord record = gcg::read_run_file(run_file);
  if (record.identity.name != planned.name) {
    throw gcg::Error(run_file.string(),
                     fmt::format("is that of another run, {}", record.identity.name),
                     "it was copied there: give the experiment's command again");
  }
  json run;
  if (record.status != gcg::RunStatus::finished || record.stages.empty()) {
    return run;
  }
  if (record.identity.method == "gcg") {
    run = replay_run(record);
    if (coverage.is_null()) {
      coverage = coverage_json(record);
    }
  } else if (has_turn(record)) {
    run["turns"] = turns_json(record);
  } else {
    return run;
  }
  run["curve"] = planned.curve;
  run["seed"] = planned.seed;
  return run;
}

void replay_study(const fs::path& study) {
  json runs = json::array();
  json coverage;
  std::int64_t kept = 0;  // as tables alone
  std::set<std::string> names;
  std::map<std::string, std::string> left_out;  // why, by the run's name
  for (const NamedRun& planned : read_plan(study)) {
    names.insert(planned.name);
    const fs::path run_file = study.parent_path() / planned.name / "run.h5";
    if (!fs::exists(run_file)) {
      kept += fs::exists(run_file.parent_path() / "tables.json") ? 1 : 0;
      continue;
    }
    try {
      if (json run = replay_planned(run_file, planned, coverage); !run.is_null()) {
        runs.push_back(std::move(run));
      }
    } catch (const gcg::Error& error) {
      left_out[planned.name] = error.what();
    }
  }
  if (!left_out.empty()) {
    fmt::print(stderr, "{} of {} runs cannot be read and are left out:\n", left_out.size(),
               names.size());
    for (const auto& [name, problem] : left_out) {
      fmt::print(stderr, "  {}\n", problem);
    }
  }
  if (runs.empty() && kept > 0) {
    throw gcg::Error(study.string(),
                     "only the tables of its runs were kept, without what is replayed",
                     "replay the study where its runs were made, and keep the tables then");
  }
  if (runs.empty()) {
    throw gcg::Error(study.string(), "none of its growth runs and searches is finished",
                     "run the experiment first");
  }
  const fs::path to = fs::path(study).replace_extension("replay.json");
  gcg::write_file_atomically(to,
                             gcg::json_text({{"runs", runs}, {"coverage", coverage}}, 1) + "\n");
  fmt::print("{}: {} runs\n", to.string(), runs.size());
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::run_program("gcg_replay", [&] {
    const std::string_view word = argc > 1 ? argv[1] : "";
    if (word == "--help") {
      fmt::print("{}\n", kUsage);
      return 0;
    }
    if (word.empty() || word.starts_with("-")) {
      throw gcg::UsageError(
          "command line",
          word.empty() ? "the study file is missing" : fmt::format("there is no option '{}'", word),
          kUsage);
    }
    if (argc > 2) {
      throw gcg::UsageError("command line", fmt::format("'{}' is one word too many", argv[2]),
                            kUsage);
    }
    replay_study(argv[1]);
    return 0;
  });
}
