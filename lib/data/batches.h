#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"
#include "executor/executor.h"

namespace gcg {

struct Augmentation {
  /// Pixels of zero padding (in normalised units: the mean) on every side before a random crop.
  std::int64_t crop_padding = 0;
  bool flip = false;  ///< mirrored with probability 1/2
};

/// Training order of an epoch: a permutation of 0 .. count-1 from the stream "order", index =
/// epoch.
std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::uint64_t epoch);

/// Makes normalised batches of chosen images in memory it keeps. Augmentation of a sample depends
/// on (seed, epoch, position of the image in the set) alone: stream "augmentation", index =
/// stream_index(epoch, position).
class BatchMaker {
 public:
  /// The image set must outlive the maker. Throws an Error if pixels, labels and statistics do not
  /// fit together.
  BatchMaker(const ImageSet& images, ChannelStatistics statistics, std::uint64_t seed);

  /// Training batch of the images at these positions, in this order. Valid until the next call.
  /// Each image is cropped at a random offset (rows and columns independent, each of the 2 padding
  /// + 1 offsets equally likely), then mirrored. Errors: a padding outside of [0, the image's
  /// edge], a position outside of the set.
  Batch augmented(std::span<const std::int64_t> positions, const Augmentation& augmentation,
                  std::uint64_t epoch);
  /// Evaluation batch: normalised only.
  Batch plain(std::span<const std::int64_t> positions);

 private:
  void resize(std::size_t samples);

  const ImageSet& images_;
  std::vector<float> scale_;  ///< per channel: value = pixel * scale + offset
  std::vector<float> offset_;
  RandomStream stream_;
  std::vector<float> buffer_;
  std::vector<std::int32_t> labels_;
};

}  // namespace gcg
