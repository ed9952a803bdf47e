#pragma once

#include "backend/state.h"
#include "record/hdf5.h"

/// Masks and training states as groups of a run file or a checkpoint.
namespace gcg::run_file {

/// Writes one packed array per layer, with bit i % 8 of byte i / 8 for connection i and the
/// attributes shape and present.
void write_mask(const hdf5::Object& group, const Network& network, const Mask& mask);
/// Errors: bits set after the last connection, another count than the attribute says.
Mask read_mask(const hdf5::Object& group, const Network& network);

/// Name of the group that holds a stage's mask: "stage_007".
std::string stage_name(std::int64_t stage);

/// Writes the groups values, mask and those of the optimiser's slots, by name.
void write_state(const hdf5::Object& group, const Network& network, const TrainingState& state);
TrainingState read_state(const hdf5::Object& group, const Network& network);

/// Writes the attributes that every array or group of similar arrays has.
void label(const hdf5::Object& object, std::string_view unit, std::string_view description);

}  // namespace gcg::run_file
