#pragma once

#include <cstdint>
#include <string>

#include "train/stage.h"

namespace gcg {

/// The stage that a checkpoint stands in, as it is kept there.
struct PhaseState {
  Stage stage;
  std::int64_t counted = 0;  ///< batches of the epoch under way that density_epochs holds already
};

/// Raised with every change of the text below.
inline constexpr std::int64_t kPhaseStateVersion = 3;

/// As JSON: one object with a key for every member and the version.
std::string phase_text(const PhaseState& state);

/// The state of such a text. An Error that names `where`: a text of another version, a key that is
/// missing, unknown or of another type.
PhaseState read_phase(const std::string& text, const std::string& where);

}  // namespace gcg
