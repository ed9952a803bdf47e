#include "data/batches.h"

namespace gcg {

BatchMaker::BatchMaker(const ImageSet& images, const ChannelStatistics& statistics,
                       std::uint64_t seed)
    : samples_(images, statistics, seed) {}

Batch BatchMaker::augmented(std::span<const std::int64_t> positions,
                            const Augmentation& augmentation, std::uint64_t epoch) {
  samples_.check(augmentation);
  const ImageSet& images = samples_.images();
  const auto elements = static_cast<std::size_t>(images.shape.elements());
  if (labels_.size() < positions.size()) {
    labels_.resize(positions.size());
    buffer_.resize(positions.size() * elements);
  }
  for (std::size_t i = 0; i < positions.size(); ++i) {
    samples_.make(positions[i], augmentation, epoch,
                  std::span(buffer_).subspan(i * elements, elements), scratch_);
    labels_[i] = images.labels[static_cast<std::size_t>(positions[i])];
  }
  return {std::span(buffer_).first(positions.size() * elements),
          std::span(labels_).first(positions.size())};
}

Batch BatchMaker::plain(std::span<const std::int64_t> positions) {
  return augmented(positions, Augmentation{}, 0);
}

}  // namespace gcg
