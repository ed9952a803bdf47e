#pragma once

#include <cstdint>
#include <string>

#include "train/stage.h"

namespace gcg {

/// The stage in which a checkpoint was made, as the checkpoint stores it.
struct PhaseState {
  Stage stage;
  std::int64_t counted = 0;  ///< batches of the present epoch that density_epochs already counts
};

/// Version of the text below; raised with every change of it.
inline constexpr std::int64_t kPhaseStateVersion = 3;

/// The state as JSON: one object with a key for every member and the version.
std::string phase_text(const PhaseState& state);

/// Reads the state from such a text. An Error names `where`: another version, or a key that is
/// missing, unknown or of another type.
PhaseState read_phase(const std::string& text, const std::string& where);

}  // namespace gcg
