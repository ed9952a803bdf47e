#include "data/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/folder_scan.h"
#include "data/image.h"
#include "data/parallel.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kUnpackAgain = "unpack the archive again";

/// Without the blank lines at the end.
std::vector<std::string_view> lines_before_the_end(std::string_view text) {
  std::vector<std::string_view> lines = lines_of(text);
  while (!lines.empty() && trimmed(lines.back()).empty()) {
    lines.pop_back();
  }
  return lines;
}

std::optional<std::int32_t> label_of(const std::vector<std::string>& classes,
                                     std::string_view name) {
  const auto found = std::lower_bound(classes.begin(), classes.end(), name);
  if (found == classes.end() || *found != name) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(found - classes.begin());
}

void append_class(FolderScan& scan, const fs::path& folder, std::int32_t label, ImageList& list) {
  const std::vector<fs::path> files = scan.images(folder);
  if (files.empty()) {
    scan.check();  // stray images say more
    throw Error(folder.string(), "there are no images in the folder of this class",
                "put its images there, or remove the folder from train and val");
  }
  list.files.insert(list.files.end(), files.begin(), files.end());
  list.labels.resize(list.files.size(), label);
}

std::vector<std::string> read_wnids(const fs::path& path) {
  const std::string text = read_text(path);
  std::vector<std::string> classes;
  for (const std::string_view line : lines_before_the_end(text)) {
    classes.emplace_back(trimmed(line));
  }
  if (const auto blank = std::find(classes.begin(), classes.end(), ""); blank != classes.end()) {
    throw Error(path.string(), fmt::format("line {}: it is blank", blank - classes.begin() + 1),
                kUnpackAgain);
  }
  std::sort(classes.begin(), classes.end());
  if (classes.size() < 2) {
    throw Error(path.string(), fmt::format("it lists {} classes", classes.size()), kUnpackAgain);
  }
  if (const auto twice = std::adjacent_find(classes.begin(), classes.end());
      twice != classes.end()) {
    throw Error(path.string(), fmt::format("it lists class '{}' twice", *twice), kUnpackAgain);
  }
  return classes;
}

ImageList read_annotations(FolderScan& scan, const fs::path& folder,
                           const std::vector<std::string>& classes) {
  const fs::path path = folder / "val_annotations.txt";
  const std::string text = read_text(path);
  const std::vector<std::string_view> lines = lines_before_the_end(text);
  std::map<std::string, std::int32_t> labels;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto fail = [&](const std::string& problem) {
      throw Error(path.string(), fmt::format("line {}: {}", i + 1, problem), kUnpackAgain);
    };
    const std::size_t first = lines[i].find('\t');
    const std::size_t second =
        first == std::string_view::npos ? first : lines[i].find('\t', first + 1);
    if (second == std::string_view::npos) {
      fail("it has fewer than three columns");
    }
    const std::string_view file = lines[i].substr(0, first);
    const std::string_view name = lines[i].substr(first + 1, second - first - 1);
    const std::optional<std::int32_t> label = label_of(classes, name);
    if (!label) {
      fail(fmt::format("there is no class '{}'", name));
    }
    if (!labels.emplace(file, *label).second) {
      fail(fmt::format("file {} is annotated twice", file));
    }
  }

  ImageList list;
  scan.beside(folder, {"images", "val_annotations.txt"});
  for (const fs::path& file : scan.images(folder / "images")) {
    const auto found = labels.find(file.filename().string());
    if (found == labels.end()) {
      throw Error(file.string(), "val_annotations.txt does not name the file", kUnpackAgain);
    }
    list.files.push_back(file);
    list.labels.push_back(found->second);
    labels.erase(found);
  }
  if (!labels.empty()) {
    scan.check();  // stray images say more
    throw Error(
        path.string(),
        fmt::format("it names {}, but there is no such file in images", labels.begin()->first),
        kUnpackAgain);
  }
  if (list.files.empty()) {
    throw Error((folder / "images").string(), "there are no images", kUnpackAgain);
  }
  return list;
}

}  // namespace

ImageLists list_image_folder(const fs::path& folder, Stray stray) {
  for (const char* part : {"train", "val"}) {
    std::error_code error;
    if (!fs::is_directory(folder / part, error)) {
      throw Error((folder / part).string(), "there is no such folder",
                  "the data folder must have train/CLASS/FILE.JPEG and val/CLASS/FILE.JPEG");
    }
  }
  FolderScan scan(stray);
  ImageLists lists;
  lists.classes = scan.folders(folder / "train");
  if (lists.classes.size() < 2) {
    throw Error((folder / "train").string(),
                fmt::format("it has {} folders of classes", lists.classes.size()),
                "put the images of every class into a folder of its own");
  }
  for (const std::string& name : scan.folders(folder / "val")) {
    if (!label_of(lists.classes, name)) {
      throw Error((folder / "val" / name).string(), "there is no such class in train",
                  "put its training images into train, or remove this folder");
    }
  }
  for (std::size_t c = 0; c < lists.classes.size(); ++c) {
    const auto label = static_cast<std::int32_t>(c);
    append_class(scan, folder / "train" / lists.classes[c], label, lists.train);
    append_class(scan, folder / "val" / lists.classes[c], label, lists.test);
  }
  lists.passed_over = scan.check();
  return lists;
}

