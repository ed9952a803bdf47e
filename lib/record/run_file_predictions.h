#pragma once

#include "record/hdf5.h"
#include "record/run_record.h"

/// The network's predictions on every validation image at the end of every stage.
namespace gcg::run_file {

/// Writes losses as a matrix [stages][images] and hits as packed bits. Errors: a stage whose number
/// of losses or hits is not the number of images.
void write_predictions(const hdf5::Object& group, const PredictionRecord& predictions);

/// Errors: malformed arrays, bits set after the last image.
PredictionRecord read_predictions(const hdf5::Object& group);

}  // namespace gcg::run_file
