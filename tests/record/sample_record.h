#pragma once

#include "record/checkpoint.h"
#include "record/run_record.h"

namespace gcg {

/// A small network whose layers have names that need care as names of HDF5 objects.
Network sample_network();

/// A finished run with every member set, stated without chance: tests/analysis/test_gcg_runs.py
/// states the same values again. Mask of stage s: connection i of layer l is present if (i + l) %
/// (4 - s) == 0.
RunRecord sample_record();

/// A run that has just begun: no stage, no row, no result.
RunRecord fresh_record();

/// A checkpoint in mid-run, with weights of unusual bits.
Checkpoint sample_checkpoint();

/// Every member of a record as text, one a line, numbers exact to the bit. Does not compile if a
/// struct of the record gets a member that is not listed.
std::string describe(const RunRecord& record);
std::string describe(const TrainingState& state);

}  // namespace gcg
