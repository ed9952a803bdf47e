#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace gcg {

/// Positions of training and validation images, each ascending.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
};

/// Stratified split: round(fraction x class count) images of every class, drawn by the stream
/// "validation-split", index = class. Errors: fraction outside of [0, 1), a class that would lose
/// all its images or keep none for validation (fraction > 0); classes without any image are passed
/// over.
Split stratified_split(const std::vector<std::int32_t>& labels, std::int64_t classes,
                       double fraction, std::uint64_t seed);

/// The method's default: 10 % of train, 20 % below 10,000 images.
double default_validation_fraction(std::int64_t train_images);

}  // namespace gcg
