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

/// Labelled images. Their content is in one of three places: raw pixels in `pixels`; raw pixels or
/// encoded files (JPEG, PNG) in `prepared`; or one encoded file per image in `files`.
struct ImageSet {
  Shape shape;  ///< of an image as the network sees it; encoded ones are scaled to it
  std::vector<std::uint8_t> pixels;  ///< [images][channels][height][width]
  std::vector<std::int32_t> labels;
  std::shared_ptr<const PreparedFile> prepared{};
  std::vector<std::filesystem::path> files{};

  [[nodiscard]] std::int64_t size() const { return std::ssize(labels); }
  [[nodiscard]] bool encoded() const;
  /// [images][channels][height][width]: pixels that are not encoded, wherever they are held.
  [[nodiscard]] std::span<const std::uint8_t> raw_pixels() const;
};

/// The bytes of an encoded image. `buffer` holds them if they have to be read from a file.
std::span<const std::byte> encoded_image(const ImageSet& images, std::int64_t image,
                                         std::vector<std::byte>& buffer);
/// The image's name in errors: its file, or its place in a prepared file.
std::string image_name(const ImageSet& images, std::int64_t image);

/// Mean and standard deviation of the pixels per channel, as values in [0, 1].
struct ChannelStatistics {
  std::vector<float> mean;
  std::vector<float> deviation;  ///< at least 1/255
};

/// A data set as a run uses it.
struct DataSet {
  std::string name;  ///< "procedural", "cifar10", ...
  std::int64_t classes = 0;
  ImageSet train;                          ///< all training images, before the validation split
  ImageSet test;                           ///< read once, at the end of a run
  std::string digest;                      ///< SHA-256 of the content of both, hexadecimal
  bool flip = true;                        ///< mirroring horizontally keeps the class
  std::int64_t crop_padding = 4;           ///< padding in pixels before random crops; 0: none
  bool resized_crop = false;               ///< encoded images: random resized crops in training
  std::vector<std::string> class_names{};  ///< by label; empty if the data set names none
  /// Files in its folder that are not among the images: "PATH: REASON".
  std::vector<std::string> passed_over{};
  /// Statistics that normalise the images, if not those of the training images.
  std::optional<ChannelStatistics> normalisation{};
};

/// The statistics of images that are not encoded.
ChannelStatistics channel_statistics(const ImageSet& images);

/// Statistics from the counts of the 256 values per channel: exact, whatever the order of counting.
ChannelStatistics statistics_of_counts(const std::vector<std::array<std::int64_t, 256>>& counts);

/// The statistics that normalise a data set's images.
ChannelStatistics normalisation(const DataSet& data);

/// SHA-256 over shape, pixels and labels of both sets, whose images must not be encoded.
std::string data_digest(const ImageSet& train, const ImageSet& test);

/// Throws an Error that names the classes without training images or without test images: accuracy
/// and chance level would be those of another number of classes.
void check_every_class(const std::string& where, const DataSet& data);

/// Throws an Error naming the image if sizes disagree or a label is outside of [0, classes).
void check_images(const std::string& where, const ImageSet& images, std::int64_t classes);

}  // namespace gcg
