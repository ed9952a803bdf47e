#pragma once

#include "record/hdf5.h"
#include "record/run_record.h"

/// What docs/run_file.md describes, between the record and an open HDF5 file: shared by run files
/// and checkpoints.
namespace gcg::run_file {

/// Writes everything; the group must be empty. Masks, statistics and arrays that do not fit the
/// layers of record.network, stages with two masks, texts with zero bytes: an Error.
void write_record(const hdf5::Object& root, const RunRecord& record);

/// Reads everything back. Another schema version, missing and misshapen objects: an Error.
RunRecord read_record(const hdf5::Object& root);

/// The layer table alone (nodes are not stored), after the check of the schema's version.
Network read_layers(const hdf5::Object& root);

}  // namespace gcg::run_file
