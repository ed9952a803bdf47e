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

/// What can be said about the images of one split.
struct SplitFacts {
  std::vector<std::int64_t> class_counts;
  ChannelStatistics statistics;  ///< over the pixels of all images, encoded ones at their full size
  std::int64_t duplicates = 0;   ///< images whose bytes an earlier image of the split has
};

/// What can be said about a data set.
struct DataFacts {
  SplitFacts train;
  SplitFacts test;
  /// Images of the test split whose bytes an image of the training split has: (train, test).
  std::vector<std::pair<std::int64_t, std::int64_t>> shared;
};

/// Looks at every image, on this many threads. Errors of images that cannot be decoded are thrown.
DataFacts examine(const DataSet& data, std::int64_t threads,
                  const std::function<void(std::int64_t done, std::int64_t all)>& progress);

/// What a manifest (data_scripts/manifests) says a data set must be; parts it leaves out are not
/// held against it.
struct ExpectedFacts {
  std::optional<std::vector<std::int64_t>> train_counts;  ///< by label
  std::optional<std::vector<std::int64_t>> test_counts;
  std::optional<ChannelStatistics> train_statistics;
};

/// Reads "train" and "test" ({"labels": [...]}) and "channels" ({"mean": [...], "deviation":
/// [...]}) of a manifest. Errors name the file and what is wrong.
ExpectedFacts read_expected(const std::filesystem::path& manifest);

/// One line for every deviation; statistics may deviate by half of the last of four digits.
std::vector<std::string> deviations(const DataFacts& facts, const ExpectedFacts& expected);

/// A sheet of training samples as the network sees them, drawn by the stream
/// "contact-sheet", a row for each of `rows` images: not augmented, then as in the epochs 1 to
/// columns - 1. Tiles are parted by a line of 2 pixels.
RgbImage contact_sheet(const DataSet& data, std::int64_t rows, std::int64_t columns,
                       std::uint64_t seed);

}  // namespace gcg
