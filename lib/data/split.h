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

/// Makes a stratified split: round(fraction x class count) images of every class, drawn by the
/// stream "validation-split" (index = class), are for validation. Errors: a fraction outside of [0,
/// 1); with fraction > 0, a class that would have no validation or no training images. Classes
/// without images are skipped.
Split stratified_split(const std::vector<std::int32_t>& labels, std::int64_t classes,
                       double fraction, std::uint64_t seed);

/// Default validation fraction: 10 % of the training images, 20 % if fewer than 10,000.
double default_validation_fraction(std::int64_t train_images);

}  // namespace gcg
