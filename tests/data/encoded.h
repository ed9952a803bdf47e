#pragma once

#include <cmath>
#include <cstdio>

// After cstdio: the header of the library needs it.
#include <jpeglib.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "data/image.h"

namespace gcg::test {

/// A picture without sharp edges, so that lossy coding hardly changes it: red grows to the right,
/// green downwards, blue is a hill in the middle.
inline RgbImage smooth_image(std::int64_t width, std::int64_t height) {
  RgbImage image{width, height, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t hill = (x * (width - 1 - x) + y * (height - 1 - y)) * 300 /
                                std::max<std::int64_t>(1, width * width + height * height);
      image.pixels.push_back(static_cast<std::uint8_t>(40 + 150 * x / width));
      image.pixels.push_back(static_cast<std::uint8_t>(60 + 150 * y / height));
      image.pixels.push_back(static_cast<std::uint8_t>(50 + hill));
    }
  }
  return image;
}

struct JpegKind {
  J_COLOR_SPACE colours = JCS_YCbCr;  ///< of the file; grey and CMYK take their input as such
  int quality = 95;
  bool progressive = false;
  bool separate_scans = false;  ///< sequential, a scan for each component
  bool full_chroma = false;
  bool adobe = false;  ///< CMYK only: with Adobe's marker
  /// Sampling factors (horizontal, vertical) of the components, if not the library's.
  std::vector<std::pair<int, int>> sampling{};
  std::string_view segment;  ///< of an APP1 (EXIF) segment, if not empty
};

/// `samples`: [height][width][components of the kind].
inline std::vector<std::byte> jpeg_file(std::int64_t width, std::int64_t height,
                                        const std::vector<std::uint8_t>& samples,
                                        const JpegKind& kind) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.in_color_space = kind.colours == JCS_YCbCr ? JCS_RGB : kind.colours;
  info.input_components = kind.colours == JCS_GRAYSCALE ? 1 : (kind.colours == JCS_CMYK ? 4 : 3);
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, kind.colours);
  info.write_Adobe_marker = kind.adobe ? TRUE : FALSE;
  jpeg_set_quality(&info, kind.quality, TRUE);
  if (kind.full_chroma) {
    info.comp_info[0].h_samp_factor = 1;
    info.comp_info[0].v_samp_factor = 1;
  }
  for (std::size_t c = 0; c < kind.sampling.size(); ++c) {
    info.comp_info[c].h_samp_factor = kind.sampling[c].first;
    info.comp_info[c].v_samp_factor = kind.sampling[c].second;
  }
  if (kind.progressive) {
    jpeg_simple_progression(&info);
  }
  const std::array<jpeg_scan_info, 3> scans{
      {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}}};
  if (kind.separate_scans) {
    info.scan_info = scans.data();
    info.num_scans = 3;
  }
  jpeg_start_compress(&info, TRUE);
  if (!kind.segment.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(kind.segment.data()),
                      static_cast<unsigned>(kind.segment.size()));
  }
  while (info.next_scanline < info.image_height) {
    auto* row =
        const_cast<JSAMPROW>(samples.data() + static_cast<std::size_t>(info.input_components) *
                                                  info.image_width * info.next_scanline);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto* first = reinterpret_cast<const std::byte*>(memory);
  std::vector<std::byte> file(first, first + size);
  std::free(memory);
  return file;
}

inline std::vector<std::byte> jpeg_file(const RgbImage& image, const JpegKind& kind = {}) {
  return jpeg_file(image.width, image.height, image.pixels, kind);
}

inline void write_image(const std::filesystem::path& path, const RgbImage& image) {
  std::filesystem::create_directories(path.parent_path());
  const std::vector<std::byte> file = jpeg_file(image);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), std::ssize(file));
}

/// Largest difference of two images' values; 256 if their sizes differ.
inline int difference(const RgbImage& a, const RgbImage& b) {
  if (a.width != b.width || a.height != b.height || a.pixels.size() != b.pixels.size()) {
    return 256;
  }
  int most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    most = std::max(most, std::abs(static_cast<int>(a.pixels[i]) - static_cast<int>(b.pixels[i])));
  }
  return most;
}

/// ImageNet's layout: train/CLASS/FILE and val/CLASS/FILE, each image of another size.
inline void write_image_folder(const std::filesystem::path& folder, int classes, int images) {
  for (const char* part : {"train", "val"}) {
    for (int c = 0; c < classes; ++c) {
      for (int i = 0; i < images; ++i) {
        write_image(folder / part / ("n0000000" + std::to_string(c)) /
                        ("image_" + std::to_string(i) + ".JPEG"),
                    smooth_image(40 + 9 * c + 4 * i, 50 - 3 * (i % 8)));
      }
    }
  }
}

/// TinyImageNet's layout. Two classes with two training images each, three validation images.
inline void write_tinyimagenet(const std::filesystem::path& folder) {
  const auto write_text = [](const std::filesystem::path& path, std::string_view text) {
    std::filesystem::create_directories(path.parent_path());
    write_file_atomically(path, text);
  };
  write_text(folder / "wnids.txt", "n02\nn01\n");
  for (const std::string name : {"n01", "n02"}) {
    for (const char* image : {"_0", "_1"}) {
      write_image(folder / "train" / name / "images" / (name + image + ".JPEG"),
                  smooth_image(64, 64));
    }
    write_text(folder / "train" / name / (name + "_boxes.txt"), "n01_0.JPEG\t0\t0\t9\t9\n");
  }
  for (const char* image : {"val_0.JPEG", "val_1.JPEG", "val_2.JPEG"}) {
    write_image(folder / "val" / "images" / image, smooth_image(64, 64));
  }
  write_text(folder / "val" / "val_annotations.txt",
             "val_0.JPEG\tn02\t0\t32\t44\t62\nval_2.JPEG\tn01\t1\t1\t2\t2\r\n"
             "val_1.JPEG\tn02\t1\t1\t2\t2\n");
}

}  // namespace gcg::test
