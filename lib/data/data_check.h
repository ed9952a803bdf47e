#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "data/image.h"

namespace gcg {

/// Facts about the images of one split.
struct SplitFacts {
  std::vector<std::int64_t> class_counts;
  ChannelStatistics statistics;  ///< over all images' pixels; encoded ones at full size
  std::int64_t duplicates = 0;   ///< images with the same bytes as an earlier image of the split
};

/// Facts about a data set.
struct DataFacts {
  SplitFacts train;
  SplitFacts test;
  /// Test images with the same bytes as a training image: pairs (training image, test image).
  std::vector<std::pair<std::int64_t, std::int64_t>> shared;
};

/// Looks at every image, on `threads` threads. Errors: an image cannot be decoded.
DataFacts examine(const DataSet& data, std::int64_t threads,
                  const std::function<void(std::int64_t done, std::int64_t all)>& progress);

/// What a manifest (data_scripts/manifests) says that a data set must be. What it leaves out is not
/// checked.
struct ExpectedFacts {
  std::optional<std::vector<std::int64_t>> train_counts;  ///< by label
  std::optional<std::vector<std::int64_t>> test_counts;
  std::optional<ChannelStatistics> train_statistics;
};

/// Reads "train" and "test" ({"labels": [...]}) and "channels" ({"mean": [...], "deviation":
/// [...]}) of a manifest. Errors name the file and what is wrong.
ExpectedFacts read_expected(const std::filesystem::path& manifest);

/// One line per deviation. Statistics may deviate by half a unit of the fourth decimal.
std::vector<std::string> deviations(const DataFacts& facts, const ExpectedFacts& expected);

/// A sheet of training samples as the network sees them. Each of the `rows` rows shows one image,
/// drawn by the stream "contact-sheet": first without augmentation, then as in epochs 1 to columns
/// - 1. A line of 2 pixels separates the tiles.
RgbImage contact_sheet(const DataSet& data, std::int64_t rows, std::int64_t columns,
                       std::uint64_t seed);

}  // namespace gcg
