#include "data/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace gcg {

namespace {

/// What happens to one image: the row and column of the original that becomes the first one
/// (negative: padding), and whether the result is mirrored.
struct Placement {
  std::int64_t row = 0;
  std::int64_t column = 0;
  bool mirrored = false;
};

/// Always three draws, so that switching one augmentation off leaves the others as they are.
Placement draw_placement(RandomStream stream, const Augmentation& augmentation) {
  const std::int64_t padding = augmentation.crop_padding;
  const auto choices = static_cast<std::uint64_t>(2 * padding + 1);
  Placement placement;
  placement.row = static_cast<std::int64_t>(stream.below(choices)) - padding;
  placement.column = static_cast<std::int64_t>(stream.below(choices)) - padding;
  placement.mirrored = stream.below(2) == 1 && augmentation.flip;
  return placement;
}

void convert_row(const std::uint8_t* __restrict from, std::int64_t count, float scale, float offset,
                 float* __restrict to) {
  for (std::int64_t x = 0; x < count; ++x) {
    to[x] = static_cast<float>(from[x]) * scale + offset;
  }
}

/// to[x] belongs to from[count - 1 - x].
void convert_row_mirrored(const std::uint8_t* __restrict from, std::int64_t count, float scale,
                          float offset, float* __restrict to) {
  const std::uint8_t* last = from + count - 1;
  for (std::int64_t x = 0; x < count; ++x) {
    to[x] = static_cast<float>(last[-x]) * scale + offset;
  }
}

/// One channel of one image.
void convert_plane(const std::uint8_t* from, const Shape& shape, const Placement& placement,
                   float scale, float offset, float* to) {
  // The columns of the result that the original covers, before mirroring.
  const std::int64_t first = std::clamp<std::int64_t>(-placement.column, 0, shape.width);
  const std::int64_t end =
      std::clamp<std::int64_t>(shape.width - placement.column, first, shape.width);
  const std::int64_t left = placement.mirrored ? shape.width - end : first;
  const std::int64_t count = end - first;
  for (std::int64_t y = 0; y < shape.height; ++y, to += shape.width) {
    const std::int64_t row = y + placement.row;
    if (row < 0 || row >= shape.height || count == 0) {
      std::fill(to, to + shape.width, 0.0F);
      continue;
    }
    std::fill(to, to + left, 0.0F);
    std::fill(to + left + count, to + shape.width, 0.0F);
    const std::uint8_t* source = from + row * shape.width + first + placement.column;
    if (placement.mirrored) {
      convert_row_mirrored(source, count, scale, offset, to + left);
    } else {
      convert_row(source, count, scale, offset, to + left);
    }
  }
}

}  // namespace

std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::uint64_t epoch) {
  if (count < 0) {
    throw Error("epoch_order", fmt::format("{} images", count));
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  RandomStream(seed, "order", epoch).shuffle(std::span(order));
  return order;
}

BatchMaker::BatchMaker(const ImageSet& images, ChannelStatistics statistics, std::uint64_t seed)
    : images_(images), stream_(seed, "augmentation") {
  const auto channels = static_cast<std::size_t>(images.shape.channels);
  if (statistics.mean.size() != channels || statistics.deviation.size() != channels) {
    throw Error("BatchMaker", fmt::format("statistics of {} channels for images of {}",
                                          statistics.mean.size(), channels));
  }
  if (std::ssize(images.pixels) != images.size() * images.shape.elements()) {
    throw Error("BatchMaker",
                fmt::format("{} bytes of pixels are not {} images of {}", images.pixels.size(),
                            images.size(), images.shape.elements()));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    scale_.push_back(1 / (255 * statistics.deviation[c]));
    offset_.push_back(-statistics.mean[c] / statistics.deviation[c]);
  }
}

Batch BatchMaker::augmented(std::span<const std::int64_t> positions,
                            const Augmentation& augmentation, std::uint64_t epoch) {
  const Shape& shape = images_.shape;
  const std::int64_t padding = augmentation.crop_padding;
  if (padding < 0 || padding > std::min(shape.height, shape.width)) {
    throw Error("BatchMaker", fmt::format("a crop padding of {} pixels", padding),
                fmt::format("choose one from 0 to {}, the image's edge",
                            std::min(shape.height, shape.width)));
  }
  resize(positions.size());
  const auto elements = static_cast<std::size_t>(shape.elements());
  const auto area = static_cast<std::size_t>(shape.positions());
  float* to = buffer_.data();
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::int64_t position = positions[i];
    if (position < 0 || position >= images_.size()) {
      throw Error("BatchMaker",
                  fmt::format("there is no image {} among {}", position, images_.size()));
    }
    const auto index = static_cast<std::size_t>(position);
    const Placement placement =
        draw_placement(stream_.at(stream_index(epoch, index)), augmentation);
    const std::uint8_t* from = images_.pixels.data() + index * elements;
    for (std::size_t c = 0; c < scale_.size(); ++c, from += area, to += area) {
      convert_plane(from, shape, placement, scale_[c], offset_[c], to);
    }
    labels_[i] = images_.labels[index];
  }
  return {std::span(buffer_).first(positions.size() * elements),
          std::span(labels_).first(positions.size())};
}

Batch BatchMaker::plain(std::span<const std::int64_t> positions) {
  return augmented(positions, Augmentation{}, 0);
}

void BatchMaker::resize(std::size_t samples) {
  if (labels_.size() < samples) {
    labels_.resize(samples);
    buffer_.resize(samples * static_cast<std::size_t>(images_.shape.elements()));
  }
}

}  // namespace gcg
