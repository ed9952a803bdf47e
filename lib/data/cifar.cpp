#include "data/cifar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr Shape kCifarShape{3, 32, 32};
constexpr std::int64_t kCifarClasses = 10;
constexpr std::int64_t kCifarFileRecords = 10'000;  // of every official file
constexpr std::string_view kTestFile = "test_batch.bin";
constexpr std::string_view kFetchAgain =
    "the file is damaged or no CIFAR-10 binary file: unpack cifar-10-binary.tar.gz again";

/// The whole file, its size known to be sound before memory is taken for it.
std::vector<std::byte> read_records(const fs::path& path, std::int64_t max_records) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    throw Error(path.string(), "there is no such file",
                "unpack cifar-10-binary.tar.gz (CIFAR-10 binary version) there");
  }
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path));
  if (bytes == 0) {
    throw Error(path.string(), "byte 0: the file is empty", kFetchAgain);
  }
  if (max_records > 0 && bytes > max_records * kCifarRecordBytes) {
    throw Error(path.string(),
                fmt::format("byte {}: the file goes on after {} records, it has {} bytes",
                            max_records * kCifarRecordBytes, max_records, bytes),
                kFetchAgain);
  }
  if (bytes % kCifarRecordBytes != 0) {
    throw Error(path.string(),
                fmt::format("byte {}: the last record has {} of {} bytes",
                            bytes - bytes % kCifarRecordBytes, bytes % kCifarRecordBytes,
                            kCifarRecordBytes),
                kFetchAgain);
  }
  std::vector<std::byte> content = read_file(path);
  if (std::ssize(content) != bytes) {
    throw Error(path.string(), fmt::format("{} bytes read of {}: the file changes while it is read",
                                           content.size(), bytes));
  }
  return content;
}

void append_records(const fs::path& path, std::span<const std::byte> content, ImageSet& images) {
  if (images.labels.empty()) {
    images.shape = kCifarShape;
  } else if (images.shape != kCifarShape) {
    throw Error(path.string(), "records of 3x32x32 cannot be appended to images of another shape");
  }
  constexpr auto record_bytes = static_cast<std::size_t>(kCifarRecordBytes);
  for (std::size_t at = 0; at < content.size(); at += record_bytes) {
    if (const int label = std::to_integer<int>(content[at]); label >= kCifarClasses) {
      throw Error(
          path.string(),
          fmt::format("byte {}: record {} has label {}, above 9", at, at / record_bytes, label),
          kFetchAgain);
    }
  }
  const std::size_t records = content.size() / record_bytes;
  const std::size_t before = images.labels.size();
  images.labels.resize(before + records);
  images.pixels.resize((before + records) * (record_bytes - 1));
  for (std::size_t i = 0; i < records; ++i) {
    const std::byte* record = content.data() + i * record_bytes;
    images.labels[before + i] = std::to_integer<std::int32_t>(*record);
    std::memcpy(images.pixels.data() + (before + i) * (record_bytes - 1), record + 1,
                record_bytes - 1);
  }
}

/// N of "data_batch_N.bin".
std::optional<int> batch_number(const std::string& name) {
  constexpr std::string_view prefix = "data_batch_";
  constexpr std::string_view suffix = ".bin";
  if (!name.starts_with(prefix) || !name.ends_with(suffix) ||
      name.size() <= prefix.size() + suffix.size()) {
    return std::nullopt;
  }
  int number = 0;
  const char* first = name.data() + prefix.size();
  const char* last = name.data() + name.size() - suffix.size();
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc() || end != last || number < 1 || *first == '0') {
    return std::nullopt;
  }
  return number;
}

