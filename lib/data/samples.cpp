#include "data/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "data/colour_jitter.h"
#include "data/prepared.h"

namespace gcg {

namespace {

/// Always three draws, so that switching one augmentation off leaves the others as they are.
Placement draw_placement(std::int64_t image, RandomStream stream,
                         const Augmentation& augmentation) {
  const std::int64_t padding = augmentation.crop_padding;
  const auto choices = static_cast<std::uint64_t>(2 * padding + 1);
  Placement placement;
  placement.image = image;
  placement.row = static_cast<std::int64_t>(stream.below(choices)) - padding;
  placement.column = static_cast<std::int64_t>(stream.below(choices)) - padding;
  placement.mirrored = stream.below(2) == 1 && augmentation.flip;
  return placement;
}

template <typename Level>
void convert_row(const Level* __restrict from, std::int64_t count, float scale, float offset,
                 float* __restrict to) {
  for (std::int64_t x = 0; x < count; ++x) {
    to[x] = static_cast<float>(from[x]) * scale + offset;
  }
}

/// to[x] belongs to from[count - 1 - x].
template <typename Level>
void convert_row_mirrored(const Level* __restrict from, std::int64_t count, float scale,
                          float offset, float* __restrict to) {
  const Level* last = from + count - 1;
  for (std::int64_t x = 0; x < count; ++x) {
    to[x] = static_cast<float>(last[-x]) * scale + offset;
  }
}

/// One channel of one image.
template <typename Level>
void convert_plane(const Level* from, const Shape& shape, const Placement& placement, float scale,
                   float offset, float* to) {
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
    const Level* source = from + row * shape.width + first + placement.column;
    if (placement.mirrored) {
      convert_row_mirrored(source, count, scale, offset, to + left);
    } else {
      convert_row(source, count, scale, offset, to + left);
    }
  }
}

/// One row [3][width] into the three planes of a sample.
void store_row(const float* row, std::int64_t width, bool mirrored, std::span<const float> scale,
               std::span<const float> offset, std::int64_t plane, float* __restrict to) {
  for (std::size_t c = 0; c < 3; ++c, row += width, to += plane) {
    if (mirrored) {
      for (std::int64_t x = 0; x < width; ++x) {
        to[x] = row[width - 1 - x] * scale[c] + offset[c];
      }
    } else {
      for (std::int64_t x = 0; x < width; ++x) {
        to[x] = row[x] * scale[c] + offset[c];
      }
    }
  }
}

/// The same as bytes.
void store_row(const float* row, std::int64_t width, std::int64_t plane,
               std::uint8_t* __restrict to) {
  for (std::size_t c = 0; c < 3; ++c, row += width, to += plane) {
    std::transform(row, row + width, to, rounded);
  }
}

/// The same as they are.
void copy_row(const float* row, std::int64_t width, std::int64_t plane, float* __restrict to) {
  for (std::size_t c = 0; c < 3; ++c, row += width, to += plane) {
    std::copy_n(row, width, to);
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

Region random_part(std::int64_t width, std::int64_t height, double least_share,
                   RandomStream& stream) {
  const double widest = std::log(4.0 / 3.0);
  const auto area = static_cast<double>(width * height);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double part = area * (least_share + (1 - least_share) * stream.uniform());
    const double ratio = std::exp(widest * (2 * stream.uniform() - 1));
    const std::int64_t w = std::llround(std::sqrt(part * ratio));
    const std::int64_t h = std::llround(std::sqrt(part / ratio));
    if (w >= 1 && w <= width && h >= 1 && h <= height) {
      const auto x = stream.below(static_cast<std::uint64_t>(width - w + 1));
      const auto y = stream.below(static_cast<std::uint64_t>(height - h + 1));
      return {static_cast<double>(x), static_cast<double>(y), static_cast<double>(w),
              static_cast<double>(h)};
    }
  }
  const double most = 4.0 / 3.0;
  const double w = std::min(static_cast<double>(width), static_cast<double>(height) * most);
  const double h = std::min(static_cast<double>(height), static_cast<double>(width) * most);
  return {(static_cast<double>(width) - w) / 2, (static_cast<double>(height) - h) / 2, w, h};
}

Region centre_part(std::int64_t width, std::int64_t height) {
  const double edge = 0.875 * static_cast<double>(std::min(width, height));
  return {(static_cast<double>(width) - edge) / 2, (static_cast<double>(height) - edge) / 2, edge,
          edge};
}

SampleMaker::SampleMaker(const ImageSet& images, const ChannelStatistics& statistics,
                         std::uint64_t seed)
    : images_(images),
      stream_(seed, "augmentation"),
      crop_stream_(seed, "resized-crop"),
      jitter_stream_(seed, "colour-jitter") {
  const auto channels = static_cast<std::size_t>(images.shape.channels);
  if (statistics.mean.size() != channels || statistics.deviation.size() != channels) {
    throw Error("SampleMaker", fmt::format("statistics of {} channels for images of {}",
                                           statistics.mean.size(), channels));
  }
  if (!images.encoded()) {
    pixels_ = images.raw_pixels();
    if (std::ssize(pixels_) != images.size() * images.shape.elements()) {
      throw Error("SampleMaker",
                  fmt::format("{} bytes of pixels are not {} images of {}", pixels_.size(),
                              images.size(), images.shape.elements()));
    }
  } else if (channels != 3) {
    throw Error("SampleMaker", fmt::format("encoded images have 3 channels, not {}", channels));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    scale_.push_back(1 / (255 * statistics.deviation[c]));
    offset_.push_back(-statistics.mean[c] / statistics.deviation[c]);
  }
}

void SampleMaker::check(const Augmentation& augmentation) const {
  const Shape& shape = images_.shape;
  const std::int64_t padding = augmentation.crop_padding;
  if (padding < 0 || padding > std::min(shape.height, shape.width)) {
    throw Error("SampleMaker", fmt::format("a crop padding of {} pixels", padding),
                fmt::format("choose one from 0 to {}, the image's edge",
                            std::min(shape.height, shape.width)));
  }
  if (images_.encoded() && padding > 0) {
    throw Error("SampleMaker", "crop padding for encoded images", "use resized crops for them");
  }
  if (padding > 0 && augmentation.resized_crop > 0) {
    throw Error("SampleMaker", "crop padding beside resized crops", "use one of them");
  }
  for (const double value : {augmentation.resized_crop, augmentation.colour_jitter}) {
    if (!(value >= 0 && value <= 1)) {
      throw Error("SampleMaker",
                  fmt::format("a resized crop of {} and a colour jitter of {}",
                              augmentation.resized_crop, augmentation.colour_jitter),
                  "choose both from 0 to 1");
    }
  }
  if (augmentation.remakes() && shape.channels != 3) {
    throw Error("SampleMaker",
                fmt::format("--resized-crop and --colour-jitter need images of three colours, "
                            "these have {}",
                            shape.channels),
                "leave them out");
  }
}

void SampleMaker::check_sample(std::int64_t position, std::size_t room) const {
  if (position < 0 || position >= images_.size()) {
    throw Error("SampleMaker",
                fmt::format("there is no image {} among {}", position, images_.size()));
  }
  if (static_cast<std::int64_t>(room) != images_.shape.elements()) {
    throw Error("SampleMaker", fmt::format("room for {} values of an image of {}", room,
                                           images_.shape.elements()));
  }
  if (images_.prepared && !images_.encoded()) {
    images_.prepared->check_unchanged();
  }
}

void SampleMaker::make(std::int64_t position, const Augmentation& augmentation, std::uint64_t epoch,
                       std::span<float> to, Scratch& scratch) const {
  check_sample(position, to.size());
  const Shape& shape = images_.shape;
  if (goes_by_levels(augmentation)) {
    const Placement placement = make_levels(position, augmentation, epoch, scratch);
    for (std::size_t c = 0; c < scale_.size(); ++c) {
      const auto plane = static_cast<std::int64_t>(c) * shape.positions();
      convert_plane(scratch.levels.data() + plane, shape, placement, scale_[c], offset_[c],
                    to.data() + plane);
    }
    return;
  }
  if (!images_.encoded()) {
    make_raw(place(position, augmentation, epoch), to.data());
    return;
  }
  make_encoded(position, augmentation, stream_of(epoch, position), scratch,
               [&](std::int64_t y, const float* row, bool mirrored) {
                 store_row(row, shape.width, mirrored, scale_, offset_, shape.positions(),
                           to.data() + y * shape.width);
               });
}

Placement SampleMaker::make_bytes(std::int64_t position, const Augmentation& augmentation,
                                  std::uint64_t epoch, std::span<std::uint8_t> to,
                                  Scratch& scratch) const {
  check_sample(position, to.size());
  Placement placement;
  if (goes_by_levels(augmentation)) {
    placement = make_levels(position, augmentation, epoch, scratch);
    std::ranges::transform(scratch.levels, to.begin(), rounded);
  } else if (images_.encoded()) {
    const Shape& shape = images_.shape;
    make_encoded(position, augmentation, stream_of(epoch, position), scratch,
                 [&](std::int64_t y, const float* row, bool mirrored) {
                   placement.mirrored = mirrored;
                   store_row(row, shape.width, shape.positions(), to.data() + y * shape.width);
                 });
  } else {
    placement = place(position, augmentation, epoch);
    placement.image = 0;
    std::ranges::copy(pixels_.subspan(static_cast<std::size_t>(position) * to.size(), to.size()),
                      to.begin());
  }
  return placement;
}

RandomStream SampleMaker::stream_of(std::uint64_t epoch, std::int64_t position) const {
  return stream_.at(stream_index(epoch, static_cast<std::uint64_t>(position)));
}

Placement SampleMaker::place(std::int64_t position, const Augmentation& augmentation,
                             std::uint64_t epoch) const {
  return draw_placement(position, stream_of(epoch, position), augmentation);
}

bool SampleMaker::goes_by_levels(const Augmentation& augmentation) const {
  return augmentation.colour_jitter > 0 || (augmentation.remakes() && !images_.encoded());
}

Placement SampleMaker::make_levels(std::int64_t position, const Augmentation& augmentation,
                                   std::uint64_t epoch, Scratch& scratch) const {
  const Shape& shape = images_.shape;
  const std::uint64_t index = stream_index(epoch, static_cast<std::uint64_t>(position));
  scratch.levels.resize(static_cast<std::size_t>(shape.elements()));
  Placement placement;
  if (images_.encoded()) {
    make_encoded(position, augmentation, stream_of(epoch, position), scratch,
                 [&](std::int64_t y, const float* row, bool mirrored) {
                   placement.mirrored = mirrored;
                   copy_row(row, shape.width, shape.positions(),
                            scratch.levels.data() + y * shape.width);
                 });
  } else {
    placement = place(position, augmentation, epoch);
    placement.image = 0;
    take_levels(position, augmentation, index, scratch);
  }
  if (augmentation.colour_jitter > 0) {
    jitter_colours(scratch.levels, augmentation.colour_jitter, jitter_stream_.at(index));
  }
  return placement;
}

void SampleMaker::take_levels(std::int64_t position, const Augmentation& augmentation,
                              std::uint64_t index, Scratch& scratch) const {
  const Shape& shape = images_.shape;
  const auto area = static_cast<std::size_t>(shape.positions());
  const std::span<const std::uint8_t> pixels =
      pixels_.subspan(static_cast<std::size_t>(position) * 3 * area, 3 * area);
  if (augmentation.resized_crop == 0) {
    std::ranges::copy(pixels, scratch.levels.begin());
    return;
  }
  scratch.image.width = shape.width;
  scratch.image.height = shape.height;
  scratch.image.pixels.resize(3 * area);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t p = 0; p < area; ++p) {
      scratch.image.pixels[3 * p + c] = pixels[c * area + p];
    }
  }
  RandomStream stream = crop_stream_.at(index);
  const Region part = random_part(shape.width, shape.height, augmentation.resized_crop, stream);
  resample(scratch.image, part, shape.width, shape.height, scratch.resample,
           [&](std::int64_t y, const float* row) {
             copy_row(row, shape.width, shape.positions(), scratch.levels.data() + y * shape.width);
           });
}

