#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "data/split.h"

namespace gcg {

/// Changes that make the task of a data set easier or harder. The defaults change nothing.
struct TaskOptions {
  std::int64_t classes = 0;  ///< kept classes; 0: all
  double train_share = 1;    ///< kept share of the training split, (0, 1]
  double label_noise = 0;    ///< share of wrong labels in the training split, [0, 1)
};

/// A data set as one run uses it.
struct Task {
  DataSet data;  ///< data.train has the wrong labels; digest: of the original set
  Split split;   ///< of data.train
};

/// Changes a data set and splits it, in this order:
///  1. Classes: the first of a permutation of the classes (stream "class-subset"), sorted, get the
///     labels 0, 1, ...; the images of all other classes leave both sets.
///  2. The stratified split by the validation fraction (0: the default for the number of images
///     left).
///  3. Training images: round(share x all) of the training split, shared out over the classes by
///     largest remainder (ties: the lower class), drawn by the stream "train-subset", index =
///     class. A smaller set is thus part of a larger one, except for the remainders. Validation and
///     test images stay, and so do the statistics that normalise.
///  4. Label noise: in every class, round(share x count) training images, drawn by the stream
///     "label-noise" (index = class), get one of the other classes at random. Validation and test
///     labels stay true.
/// Errors: options out of range; a single class; a class left without training images; a subset of
/// the classes of encoded images.
Task make_task(DataSet data, const TaskOptions& options, double validation_fraction,
               std::uint64_t seed);

}  // namespace gcg