/// Numbers of the training files of a folder, ascending.
std::vector<int> batch_numbers(const fs::path& folder) {
  std::vector<int> numbers;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (const auto number = batch_number(entry.path().filename().string())) {
      numbers.push_back(*number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

struct ManifestEntry {
  std::int64_t records = 0;
  std::string sha256;
  bool read = false;
};

using Manifest = std::map<std::string, ManifestEntry>;

Manifest read_manifest(const fs::path& path) {
  const std::vector<std::byte> content = read_file(path);
  const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  constexpr std::string_view remedy =
      R"(it must read {"files": {"NAME": {"records": N, "sha256": "HEX"}}}; without it nothing is checked)";
  Manifest manifest;
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    for (const auto& [name, entry] : json.at("files").items()) {
      manifest[name] = {entry.at("records").get<std::int64_t>(),
                        entry.at("sha256").get<std::string>(), false};
    }
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(path.string(), fmt::format("byte {}: no JSON: {}", error.byte, error.what()),
                remedy);
  } catch (const nlohmann::json::exception& error) {
    throw Error(path.string(), error.what(), remedy);
  }
  return manifest;
}

void check_entry(const fs::path& path, std::span<const std::byte> content, Manifest& manifest) {
  const auto found = manifest.find(path.filename().string());
  constexpr std::string_view remedy = "fetch the files and manifest.json again";
  if (found == manifest.end()) {
    throw Error(path.string(), "manifest.json does not list the file", remedy);
  }
  found->second.read = true;
  const std::int64_t records = std::ssize(content) / kCifarRecordBytes;
  if (records != found->second.records) {
    throw Error(
        path.string(),
        fmt::format("{} records, but manifest.json says {}", records, found->second.records),
        remedy);
  }
  if (const std::string digest = hex(sha256(content)); digest != found->second.sha256) {
    throw Error(
        path.string(),
        fmt::format("SHA-256 is {}, but manifest.json says {}", digest, found->second.sha256),
        remedy);
  }
}

}  // namespace

void append_cifar10_file(const fs::path& path, ImageSet& images, std::int64_t max_records) {
  append_records(path, read_records(path, max_records), images);
}

DataSet read_cifar10(const fs::path& folder) {
  fs::path place = folder;
  std::vector<int> numbers = batch_numbers(place);
  if (numbers.empty()) {
    place = folder / "cifar-10-batches-bin";
    numbers = batch_numbers(place);
  }
  if (numbers.empty()) {
    throw Error(folder.string(),
                "neither it nor its subfolder cifar-10-batches-bin has data_batch_1.bin",
                "unpack cifar-10-binary.tar.gz (CIFAR-10 binary version) there");
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (const int expected = static_cast<int>(i) + 1; numbers[i] != expected) {
      throw Error((place / fmt::format("data_batch_{}.bin", expected)).string(),
                  fmt::format("there is no such file, but there is data_batch_{}.bin", numbers[i]),
                  "unpack cifar-10-binary.tar.gz again");
    }
  }

  std::optional<Manifest> manifest;
  for (const fs::path& path : {place / "manifest.json", folder / "manifest.json"}) {
    if (!manifest && fs::exists(path)) {
      manifest = read_manifest(path);
    }
  }
  const auto append = [&](const fs::path& path, ImageSet& images) {
    // The official limit of records; a manifest states its own.
    const std::vector<std::byte> content = read_records(path, manifest ? 0 : kCifarFileRecords);
    if (manifest) {
      check_entry(path, content, *manifest);
    }
    append_records(path, content, images);
  };

  DataSet data;
  data.name = "cifar10";
  data.classes = kCifarClasses;
  for (const int number : numbers) {
    append(place / fmt::format("data_batch_{}.bin", number), data.train);
  }
  append(place / kTestFile, data.test);
  if (manifest) {
    for (const auto& [name, entry] : *manifest) {
      if (!entry.read) {
        throw Error((place / name).string(), "manifest.json lists the file, but it is not there",
                    "fetch the files and manifest.json again");
      }
    }
  }
  data.digest = data_digest(data.train, data.test);
  return data;
}

void write_cifar10_file(const fs::path& path, const ImageSet& images) {
  if (images.shape != kCifarShape) {
    throw Error(path.string(),
                fmt::format("the format holds images of 3x32x32, not {}x{}x{}",
                            images.shape.channels, images.shape.height, images.shape.width));
  }
  check_images(path.string(), images, kCifarClasses);
  constexpr auto record_bytes = static_cast<std::size_t>(kCifarRecordBytes);
  std::vector<std::byte> content(images.labels.size() * record_bytes);
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    std::byte* record = content.data() + i * record_bytes;
    *record = static_cast<std::byte>(images.labels[i]);
    std::memcpy(record + 1, images.pixels.data() + i * (record_bytes - 1), record_bytes - 1);
  }
  write_file_atomically(path, content);
}

}  // namespace gcg
