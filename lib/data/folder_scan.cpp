#include "data/folder_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 5> kReadEndings{".jpeg", ".jpg", ".jpe", ".jfif", ".png"};
constexpr std::array<std::string_view, 14> kOtherEndings{".webp", ".bmp", ".tif", ".tiff", ".gif",
                                                         ".ppm",  ".pgm", ".pnm", ".avif", ".heic",
                                                         ".heif", ".jp2", ".jxl", ".tga"};

std::string lower_case_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return ending;
}

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& endings, const fs::path& path) {
  const std::string ending = lower_case_ending(path);
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

bool begins_like_an_image(const fs::path& path) {
  std::array<char, 12> first{};
  std::ifstream(path, std::ios::binary).read(first.data(), first.size());
  const std::string_view text(first.data(), first.size());
  using std::string_view_literals::operator""sv;
  for (const std::string_view signature :
       {"\xFF\xD8\xFF"sv, "\x89PNG\r\n"sv, "GIF8"sv, "II*\0"sv, "MM\0*"sv}) {
    if (text.starts_with(signature)) {
      return true;
    }
  }
  return text.starts_with("RIFF") && text.substr(8) == "WEBP";
}

/// What systems and tools leave in folders: never a part of a data set.
bool is_of_the_system(const std::string& name) {
  return name.starts_with('.') || name == "__MACOSX" || name == "Thumbs.db" ||
         name == "desktop.ini" || name == "@eaDir";
}

/// Why a file that is not taken may be an image; empty if it is none.
std::string image_reason(const fs::path& path) {
  if (is_one_of(kReadEndings, path)) {
    return "an image where none is expected";
  }
  if (is_one_of(kOtherEndings, path)) {
    return "neither JPEG nor PNG";
  }
  return begins_like_an_image(path)
             ? "an image, but its name does not end like one of a JPEG or PNG"
             : "";
}

/// Whether an image may lie anywhere in the folder: what cannot be read and what links lead to may
/// be some.
bool may_have_images(const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unknown;
    if (is_of_the_system(entry->path().filename().string())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(unknown)) {
      if (!image_reason(entry->path()).empty()) {
        return true;
      }
    } else if (entry->is_symlink(unknown) || !entry->is_directory(unknown)) {
      return true;
    }
  }
  return bool(error);
}

std::vector<fs::directory_entry> sorted_entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> found;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    found.push_back(*entry);
  }
  if (error) {
    throw Error(folder.string(), fmt::format("cannot read the folder: {}", error.message()),
                "check the path");
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.path().native() < b.path().native(); });
  return found;
}

}  // namespace

std::vector<fs::path> FolderScan::images(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    std::error_code error;
    if (is_one_of(kReadEndings, entry.path()) && entry.is_regular_file(error) &&
        !is_of_the_system(entry.path().filename().string())) {
      found.push_back(entry.path());
    } else {
      note_not_taken(entry);
    }
  }
  return found;
}

std::vector<std::string> FolderScan::folders(const fs::path& folder) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    std::error_code error;
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(error) && !is_of_the_system(name)) {
      found.push_back(name);
    } else {
      note_not_taken(entry);
    }
  }
  return found;
}

void FolderScan::beside(const fs::path& folder, std::initializer_list<std::string_view> expected) {
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    const std::string name = entry.path().filename().string();
    if (std::find(expected.begin(), expected.end(), name) == expected.end()) {
      note_not_taken(entry);
    }
  }
}

void FolderScan::note_not_taken(const fs::directory_entry& entry) {
  const fs::path& path = entry.path();
  std::error_code error;
  if (is_of_the_system(path.filename().string())) {
    note(path, "a hidden or system file", false);
  } else if (entry.is_regular_file(error)) {
    const std::string reason = image_reason(path);
    note(path, reason.empty() ? "no image" : reason, !reason.empty());
  } else if (entry.is_directory(error)) {
    const bool images = may_have_images(path);
    note(path, images ? "a folder of images where none is expected" : "a folder without images",
         images);
  } else {
    note(path, entry.is_symlink() ? "a broken link" : "neither a file nor a folder", true);
  }
}

void FolderScan::note(const fs::path& path, const std::string& reason, bool may_be_image) {
  (may_be_image ? may_be_images_ : harmless_).push_back(path.string() + ": " + reason);
}

std::vector<std::string> FolderScan::check() const {
  std::vector<std::string> strays = may_be_images_;
  std::sort(strays.begin(), strays.end());
  if (stray_ == Stray::refuse && !strays.empty()) {
    std::string others;
    for (std::size_t i = 1; i < std::min<std::size_t>(strays.size(), 10); ++i) {
      others += "\n  " + strays[i];
    }
    throw Error(strays.front(),
                strays.size() == 1
                    ? std::string("it would be left out")
                    : fmt::format("it and {} others would be left out:{}{}", strays.size() - 1,
                                  others, strays.size() > 10 ? "\n  ..." : ""),
                "convert, move or remove them, or leave them out with --pass-over on");
  }
  strays.insert(strays.end(), harmless_.begin(), harmless_.end());
  std::sort(strays.begin(), strays.end());
  return strays;
}

}  // namespace gcg
