#pragma once

#include "record/hdf5.h"
#include "record/run_record.h"

/// The layout described in docs/run_file.md, between the record and an open HDF5 file: shared by
/// run files and checkpoints.
namespace gcg::layout {

/// Writes everything; the group must be empty. Masks, statistics and arrays that do not fit the
/// layers of record.network, stages with two masks, texts with zero bytes: an Error.
void write_record(const hdf5::Object& root, const RunRecord& record);

/// Reads everything back. Another schema version, missing and misshapen objects: an Error.
RunRecord read_record(const hdf5::Object& root);

/// The layer table alone (nodes are not stored), after the check of the schema's version.
Network read_layers(const hdf5::Object& root);

/// One packed array per layer, bit i % 8 of byte i / 8 for connection i, attributes shape and
/// present.
void write_mask(const hdf5::Object& group, const Network& network, const Mask& mask);
/// Errors: bits behind the last connection, another count than the attribute says.
Mask read_mask(const hdf5::Object& group, const Network& network);

/// Name of the group of a stage's mask: "stage_007".
std::string stage_name(std::int64_t stage);

/// Groups values, momentum and mask.
void write_state(const hdf5::Object& group, const Network& network, const TrainingState& state);
TrainingState read_state(const hdf5::Object& group, const Network& network);

/// The attributes every array or group of like arrays has.
void label(const hdf5::Object& object, std::string_view unit, std::string_view description);

}  // namespace gcg::layout
