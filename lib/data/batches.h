#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "data/samples.h"

namespace gcg {

/// Makes normalised batches of chosen images in the calling thread, in memory that it keeps. It is
/// the plain reference of the Loader, and makes the few batches that belong to no epoch.
class BatchMaker {
 public:
  /// The image set must outlive the maker. Errors: as for SampleMaker.
  BatchMaker(const ImageSet& images, const ChannelStatistics& statistics, std::uint64_t seed);

  /// A training batch of the images at these positions, in this order, each made as by
  /// SampleMaker::make. Valid until the next call.
  Batch augmented(std::span<const std::int64_t> positions, const Augmentation& augmentation,
                  std::uint64_t epoch);
  /// An evaluation batch: without augmentation. Valid until the next call.
  Batch plain(std::span<const std::int64_t> positions);

  [[nodiscard]] const SampleMaker& samples() const { return samples_; }

 private:
  SampleMaker samples_;
  SampleMaker::Scratch scratch_;
  std::vector<float> buffer_;
  std::vector<std::int32_t> labels_;
};

}  // namespace gcg
