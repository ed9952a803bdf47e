#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "data/samples.h"

namespace gcg {

/// Makes normalised batches of chosen images on the spot, in memory it keeps: the plain reference
/// of the Loader, and what makes the few batches that are no part of an epoch.
class BatchMaker {
 public:
  /// The image set must outlive the maker. Errors as for SampleMaker.
  BatchMaker(const ImageSet& images, const ChannelStatistics& statistics, std::uint64_t seed);

  /// Training batch of the images at these positions, in this order, each as SampleMaker::make
  /// makes it. Valid until the next call.
  Batch augmented(std::span<const std::int64_t> positions, const Augmentation& augmentation,
                  std::uint64_t epoch);
  /// Evaluation batch: not augmented.
  Batch plain(std::span<const std::int64_t> positions);

  [[nodiscard]] const SampleMaker& samples() const { return samples_; }

 private:
  SampleMaker samples_;
  SampleMaker::Scratch scratch_;
  std::vector<float> buffer_;
  std::vector<std::int32_t> labels_;
};

}  // namespace gcg
