#include "data/cifar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
#include "base/json.h"
#include "base/text.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr Shape kCifarShape{3, 32, 32};
constexpr std::int64_t kPixelBytes = 3072;
constexpr std::int64_t kCifar10FileRecords = 10'000;  // of every official file
constexpr std::int64_t kCifar100FileRecords = 50'000;
constexpr std::string_view kTestFile = "test_batch.bin";

/// A record is one label or two, then pixels.
struct Format {
  std::string_view name;
  std::string_view archive;
  std::array<std::int64_t, 2> classes;  ///< of every label; 0: there is none
  std::size_t label;                    ///< the one that counts

  [[nodiscard]] constexpr std::int64_t labels() const { return classes[1] == 0 ? 1 : 2; }
  [[nodiscard]] constexpr std::int64_t record_bytes() const { return labels() + kPixelBytes; }
  [[nodiscard]] std::string fetch_again() const {
    return fmt::format("the file is damaged or not a {} binary file: unpack {} again", name,
                       archive);
  }
  [[nodiscard]] std::string unpack_there() const {
    return fmt::format("unpack {} ({} binary version) there", archive, name);
  }
};

constexpr Format kCifar10{"CIFAR-10", "cifar-10-binary.tar.gz", {10, 0}, 0};
static_assert(kCifar10.record_bytes() == kCifarRecordBytes);

constexpr Format cifar100_format(Cifar100Labels labels) {
  return {
      "CIFAR-100", "cifar-100-binary.tar.gz", {20, 100}, labels == Cifar100Labels::fine ? 1U : 0U};
}

/// The whole file, its size known to be sound before memory is taken for it.
std::vector<std::byte> read_records(const fs::path& path, const Format& format,
                                    std::int64_t max_records) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    throw Error(path.string(), "there is no such file", format.unpack_there());
  }
  const std::int64_t record_bytes = format.record_bytes();
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path));
  if (bytes == 0) {
    throw Error(path.string(), "byte 0: the file is empty", format.fetch_again());
  }
  if (max_records > 0 && bytes > max_records * record_bytes) {
    throw Error(path.string(),
                fmt::format("byte {}: the file continues after {} records, it has {} bytes",
                            max_records * record_bytes, max_records, bytes),
                format.fetch_again());
  }
  if (bytes % record_bytes != 0) {
    throw Error(path.string(),
                fmt::format("byte {}: the last record has {} of {} bytes",
                            bytes - bytes % record_bytes, bytes % record_bytes, record_bytes),
                format.fetch_again());
  }
  std::vector<std::byte> content = read_file(path);
  if (std::ssize(content) != bytes) {
    throw Error(path.string(),
                fmt::format("{} bytes read of {}: the file changed while it was read",
                            content.size(), bytes));
  }
  return content;
}

void append_records(const fs::path& path, const Format& format, std::span<const std::byte> content,
                    ImageSet& images) {
  if (images.labels.empty()) {
    images.shape = kCifarShape;
  } else if (images.shape != kCifarShape) {
    throw Error(path.string(), "records of 3x32x32 cannot be appended to images of another shape");
  }
  const auto labels = static_cast<std::size_t>(format.labels());
  const auto record_bytes = static_cast<std::size_t>(format.record_bytes());
  const std::size_t records = content.size() / record_bytes;
  for (std::size_t i = 0; i < records; ++i) {
    for (std::size_t l = 0; l < labels; ++l) {
      const std::size_t at = i * record_bytes + l;
      const auto label = std::to_integer<std::int64_t>(content[at]);
      if (label >= format.classes.at(l)) {
        throw Error(path.string(),
                    fmt::format("byte {}: record {} has label {}, above {}", at, i, label,
                                format.classes.at(l) - 1),
                    format.fetch_again());
      }
    }
  }
  const std::size_t before = images.labels.size();
  images.labels.resize(before + records);
  images.pixels.resize((before + records) * kPixelBytes);
  for (std::size_t i = 0; i < records; ++i) {
    const std::byte* record = content.data() + i * record_bytes;
    images.labels[before + i] = std::to_integer<std::int32_t>(record[format.label]);
    std::memcpy(images.pixels.data() + (before + i) * kPixelBytes, record + labels, kPixelBytes);
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

/// An Error that names a file which would be left out because of its name: data_batch_01.bin,
/// data_batch_6.BIN, data_batch_6 (1).bin.
void refuse_misnamed_batches(const fs::path& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("data_batch") && !batch_number(name)) {
      throw Error(entry.path().string(), "it would be left out: its name is not data_batch_N.bin",
                  "rename it, or move it elsewhere");
    }
  }
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
    const nlohmann::json json = parse_json(text, path.string(), remedy);
    for (const auto& [name, entry] : json.at("files").items()) {
      manifest[name] = {
          json_integer(entry.at("records"), path.string(), name + ": records", remedy),
          entry.at("sha256").get<std::string>(), false};
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error(path.string(), error.what(), remedy);
  }
  return manifest;
}

