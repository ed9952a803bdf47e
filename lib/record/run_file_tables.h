#pragma once

#include "record/hdf5.h"
#include "record/run_record.h"

/// Moves what docs/run_file.md describes between the record and an open HDF5 file; used for run
/// files, checkpoints and stages.
namespace gcg::run_file {

/// Writes everything; the group must be empty. Errors: masks, statistics or arrays that do not fit
/// the layers of record.network, stages with two masks, texts with zero bytes.
void write_record(const hdf5::Object& root, const RunRecord& record);

/// Reads everything back. Errors: another schema version, missing or malformed objects.
RunRecord read_record(const hdf5::Object& root);

/// Reads only the layer table (nodes are not stored), after checking the schema version.
Network read_layers(const hdf5::Object& root);

/// Errors, at `where`: a layer of an impossible shape, without a name or with that of another.
void check_layers(const std::string& where, const std::vector<Layer>& layers);

}  // namespace gcg::run_file
