#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "record/run_record.h"

namespace gcg {

/// Name of the small file beside a run file that says how far the run has come.
inline constexpr const char* kRunSummaryName = "status.json";

/// Version of the file; raised with every change of its keys.
inline constexpr std::int64_t kRunSummaryVersion = 2;

/// What a study needs to know about thousands of runs without reading their run files.
struct RunSummary {
  std::string hash;  ///< RunIdentity::hash
  RunStatus status = RunStatus::running;
  std::string failure;
  std::string data_digest;
  std::int64_t images = 0;        ///< training and validation images
  std::int64_t epochs = 0;        ///< finished
  double accuracy = 0;            ///< validation accuracy after the last of them
  double seconds = 0;             ///< of all processes of the run
  std::int64_t memory_bytes = 0;  ///< peak of the process, without pages of files
  bool operator==(const RunSummary&) const = default;
};
RunSummary summary_of(const RunRecord& record, std::int64_t memory_bytes);

/// Writes it as JSON, atomically, with kRunFileSchema and the size and time of the run file, which
/// must exist.
void write_run_summary(const std::filesystem::path& folder, const RunSummary& summary);

/// Reads it back. Nothing if it is missing, incomplete or of another version, or if the run file
/// has another layout, size or time than it says: then the run file itself has to be read.
std::optional<RunSummary> read_run_summary(const std::filesystem::path& folder);

}  // namespace gcg
