#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "record/checkpoint.h"

namespace gcg {

/// What the file of a stage holds behind its header: all that read_stage gives back, one value
/// behind the other, little-endian, of weights and slots those of present connections alone. Plain
/// bytes, since an HDF5 image takes some milliseconds to make, which is more than a short stage
/// itself takes. Errors: a weight or slot at an absent position that is not +0.
std::vector<std::byte> stage_payload(std::int64_t stage, const Checkpoint& checkpoint);

struct StageState {
  std::int64_t stage = 0;
  Checkpoint checkpoint;
};

/// Reads it back. Errors, with `where` and the position: bytes that end too early or too late,
/// counts that do not fit the layers or the bytes that are left.
StageState read_stage_payload(const std::string& where, std::span<const std::byte> payload);

}  // namespace gcg