ImageLists list_tinyimagenet(const fs::path& folder, Stray stray) {
  std::error_code error;
  const fs::path inner = folder / "tiny-imagenet-200";
  const fs::path place = fs::is_directory(inner, error) ? inner : folder;
  if (!fs::is_regular_file(place / "wnids.txt", error)) {
    throw Error(folder.string(),
                "neither it nor its subfolder tiny-imagenet-200 has the file wnids.txt",
                "unpack tiny-imagenet-200.zip there (make data-tinyimagenet)");
  }
  FolderScan scan(stray);
  ImageLists lists;
  lists.classes = read_wnids(place / "wnids.txt");
  const std::vector<std::string> folders = scan.folders(place / "train");
  for (const std::string& name : folders) {
    if (!label_of(lists.classes, name)) {
      throw Error((place / "train" / name).string(), "wnids.txt does not list this class",
                  kUnpackAgain);
    }
  }
  // Only names of folders become paths: a listed one may be "..", "/" or have any length.
  for (const std::string& name : lists.classes) {
    if (!label_of(folders, name)) {
      throw Error((place / "wnids.txt").string(),
                  fmt::format("it lists class '{}', but train has no such folder", name),
                  kUnpackAgain);
    }
  }
  for (std::size_t c = 0; c < lists.classes.size(); ++c) {
    const fs::path of_class = place / "train" / lists.classes[c];
    scan.beside(of_class, {"images"});
    append_class(scan, of_class / "images", static_cast<std::int32_t>(c), lists.train);
  }
  lists.test = read_annotations(scan, place / "val", lists.classes);
  lists.passed_over = scan.check();
  return lists;
}

std::string listing_digest(const fs::path& folder, const ImageLists& lists) {
  Sha256 sha;
  sha.update("image files\n");
  for (const std::string& name : lists.classes) {
    sha.update(fmt::format("class {}\n", name));
  }
  for (const ImageList* list : {&lists.train, &lists.test}) {
    sha.update(fmt::format("{} files\n", list->files.size()));
    for (std::size_t i = 0; i < list->files.size(); ++i) {
      const fs::path& file = list->files[i];
      sha.update(fmt::format("{} {} {}\n", list->labels[i], fs::file_size(file),
                             file.lexically_relative(folder).string()));
    }
  }
  return hex(sha.finish());
}

ImageSet decode_files(const ImageList& list, Shape shape, std::int64_t threads,
                      std::vector<std::string>* left_out) {
  if (shape.channels != 3) {
    throw Error("decode_files", fmt::format("{} channels asked for, not 3", shape.channels));
  }
  const auto count = std::ssize(list.files);
  const auto elements = static_cast<std::size_t>(shape.elements());
  const auto area = static_cast<std::size_t>(shape.positions());
  ImageSet images{shape, {}, list.labels};
  images.pixels.resize(list.files.size() * elements);
  std::vector<std::string> problems(list.files.size());
  for_each_parallel(count, threads, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    const std::string name = list.files[index].string();
    try {
      const std::vector<std::byte> bytes = read_file(list.files[index]);
      ImageDecoder decoder(bytes, name);
      if (decoder.width() != shape.width || decoder.height() != shape.height) {
        throw Error(name,
                    fmt::format("{}x{} pixels, not {}x{}", decoder.width(), decoder.height(),
                                shape.width, shape.height),
                    "the file is damaged: fetch it again, or leave it out");
      }
      RgbImage image;
      decoder.decode(image);
      std::uint8_t* to = images.pixels.data() + index * elements;
      for (std::size_t p = 0; p < area; ++p) {
        for (std::size_t c = 0; c < 3; ++c) {
          to[c * area + p] = image.pixels[3 * p + c];
        }
      }
    } catch (const Error& error) {
      if (left_out == nullptr) {
        throw;
      }
      problems[index] = error.what();
    }
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (!problems[i].empty()) {
      left_out->push_back(std::move(problems[i]));
      continue;
    }
    if (kept != i) {
      std::memmove(images.pixels.data() + kept * elements, images.pixels.data() + i * elements,
                   elements);
      images.labels[kept] = images.labels[i];
    }
    ++kept;
  }
  images.labels.resize(kept);
  images.pixels.resize(kept * elements);
  return images;
}

DataSet read_tinyimagenet(const fs::path& folder, std::int64_t threads, LeftOut* left_out,
                          Stray stray) {
  const ImageLists lists = list_tinyimagenet(folder, stray);
  DataSet data;
  data.name = "tinyimagenet";
  data.classes = std::ssize(lists.classes);
  data.class_names = lists.classes;
  data.passed_over = lists.passed_over;
  data.train =
      decode_files(lists.train, {3, 64, 64}, threads, left_out ? &left_out->train : nullptr);
  data.test = decode_files(lists.test, {3, 64, 64}, threads, left_out ? &left_out->test : nullptr);
  data.digest = data_digest(data.train, data.test);
  return data;
}

void use_encoded_conventions(DataSet& data) {
  data.flip = true;
  data.crop_padding = 0;
  data.resized_crop = true;
  data.normalisation = ChannelStatistics{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}};
}

DataSet open_image_folder(const fs::path& folder, const std::string& name, std::int64_t edge,
                          Stray stray) {
  ImageLists lists = list_image_folder(folder, stray);
  DataSet data;
  data.name = name;
  data.classes = std::ssize(lists.classes);
  data.digest = listing_digest(folder, lists);
  data.class_names = std::move(lists.classes);
  data.passed_over = std::move(lists.passed_over);
  data.train = {
      {3, edge, edge}, {}, std::move(lists.train.labels), {}, std::move(lists.train.files)};
  data.test = {{3, edge, edge}, {}, std::move(lists.test.labels), {}, std::move(lists.test.files)};
  use_encoded_conventions(data);
  return data;
}

}  // namespace gcg