void SampleMaker::make_raw(const Placement& placement, float* to) const {
  const Shape& shape = images_.shape;
  const auto area = static_cast<std::size_t>(shape.positions());
  const std::uint8_t* from = pixels_.data() + placement.image * shape.elements();
  for (std::size_t c = 0; c < scale_.size(); ++c, from += area, to += area) {
    convert_plane(from, shape, placement, scale_[c], offset_[c], to);
  }
}

template <typename Take>
void SampleMaker::make_encoded(std::int64_t image, const Augmentation& augmentation,
                               RandomStream stream, Scratch& scratch, Take take) const {
  const Shape& shape = images_.shape;
  ImageDecoder decoder(encoded_image(images_, image, scratch.file), image_name(images_, image));
  const bool mirrored = stream.below(2) == 1 && augmentation.flip;
  const Region part =
      augmentation.resized_crop > 0
          ? random_part(decoder.width(), decoder.height(), augmentation.resized_crop, stream)
          : centre_part(decoder.width(), decoder.height());
  const Region decoded = decoder.decode(part, shape.width, shape.height, scratch.image);
  resample(scratch.image, decoded, shape.width, shape.height, scratch.resample,
           [&](std::int64_t y, const float* row) { take(y, row, mirrored); });
  if (scratch.image.width * scratch.image.height > kLargeImagePixels) {
    scratch.image = {};  // before another thread has its turn
  }
}

}  // namespace gcg
