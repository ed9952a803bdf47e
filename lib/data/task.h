#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "data/split.h"

namespace gcg {

/// What makes a task of a data set easier or harder. The defaults leave it as it is.
struct TaskOptions {
  std::int64_t classes = 0;  ///< that are kept; 0: all
  double train_share = 1;    ///< of the training split that is kept, (0, 1]
  double label_noise = 0;    ///< share of the training split's labels that are wrong, [0, 1)
};

/// A data set as one run uses it.
struct Task {
  DataSet data;  ///< train: with the training split's wrong labels; digest: of the whole set
  Split split;   ///< of data.train
};

/// Varies a data set and splits it, in this order:
///  1. Classes: the first of a permutation of the classes (stream "class-subset"), ascending, get
///     the labels 0, 1, ...; the images of all others leave both sets.
///  2. The stratified split, of the validation fraction (0: the default of the images that are
///     left).
///  3. Training images: round(share x all) of the training split, every class's part by largest
///     remainder (ties: the lower class), drawn by the stream "train-subset", index = class, so
///     that a smaller set is part of a larger one but for the remainders. Validation and test
///     images stay, and what images are normalised by.
///  4. Label noise: of every class's training images round(share x count), drawn by the stream
///     "label-noise", index = class, get one of the other classes at random. Validation and test
///     labels stay true.
/// Errors: options out of range; one class alone; a class left without training images; classes of
/// encoded images.
Task make_task(DataSet data, const TaskOptions& options, double validation_fraction,
               std::uint64_t seed);

}  // namespace gcg
