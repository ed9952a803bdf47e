#include "record/run_summary.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lookup.h"
#include "record/run_file.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

/// Size and time of a file; nothing if there is none.
std::optional<std::pair<std::int64_t, std::int64_t>> mark_of(const fs::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    return std::nullopt;
  }
  return std::pair{static_cast<std::int64_t>(facts.st_size),
                   std::int64_t{facts.st_mtim.tv_sec} * 1000000000 + facts.st_mtim.tv_nsec};
}

}  // namespace

RunSummary summary_of(const RunRecord& record, std::int64_t memory_bytes) {
  RunSummary summary;
  summary.hash = record.identity.hash;
  summary.status = record.status;
  summary.failure = record.failure;
  summary.data_digest = record.identity.data_digest;
  summary.images = record.identity.train_images + record.identity.validation_images;
  summary.epochs = std::ssize(record.trajectory);
  summary.accuracy = record.trajectory.empty() ? 0 : record.trajectory.back().validation_accuracy;
  const CostRecord& cost = record.cost;
  summary.seconds = cost.train_seconds + cost.evaluate_seconds + cost.grow_seconds +
                    cost.statistics_seconds + cost.record_seconds;
  summary.memory_bytes = memory_bytes;
  return summary;
}

void write_run_summary(const fs::path& folder, const RunSummary& summary) {
  const auto mark = mark_of(folder / kRunFileName);
  if (!mark) {
    throw Error((folder / kRunFileName).string(), "is not there, a status cannot be of it");
  }
  const nlohmann::json json{{"version", kRunSummaryVersion},
                            {"run_file_schema", kRunFileSchema},
                            {"run_file_bytes", mark->first},
                            {"run_file_time", mark->second},
                            {"hash", summary.hash},
                            {"status", name_of(summary.status)},
                            {"failure", summary.failure},
                            {"data_digest", summary.data_digest},
                            {"images", summary.images},
                            {"epochs", summary.epochs},
                            {"accuracy", summary.accuracy},
                            {"seconds", summary.seconds},
                            {"memory_bytes", summary.memory_bytes}};
  write_file_atomically(folder / kRunSummaryName, json_text(json, 1) + "\n");
}

std::optional<RunSummary> read_run_summary(const fs::path& folder) {
  std::ifstream file(folder / kRunSummaryName, std::ios::binary);
  if (!file) {
    return std::nullopt;
  }
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto mark = mark_of(folder / kRunFileName);
  try {
    const nlohmann::json json = parse_json(text, folder.string());
    if (json.at("version") != kRunSummaryVersion || json.at("run_file_schema") != kRunFileSchema ||
        !mark || json.at("run_file_bytes") != mark->first ||
        json.at("run_file_time") != mark->second) {
      return std::nullopt;
    }
    const auto integer = [&](const char* key) {
      return json_integer(json.at(key), folder.string(), key);
    };
    RunSummary summary;
    json.at("hash").get_to(summary.hash);
    const auto status = json.at("status").get<std::string>();
    const auto found = std::ranges::find(kNames<RunStatus>, status);
    if (found == kNames<RunStatus>.end()) {
      return std::nullopt;
    }
    summary.status = static_cast<RunStatus>(found - kNames<RunStatus>.begin());
    json.at("failure").get_to(summary.failure);
    json.at("data_digest").get_to(summary.data_digest);
    summary.images = integer("images");
    summary.epochs = integer("epochs");
    json.at("accuracy").get_to(summary.accuracy);
    json.at("seconds").get_to(summary.seconds);
    summary.memory_bytes = integer("memory_bytes");
    return summary;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace gcg
