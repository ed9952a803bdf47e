#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/backends.h"
#include "base/options.h"
#include "data/datasets.h"
#include "graph/networks.h"
#include "record/run_record.h"
#include "train/method.h"
#include "train/recipe.h"

namespace gcg {

/// Options as given, by name, without "--".
using GivenOptions = std::map<std::string, std::string>;

/// The settings that every run has.
struct RunSettings {
  std::string method = "grow_return";
  std::string network = "resnet8";
  std::int64_t width = 0;
  std::string data = "procedural";
  std::uint64_t seed = 1;
  std::string execution = "auto";
  std::string device = "cpu";
  std::string precision = "fp32";
  std::string kernels = "auto";
  bool deterministic = true;
  bool cuda_graphs = false;
  std::int64_t threads = 1;
  std::string out = "runs";
  double checkpoint_seconds = 0;  ///< 0: by the device
  bool keep_stages = true;
  std::int64_t data_threads = 0;  ///< 0: by the cores
  std::int64_t processes = 1;
  bool sync_norm = true;
  double rank_seconds = 40;
  Recipe recipe;
};

/// Threads of each of its processes.
std::int64_t threads_of_a_process(const RunSettings& settings);

/// The backend that --execution means; for auto the first of the table
/// that can do what the run asks. Backends round differently, so the name
/// is part of a run's identity, and so are the threads if its row says so.
/// Errors: a name that is not in the table, no backend that can do it.
const Backend& backend_used(const RunSettings& settings);

/// The kernels that --kernels comes to: "tiles", for the denser convolutions of sparse execution in
/// bf16, or "sparse"; auto: tiles where the processor has instructions for them (amx_facts()). They
/// round differently, so that the answer is part of a run's identity.
std::string kernels_used(const RunSettings& settings);

/// What a run asks of its backend.
BackendRequest request_of(const RunSettings& settings);

/// One fully resolved run: its settings, its method and data source with their options, and what
/// identifies it. It must not move: the option list is bound to its members.
struct RunPlan {
  RunSettings settings;
  std::unique_ptr<Method> method;
  std::unique_ptr<DataSource> data;
  OptionList options;
  RunIdentity identity;

  RunPlan() = default;
  RunPlan(const RunPlan&) = delete;
  RunPlan& operator=(const RunPlan&) = delete;

  /// out/NAME: the folder of the run's checkpoint, run file and log.
  [[nodiscard]] std::filesystem::path folder() const;
};

/// Resolves the options of a run; reads no data. UsageError, with the reason: unknown options,
/// values out of range, options that the chosen method or data set does not use, contradictions.
std::unique_ptr<RunPlan> make_run_plan(const GivenOptions& given);

/// An option of any method or data set, for --help and for the parser. The default is that of its
/// first owner; the help names those of others where they differ.
struct OptionDescription {
  std::string name, group, help, default_text;
  std::vector<std::string> owners;  ///< "method gcg", "data cifar10"; empty: every run has it
};
std::vector<OptionDescription> all_run_options();

}  // namespace gcg
