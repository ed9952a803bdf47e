#include "data/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMostPixels = 65'536;  // of a row or a column
constexpr std::string_view kFetchAgain =
    "the file is damaged or of another kind: fetch it again and unpack it with gunzip";

/// A file of unsigned bytes behind a header of 4-byte big-endian numbers: magic, then the sizes.
struct IdxFile {
  std::vector<std::byte> content;
  std::vector<std::uint64_t> sizes;

  [[nodiscard]] std::span<const std::byte> values() const {
    return std::span(content).subspan(4 + 4 * sizes.size());
  }
};

std::uint64_t big_endian(const std::byte* from) {
  std::uint64_t value = 0;
  for (int i = 0; i < 4; ++i) {
    value = value << 8 | std::to_integer<std::uint64_t>(from[i]);
  }
  return value;
}

/// The last byte of the magic is the number of dimensions, the one before it says unsigned bytes.
IdxFile read_idx_file(const fs::path& path, std::size_t dimensions) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    throw Error(path.string(), "there is no such file", "check the path");
  }
  IdxFile file{read_file(path), {}};
  const std::vector<std::byte>& content = file.content;
  const std::size_t header = 4 + 4 * dimensions;
  if (content.size() < header) {
    throw Error(
        path.string(),
        fmt::format("byte {}: the file ends within the header of {} bytes", content.size(), header),
        kFetchAgain);
  }
  const std::uint64_t expected = 0x0800 + dimensions;
  if (const std::uint64_t magic = big_endian(content.data()); magic != expected) {
    throw Error(path.string(),
                fmt::format("byte 0: the magic number is 0x{:08x}, not 0x{:08x}", magic, expected),
                kFetchAgain);
  }
  // 2^32 images of 2^16 x 2^16 pixels still fit 64 bits: no product overflows.
  std::uint64_t values = 1;
  for (std::size_t d = 0; d < dimensions; ++d) {
    const std::size_t at = 4 + 4 * d;
    const std::uint64_t size = big_endian(content.data() + at);
    if (size == 0 || (d > 0 && size > kMostPixels)) {
      throw Error(path.string(), fmt::format("byte {}: dimension {} is {}", at, d, size),
                  kFetchAgain);
    }
    values *= size;
    file.sizes.push_back(size);
  }
  if (content.size() - header != values) {
    throw Error(path.string(),
                fmt::format("byte {}: the header promises {} bytes from here, the file has {}",
                            header, values, content.size() - header),
                kFetchAgain);
  }
  return file;
}

/// The one file of the folder that has one of these names.
fs::path find_file(const fs::path& folder, std::span<const std::string> names) {
  std::vector<fs::path> found;
  for (const std::string& name : names) {
    std::error_code error;
    if (fs::is_regular_file(folder / name, error)) {
      found.push_back(folder / name);
    }
  }
  if (found.empty()) {
    throw Error(folder.string(), fmt::format("it has none of the files {}", fmt::join(names, ", ")),
                "put the four IDX files (MNIST's names) there, unpacked with gunzip");
  }
  if (found.size() > 1) {
    throw Error(folder.string(),
                fmt::format("both {} and {} exist", found[0].filename().string(),
                            found[1].filename().string()),
                "keep only one of them");
  }
  return found.front();
}

/// The image file and the label file of a part.
struct PartFiles {
  fs::path images;
  fs::path labels;
};

PartFiles find_part(const fs::path& folder, std::span<const std::string_view> parts) {
  std::vector<std::string> images;
  std::vector<std::string> labels;
  for (const std::string_view part : parts) {
    for (const char separator : {'-', '.'}) {
      images.push_back(fmt::format("{}-images{}idx3-ubyte", part, separator));
      labels.push_back(fmt::format("{}-labels{}idx1-ubyte", part, separator));
    }
  }
  return {find_file(folder, images), find_file(folder, labels)};
}

PartFiles train_part(const fs::path& folder) {
  constexpr std::array<std::string_view, 1> names{"train"};
  return find_part(folder, names);
}

PartFiles test_part(const fs::path& folder) {
  constexpr std::array<std::string_view, 2> names{"t10k", "test"};
  return find_part(folder, names);
}

