#include "study/study_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "backend/backends.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "record/run_file.h"

namespace gcg {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path study_file(const Experiment& experiment, const StudySettings& settings) {
  return fs::path(settings.out) /
         fmt::format("{}-{}.json", experiment.name, settings.request.scale.name);
}

namespace {

json study_json(const Experiment& experiment, const StudySettings& settings,
                const std::vector<PlannedRun>& planned) {
  json runs = json::array();
  for (const PlannedRun& run : planned) {
    const Part& part = run.run.part;
    runs.push_back({{"curve", run.run.curve},
                    {"role", part.role},
                    {"family", part.family},
                    {"values", part.values},
                    {"of", part.of},
                    {"seed", run.run.seed},
                    {"name", run.plan->identity.name},
                    {"execution", backend_used(run.plan->settings).name},
                    {"options", run.run.options},
                    {"command", run.plan->identity.command}});
    if (!run.run.trunk.empty()) {
      runs.back()["trunk"] = run.run.trunk;
    }
  }
  json sizes = json::object();
  for (const auto& [name, setting] : settings.request.scale.settings) {
    json& size = sizes[name] = json::array();
    for (const Setting::Value& value : setting.values) {
      size.push_back(value.text);
    }
  }
  json study{{"version", kStudyVersion},
             {"experiment", experiment.name},
             {"scale", settings.request.scale.name},
             {"settings", sizes},
             {"data", settings.request.data},
             {"runs", runs}};
  return study;
}

/// What a study file says; null where there is none or it is not JSON: it is written anew.
json stored_study(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  try {
    return parse_json(std::string(std::istreambuf_iterator<char>(file), {}), path.string());
  } catch (const Error&) {
    return {};
  }
}

/// Of an entry of a study file; empty where it has no such text.
std::string text_of(const json& entry, const std::string& key) {
  return entry.is_object() && entry.contains(key) && entry[key].is_string() ? entry[key] : "";
}

std::string option_of(const json& entry, const std::string& name) {
  return entry.is_object() && entry.contains("options") ? text_of(entry["options"], name) : "";
}

/// The runs of a stored study, as far as they are entries of one.
std::vector<json> stored_runs(const json& study) {
  std::vector<json> runs;
  if (study.is_object() && study.contains("runs") && study["runs"].is_array()) {
    for (const json& run : study["runs"]) {
      if (!text_of(run, "curve").empty() && !text_of(run, "name").empty() && run.contains("seed") &&
          run["seed"].is_number_unsigned()) {
        runs.push_back(run);
      }
    }
  }
  return runs;
}

/// What two seeds of a curve have in common.
json without_seed(const json& entry) {
  json options = json::object();
  if (entry.contains("options") && entry["options"].is_object()) {
    options = entry["options"];
  }
  for (const char* name : {"seed", "trunk", "out", "data-dir"}) {  // trunks are named by their seed
    options.erase(name);
  }
  return options;
}

/// Data, precision and execution are not in the file's name, and every table would change with
/// them.
void check_same_study(const fs::path& path, const json& there, const json& here) {
  const auto refuse = [&](std::string_view what, const std::string& was, const std::string& is) {
    if (was != is) {
      throw Error(
          path.string(),
          fmt::format("is that of a study whose {} is {}, not {}; its tables would be lost", what,
                      was.empty() ? "the default" : was, is.empty() ? "the default" : is),
          "give this study a folder of its own: --out FOLDER");
    }
  };
  std::map<std::string, const json*> by_curve;
  for (const json& run : here.at("runs")) {
    by_curve.emplace(run.at("curve"), &run);
  }
  for (const json& run : stored_runs(there)) {
    const auto known = by_curve.find(text_of(run, "curve"));
    if (known == by_curve.end()) {
      continue;
    }
    const auto known_or = [](const std::string& stored, const std::string& own) {
      return stored.empty() ? own : stored;
    };
    const std::string data = here.at("data");
    const std::string execution = text_of(*known->second, "execution");
    refuse("data set", known_or(text_of(there, "data"), data), data);
    refuse("execution", known_or(text_of(run, "execution"), execution), execution);
    refuse("precision", option_of(run, "precision"), option_of(*known->second, "precision"));
  }
}

/// Adds what an earlier launch left of the seeds that are not asked for now.
void keep_other_seeds(json& study, const json& earlier, const fs::path& out) {
  std::map<std::string, json> by_curve;
  std::set<std::pair<std::string, std::uint64_t>> asked;
  for (const json& run : study.at("runs")) {
    by_curve.emplace(run.at("curve"), without_seed(run));
    asked.emplace(run.at("curve"), run.at("seed"));
  }
  for (json& run : stored_runs(earlier)) {
    const std::string curve = text_of(run, "curve");
    const std::string name = text_of(run, "name");
    const auto known = by_curve.find(curve);
    std::error_code unreadable;
    if (known != by_curve.end() && known->second == without_seed(run) &&
        !asked.contains({curve, run["seed"]}) && fs::path(name).filename() == name &&
        fs::exists(out / name / kRunFileName, unreadable)) {
      study["runs"].push_back(std::move(run));
    }
  }
}

/// A name of a folder may be no UTF-8, which JSON has to be. The command is (shell_word), with
/// every byte of the name; among the options a sign stands for what is not.
std::string text_of_study(const json& study) { return json_text(study, 1) + "\n"; }

}  // namespace

std::string study_text(const Experiment& experiment, const StudySettings& settings,
                       const std::vector<PlannedRun>& planned) {
  return text_of_study(study_json(experiment, settings, planned));
}

void write_study_file(const Experiment& experiment, const StudySettings& settings,
                      const std::vector<PlannedRun>& planned) {
  const fs::path path = study_file(experiment, settings);
  json study = study_json(experiment, settings, planned);
  const json earlier = stored_study(path);
  check_same_study(path, earlier, study);
  keep_other_seeds(study, earlier, settings.out);
  // Several workers would write the same: one of them is enough.
  const std::string text = text_of_study(study);
  std::ifstream file(path, std::ios::binary);
  if (!file || std::string(std::istreambuf_iterator<char>(file), {}) != text) {
    write_file_atomically(path, text);
  }
}

std::vector<std::string> outdated_runs(const Experiment& experiment, const StudySettings& settings,
                                       const std::vector<PlannedRun>& planned) {
  const json study = stored_study(study_file(experiment, settings));
  if (!study.is_object() || !study.contains("runs") || !study["runs"].is_array()) {
    return {};
  }
  std::set<std::string> now;
  for (const PlannedRun& run : planned) {
    now.insert(run.plan->identity.name);
  }
  std::vector<std::string> names;
  for (const json& run : study["runs"]) {
    // A study file is written anew; what somebody else left in one names no run.
    const std::string name =
        run.is_object() && run.contains("name") && run["name"].is_string() ? run["name"] : "";
    const fs::path path = fs::path(settings.out) / name / kRunFileName;
    std::error_code unreadable;
    if (name.empty() || name.find('/') != std::string::npos || now.contains(name) ||
        !fs::exists(path, unreadable)) {
      continue;
    }
    try {
      if (run_file_schema(path) != kRunFileSchema) {
        names.push_back(name);
        continue;
      }
      const RunRecord record = read_run_file(path);
      const auto row = std::ranges::find(backend_table(), record.execution.used, &Backend::name);
      if (row == backend_table().end() ||
          row->results_version != record.identity.defaults_version) {
        names.push_back(name);
      }
    } catch (const Error&) {
      // Damaged, and no run of this study any more: nothing to tell.
    }
  }
  return names;
}

}  // namespace gcg
