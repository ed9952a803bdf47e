#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// Labelled images in memory: pixels [images][channels][height][width], one byte each.
struct ImageSet {
  Shape shape;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;

  [[nodiscard]] std::int64_t size() const { return std::ssize(labels); }
};

/// A data set as a run uses it.
struct DataSet {
  std::string name;  ///< "procedural", "cifar10", ...
  std::int64_t classes = 0;
  ImageSet train;                 ///< all training images, before the validation split
  ImageSet test;                  ///< read once, at the end
  std::string digest;             ///< SHA-256 over shapes, pixels and labels of both, hexadecimal
  bool flip = true;               ///< horizontal mirror images keep their class
  std::int64_t crop_padding = 4;  ///< pixels of the pad-and-crop augmentation; 0: none
};

/// Per channel mean and standard deviation of the pixels as values in [0, 1].
struct ChannelStatistics {
  std::vector<float> mean;
  std::vector<float> deviation;  ///< at least 1/255
};

ChannelStatistics channel_statistics(const ImageSet& images);

/// SHA-256 over shape, pixels and labels of both sets.
std::string data_digest(const ImageSet& train, const ImageSet& test);

/// Throws an Error naming the image if sizes disagree or a label is outside of [0, classes).
void check_images(const std::string& where, const ImageSet& images, std::int64_t classes);

}  // namespace gcg
