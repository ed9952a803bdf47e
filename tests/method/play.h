#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/temporary_folder.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "method/methods.h"
#include "train/trainer.h"

namespace gcg::testing {

/// A method's decisions on an invented trajectory: the trainer's own loop on an executor that
/// computes nothing. The first update after every change of the state adds 0.01 to each present
/// weight and makes its first slot 0.5; the accuracy of a stage is a function of its density;
/// gradients depend on the position and the number of the batch alone. Its validation loss is
/// 1 - accuracy; the images of a stage differ around it, and as many are hit as the accuracy says.
struct Play {
  Network network;
  Recipe recipe;
  RunRecord record;
  TrainingState state;  ///< at the end
  std::vector<Stage> stages;
  std::vector<TrainingState> begun;    ///< state at the start of every stage
  std::vector<TrainingState> ended;    ///< and at its end, before the decision
  MethodMemory memory;                 ///< at the last decision
  std::vector<TrainingState> updated;  ///< state after every mask update
  std::int64_t updates_at_end = 0;     ///< since the mask changed last
};

using Options = std::map<std::string, std::string>;

inline constexpr std::int64_t kEpochUpdates = 10;
inline constexpr std::int64_t kPlayedImages = 100;  ///< of validation

inline Network small_network() { return build_network("resnet8", {{3, 16, 16}, 10, 4}); }

/// A file of densities for small_network(): of its first layer, and of all others.
std::string table_file(const TemporaryFolder& folder, double first, double others);

/// How long a play is.
struct Length {
  std::int64_t epochs = 20;
  std::int64_t epoch_updates = kEpochUpdates;
};

/// Options that the method has not are left out of `options` only if they say how a seed is made
/// ("disconnected"). Errors of the method pass through; `on_pass` is called at every pass of
/// training, so that a test knows of one that came after it had begun.
Play play(const std::string& name, const Options& options,
          const std::function<double(double)>& accuracy, std::uint64_t seed = 1,
          const Network& network = small_network(), Length length = {},
          const std::function<void()>& on_pass = {});

}  // namespace gcg::testing
