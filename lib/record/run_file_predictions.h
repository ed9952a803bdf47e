#pragma once

#include "record/hdf5.h"
#include "record/run_record.h"

/// What the network says of every validation image at the end of every stage.
namespace gcg::run_file {

/// Losses as a matrix [stages][images], hits as packed bits. Errors: a stage with another number of
/// losses or hits than images.
void write_predictions(const hdf5::Object& group, const PredictionRecord& predictions);

/// Errors: misshapen arrays, bits behind the last image.
PredictionRecord read_predictions(const hdf5::Object& group);

}  // namespace gcg::run_file
