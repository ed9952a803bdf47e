#include "data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "data/prepared.h"

namespace gcg {

namespace {

static_assert(std::endian::native == std::endian::little, "digests are over little-endian labels");

void add_to_digest(std::string_view part, const ImageSet& images, Sha256& sha) {
  sha.update(fmt::format("{} {} {} {} {}\n", part, images.size(), images.shape.channels,
                         images.shape.height, images.shape.width));
  sha.update(std::as_bytes(images.raw_pixels()));
  sha.update(std::as_bytes(std::span(images.labels)));
}

}  // namespace

bool ImageSet::encoded() const { return !files.empty() || (prepared && prepared->encoded()); }

std::span<const std::uint8_t> ImageSet::raw_pixels() const {
  if (encoded()) {
    throw Error("raw_pixels", "the images are encoded");
  }
  if (prepared) {
    const std::span<const std::byte> bytes = prepared->all_images();
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  }
  return pixels;
}

std::span<const std::byte> encoded_image(const ImageSet& images, std::int64_t image,
                                         std::vector<std::byte>& buffer) {
  if (images.prepared) {
    return images.prepared->image(image);
  }
  buffer = read_file(images.files.at(static_cast<std::size_t>(image)));
  return buffer;
}

std::string image_name(const ImageSet& images, std::int64_t image) {
  if (images.prepared) {
    return fmt::format("{}, image {}", images.prepared->path().string(), image);
  }
  return images.files.empty() ? fmt::format("image {}", image)
                              : images.files.at(static_cast<std::size_t>(image)).string();
}

ChannelStatistics channel_statistics(const ImageSet& images) {
  if (images.labels.empty()) {
    throw Error("channel_statistics", "there are no images");
  }
  const auto channels = static_cast<std::size_t>(images.shape.channels);
  const auto positions = static_cast<std::size_t>(images.shape.positions());
  // Exact counts of the 256 values: the result does not depend on an order of summation.
  std::vector<std::array<std::int64_t, 256>> counts(channels);
  const std::uint8_t* pixel = images.raw_pixels().data();
  for (std::int64_t i = 0; i < images.size(); ++i) {
    for (std::array<std::int64_t, 256>& count : counts) {
      for (std::size_t p = 0; p < positions; ++p) {
        ++count[*pixel++];
      }
    }
  }
  return statistics_of_counts(counts);
}

ChannelStatistics statistics_of_counts(const std::vector<std::array<std::int64_t, 256>>& counts) {
  ChannelStatistics statistics;
  for (const std::array<std::int64_t, 256>& count : counts) {
    const auto total =
        static_cast<double>(std::accumulate(count.begin(), count.end(), std::int64_t{0}));
    double sum = 0;
    for (std::size_t value = 0; value < 256; ++value) {
      sum += static_cast<double>(count[value]) * static_cast<double>(value);
    }
    const double mean = sum / total;
    double squares = 0;
    for (std::size_t value = 0; value < 256; ++value) {
      const double difference = static_cast<double>(value) - mean;
      squares += static_cast<double>(count[value]) * difference * difference;
    }
    const double deviation = std::max(std::sqrt(squares / total), 1.0);
    statistics.mean.push_back(static_cast<float>(mean / 255));
    statistics.deviation.push_back(static_cast<float>(deviation / 255));
  }
  return statistics;
}

ChannelStatistics normalisation(const DataSet& data) {
  return data.normalisation ? *data.normalisation : channel_statistics(data.train);
}

std::string data_digest(const ImageSet& train, const ImageSet& test) {
  Sha256 sha;
  add_to_digest("train", train, sha);
  add_to_digest("test", test, sha);
  return hex(sha.finish());
}

void check_every_class(const std::string& where, const DataSet& data) {
  for (const auto& [part, images] : {std::pair{"training", &data.train}, {"test", &data.test}}) {
    std::vector<bool> occurs(static_cast<std::size_t>(data.classes), false);
    for (const std::int32_t label : images->labels) {
      occurs.at(static_cast<std::size_t>(label)) = true;
    }
    std::vector<std::string> missing;
    for (std::size_t c = 0; c < occurs.size(); ++c) {
      if (!occurs[c]) {
        missing.push_back(data.class_names.empty() ? std::to_string(c) : data.class_names.at(c));
      }
    }
    if (!missing.empty()) {
      const std::size_t named = std::min<std::size_t>(missing.size(), 10);
      throw Error(where,
                  fmt::format("{} of {} classes have no {} images: {}{}", missing.size(),
                              data.classes, part, fmt::join(std::span(missing).first(named), ", "),
                              named < missing.size() ? ", ..." : ""),
                  "every class needs images in both parts: complete the data set, or leave these "
                  "classes out of it");
    }
  }
}

void check_images(const std::string& where, const ImageSet& images, std::int64_t classes) {
  const Shape& shape = images.shape;
  if (shape.channels < 1 || shape.height < 1 || shape.width < 1) {
    throw Error(where, fmt::format("images of {}x{}x{} (channels, height, width)", shape.channels,
                                   shape.height, shape.width));
  }
  if (!images.encoded() && std::ssize(images.raw_pixels()) != images.size() * shape.elements()) {
    throw Error(where, fmt::format("{} labels of images of {} bytes, but {} bytes of pixels",
                                   images.size(), shape.elements(), images.raw_pixels().size()));
  }
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    if (images.labels[i] < 0 || images.labels[i] >= classes) {
      throw Error(where, fmt::format("image {} has label {}; there are {} classes", i,
                                     images.labels[i], classes));
    }
  }
}

}  // namespace gcg
