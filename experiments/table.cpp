#include "table.h"

#include <array>

#include "base/error.h"

namespace gcg::experiments {

#define EXPERIMENT(name, settings, kind, about) ExperimentRuns name();
#include "table.def"
#undef EXPERIMENT

namespace {

/// The settings files, embedded when the program is built.
constexpr std::array kFiles{
#include "settings.inc"
};

SettingsFile settings_file(std::string_view name) {
  for (const SettingsFile& file : kFiles) {
    if (file.name == name) {
      return file;
    }
  }
  throw Error(name, "is no settings file of the experiments", "see experiments/table.def");
}

}  // namespace

std::span<const Experiment> experiment_table() {
#define EXPERIMENT(name, settings, kind, about) \
  Experiment{#name, about, name(), settings_file(#settings ".toml"), ExperimentKind::kind},
  static const std::array rows{
#include "table.def"
  };
#undef EXPERIMENT
  return rows;
}

}  // namespace gcg::experiments
