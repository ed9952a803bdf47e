#pragma once

#include <cstdint>
#include <string>

#include "train/method.h"

namespace gcg {

/// The phase that a checkpoint stands in, as it is kept there.
struct PhaseState {
  Phase phase;
  std::int64_t counted = 0;  ///< batches of the epoch under way that density_epochs holds already
};

/// As JSON.
std::string phase_text(const PhaseState& state);

/// The state of such a text. An exception of the JSON library where a checkpoint holds another.
PhaseState read_phase(const std::string& text);

}  // namespace gcg
