#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/network.h"

namespace gcg {

class PreparedFile;

/// Labelled images. Their content is in one of three places: raw pixels in `pixels`, raw pixels or
/// encoded files (JPEG, PNG) in `prepared`, or one encoded file each in `files`.
struct ImageSet {
  Shape shape;  ///< of an image as the network sees it: encoded ones are scaled to it
  std::vector<std::uint8_t> pixels;  ///< [images][channels][height][width]
  std::vector<std::int32_t> labels;
  std::shared_ptr<const PreparedFile> prepared{};
  std::vector<std::filesystem::path> files{};

  [[nodiscard]] std::int64_t size() const { return std::ssize(labels); }
  [[nodiscard]] bool encoded() const;
  /// [images][channels][height][width] of images that are not encoded, wherever they lie.
  [[nodiscard]] std::span<const std::uint8_t> raw_pixels() const;
};

/// The bytes of an encoded image; `buffer` holds them if they have to be read from a file.
std::span<const std::byte> encoded_image(const ImageSet& images, std::int64_t image,
                                         std::vector<std::byte>& buffer);
/// What errors call the image: its file, or its place in a prepared one.
std::string image_name(const ImageSet& images, std::int64_t image);

/// Per channel mean and standard deviation of the pixels as values in [0, 1].
struct ChannelStatistics {
  std::vector<float> mean;
  std::vector<float> deviation;  ///< at least 1/255
};

/// A data set as a run uses it.
struct DataSet {
  std::string name;  ///< "procedural", "cifar10", ...
  std::int64_t classes = 0;
  ImageSet train;                          ///< all training images, before the validation split
  ImageSet test;                           ///< read once, at the end
  std::string digest;                      ///< SHA-256 over the content of both, hexadecimal
  bool flip = true;                        ///< horizontal mirror images keep their class
  std::int64_t crop_padding = 4;           ///< pixels of the pad-and-crop augmentation; 0: none
  bool resized_crop = false;               ///< encoded images: random-resized crops in training
  std::vector<std::string> class_names{};  ///< by label; empty where the set does not say
  /// What its folder holds beside the images that were taken: "PATH: REASON".
  std::vector<std::string> passed_over{};
  /// What images are normalised by, if not by the statistics of the training images.
  std::optional<ChannelStatistics> normalisation{};
};

/// Of images that are not encoded.
ChannelStatistics channel_statistics(const ImageSet& images);

/// From counts of the 256 values by channel: exact, whatever the order they were counted in.
ChannelStatistics statistics_of_counts(const std::vector<std::array<std::int64_t, 256>>& counts);

/// What a data set's images are normalised by.
ChannelStatistics normalisation(const DataSet& data);

/// SHA-256 over shape, pixels and labels of both sets, which are not encoded.
std::string data_digest(const ImageSet& train, const ImageSet& test);

/// Throws an Error that names the classes without training images, or without test images: chance
/// and accuracy would be those of another number of classes.
void check_every_class(const std::string& where, const DataSet& data);

/// Throws an Error naming the image if sizes disagree or a label is outside of [0, classes).
void check_images(const std::string& where, const ImageSet& images, std::int64_t classes);

}  // namespace gcg