/// The labels that occur, ascending.
std::vector<std::int32_t> labels_of(const ImageSet& images) {
  std::vector<std::int32_t> labels = images.labels;
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

/// "3 labels from 1 to 10".
std::string description(const std::vector<std::int32_t>& labels) {
  return fmt::format("{} labels from {} to {}", labels.size(), labels.front(), labels.back());
}

/// Both parts have the same labels; where they are taken as classes, they are 0, 1, ...
void check_labels(const PartFiles& train_files, const std::vector<std::int32_t>& train,
                  const PartFiles& test_files, const std::vector<std::int32_t>& test,
                  IdxLabels meaning) {
  const auto only_in = [](const std::vector<std::int32_t>& some,
                          const std::vector<std::int32_t>& others) {
    std::vector<std::int32_t> found;
    std::set_difference(some.begin(), some.end(), others.begin(), others.end(),
                        std::back_inserter(found));
    return found;
  };
  constexpr std::string_view same_labels =
      "take both parts from the same data set: every class needs images in both";
  if (const auto more = only_in(test, train); !more.empty()) {
    throw Error(
        test_files.labels.string(),
        fmt::format("test images have label {}, but no training image has it", more.front()),
        same_labels);
  }
  if (const auto more = only_in(train, test); !more.empty()) {
    throw Error(
        test_files.labels.string(),
        fmt::format("no test image has label {}, but training images have it", more.front()),
        same_labels);
  }
  if (train.size() < 2) {
    throw Error(train_files.labels.string(),
                fmt::format("every label is {}: there is nothing to tell apart", train.front()),
                "check the label files");
  }
  if (meaning == IdxLabels::classes && train.back() != std::ssize(train) - 1) {
    std::int32_t missing = 0;
    while (train[static_cast<std::size_t>(missing)] == missing) {
      ++missing;
    }
    throw Error(train_files.labels.string(),
                fmt::format("{}, but no image has label {}", description(train), missing),
                "--idx-labels consecutive takes the labels that occur as the classes 0, 1, ... "
                "(gcg_data_prepare: --data idx-consecutive)");
  }
}

void number_consecutively(const std::vector<std::int32_t>& labels, ImageSet& images) {
  for (std::int32_t& label : images.labels) {
    label = static_cast<std::int32_t>(std::lower_bound(labels.begin(), labels.end(), label) -
                                      labels.begin());
  }
}

}  // namespace

ImageSet read_idx(const fs::path& images, const fs::path& labels) {
  const IdxFile image_file = read_idx_file(images, 3);
  const IdxFile label_file = read_idx_file(labels, 1);
  if (image_file.sizes[0] != label_file.sizes[0]) {
    throw Error(labels.string(),
                fmt::format("byte 4: {} labels for the {} images of {}", label_file.sizes[0],
                            image_file.sizes[0], images.string()),
                "take both files from the same data set");
  }
  ImageSet set;
  set.shape = {1, static_cast<std::int64_t>(image_file.sizes[1]),
               static_cast<std::int64_t>(image_file.sizes[2])};
  const std::span<const std::byte> pixels = image_file.values();
  set.pixels.resize(pixels.size());
  std::memcpy(set.pixels.data(), pixels.data(), pixels.size());
  set.labels.reserve(label_file.values().size());
  for (const std::byte label : label_file.values()) {
    set.labels.push_back(std::to_integer<std::int32_t>(label));
  }
  return set;
}

DataSet read_idx_folder(const fs::path& folder, const std::string& name, IdxLabels meaning) {
  const PartFiles train_files = train_part(folder);
  const PartFiles test_files = test_part(folder);
  DataSet data;
  data.name = name;
  data.train = read_idx(train_files.images, train_files.labels);
  data.test = read_idx(test_files.images, test_files.labels);
  if (data.train.shape != data.test.shape) {
    throw Error(
        folder.string(),
        fmt::format("training images of {}x{}, but test images of {}x{}", data.train.shape.height,
                    data.train.shape.width, data.test.shape.height, data.test.shape.width),
        "take all four files from the same data set");
  }
  const std::vector<std::int32_t> labels = labels_of(data.train);
  check_labels(train_files, labels, test_files, labels_of(data.test), meaning);
  if (meaning == IdxLabels::consecutive) {
    for (const std::int32_t label : labels) {
      data.class_names.push_back(std::to_string(label));
    }
    number_consecutively(labels, data.train);
    number_consecutively(labels, data.test);
  }
  data.classes = std::ssize(labels);
  data.digest = data_digest(data.train, data.test);
  use_idx_conventions(data);
  return data;
}

std::vector<fs::path> idx_files(const fs::path& folder) {
  const PartFiles train = train_part(folder);
  const PartFiles test = test_part(folder);
  return {train.images, train.labels, test.images, test.labels};
}

void use_idx_conventions(DataSet& data) {
  data.flip = false;
  data.crop_padding = std::min(data.train.shape.height, data.train.shape.width) >= 20 ? 2 : 1;
}

}  // namespace gcg