void check_entry(const fs::path& path, std::int64_t records, std::span<const std::byte> content,
                 Manifest& manifest) {
  const auto found = manifest.find(path.filename().string());
  constexpr std::string_view remedy = "fetch the files and manifest.json again";
  if (found == manifest.end()) {
    throw Error(path.string(), "manifest.json does not list the file", remedy);
  }
  found->second.read = true;
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

/// The files of one folder, held against its manifest if there is one.
class CheckedFolder {
 public:
  /// `place` has the data files; the manifest is there or in `folder`.
  CheckedFolder(const Format& format, const fs::path& place, const fs::path& folder)
      : format_(format), place_(place) {
    for (const fs::path& path : {place / "manifest.json", folder / "manifest.json"}) {
      if (!manifest_ && fs::exists(path)) {
        manifest_ = read_manifest(path);
      }
    }
  }

  /// The official limit of records; a manifest states its own.
  void append(const std::string& name, std::int64_t max_records, ImageSet& images) {
    const fs::path path = place_ / name;
    const std::vector<std::byte> content = read_records(path, format_, manifest_ ? 0 : max_records);
    if (manifest_) {
      check_entry(path, std::ssize(content) / format_.record_bytes(), content, *manifest_);
    }
    append_records(path, format_, content, images);
  }

  void check_all_read() const {
    if (!manifest_) {
      return;
    }
    for (const auto& [name, entry] : *manifest_) {
      if (!entry.read) {
        throw Error((place_ / name).string(), "manifest.json lists the file, but it is not there",
                    "fetch the files and manifest.json again");
      }
    }
  }

 private:
  const Format& format_;
  fs::path place_;
  std::optional<Manifest> manifest_;
};

/// The names of the classes, a line each, if the archive's list of them is there.
std::vector<std::string> class_names(const fs::path& path, std::int64_t classes) {
  if (std::error_code error; !fs::exists(path, error)) {
    return {};
  }
  const std::string text = read_text(path);
  std::vector<std::string> names;
  for (const std::string_view line : lines_of(text)) {
    if (const std::string_view name = trimmed(line); !name.empty()) {
      names.emplace_back(name);
    }
  }
  if (std::ssize(names) != classes) {
    throw Error(path.string(), fmt::format("it lists {} classes, not {}", names.size(), classes),
                "unpack the archive again, or remove the file: the classes then have numbers only");
  }
  return names;
}

/// The folder itself or the one of the official archive in it.
fs::path cifar10_place(const fs::path& folder) {
  return batch_numbers(folder).empty() ? folder / "cifar-10-batches-bin" : folder;
}

fs::path cifar100_place(const fs::path& folder) {
  return fs::exists(folder / "train.bin") ? folder : folder / "cifar-100-binary";
}

constexpr std::string_view class_list_name(Cifar100Labels labels) {
  return labels == Cifar100Labels::fine ? "fine_label_names.txt" : "coarse_label_names.txt";
}

/// Those of the files that are there.
std::vector<fs::path> existing(std::vector<fs::path> files) {
  std::erase_if(files, [](const fs::path& file) {
    std::error_code error;
    return !fs::exists(file, error);
  });
  return files;
}

}  // namespace

void append_cifar10_file(const fs::path& path, ImageSet& images, std::int64_t max_records) {
  append_records(path, kCifar10, read_records(path, kCifar10, max_records), images);
}

DataSet read_cifar10(const fs::path& folder) {
  const fs::path place = cifar10_place(folder);
  const std::vector<int> numbers = batch_numbers(place);
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

  refuse_misnamed_batches(place);
  CheckedFolder files(kCifar10, place, folder);
  DataSet data;
  data.name = "cifar10";
  data.classes = kCifar10.classes[0];
  data.class_names = class_names(place / "batches.meta.txt", data.classes);
  for (const int number : numbers) {
    files.append(fmt::format("data_batch_{}.bin", number), kCifar10FileRecords, data.train);
  }
  files.append(std::string(kTestFile), kCifar10FileRecords, data.test);
  files.check_all_read();
  data.digest = data_digest(data.train, data.test);
  return data;
}

std::vector<fs::path> cifar10_files(const fs::path& folder) {
  const fs::path place = cifar10_place(folder);
  std::vector<fs::path> files{place / kTestFile, place / "batches.meta.txt",
                              place / "manifest.json"};
  for (const int number : batch_numbers(place)) {
    files.push_back(place / fmt::format("data_batch_{}.bin", number));
  }
  if (place != folder) {
    files.push_back(folder / "manifest.json");
  }
  return existing(std::move(files));
}

std::vector<fs::path> cifar100_files(const fs::path& folder, Cifar100Labels labels) {
  const fs::path place = cifar100_place(folder);
  std::vector<fs::path> files{place / "train.bin", place / "test.bin",
                              place / class_list_name(labels), place / "manifest.json"};
  if (place != folder) {
    files.push_back(folder / "manifest.json");
  }
  return existing(std::move(files));
}

DataSet read_cifar100(const fs::path& folder, Cifar100Labels labels) {
  const fs::path place = cifar100_place(folder);
  if (!fs::exists(place / "train.bin")) {
    throw Error(folder.string(), "neither it nor its subfolder cifar-100-binary has train.bin",
                "unpack cifar-100-binary.tar.gz (CIFAR-100 binary version) there");
  }
  const Format format = cifar100_format(labels);
  CheckedFolder files(format, place, folder);
  DataSet data;
  data.name = "cifar100";
  data.classes = format.classes.at(format.label);
  data.class_names = class_names(place / class_list_name(labels), data.classes);
  files.append("train.bin", kCifar100FileRecords, data.train);
  files.append("test.bin", kCifar100FileRecords, data.test);
  files.check_all_read();
  data.digest = data_digest(data.train, data.test);
  return data;
}

}  // namespace gcg
