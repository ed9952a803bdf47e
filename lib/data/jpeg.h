#pragma once

#include <csetjmp>
#include <cstdio>

// This library's header needs cstdio before it.
#include <jpeglib.h>

#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/packed_blocks.h"

namespace gcg {

/// The JPEG half of ImageDecoder, on libjpeg-turbo. The library reports errors by a callback, which
/// must not return: it leaves by longjmp. So every call into the library is made from a function
/// without destructors, and the Error is thrown after it.
class ImageDecoder::Jpeg {
 public:
  Jpeg(std::span<const std::byte> bytes, const std::string& where);
  ~Jpeg();
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;

  [[nodiscard]] std::int64_t width() const { return info_.image_width; }
  [[nodiscard]] std::int64_t height() const { return info_.image_height; }
  /// How many pixels decode() has in memory at once for these arguments.
  [[nodiscard]] std::int64_t pixels_held(const Region& region, std::int64_t width,
                                         std::int64_t height) const;
  Region decode(const Region& region, std::int64_t width, std::int64_t height, RgbImage& image);
  void decode(RgbImage& image);

 private:
  /// Rows and columns of the scaled image that are kept.
  struct Window {
    JDIMENSION first_row, rows, first_column, columns;
  };

  bool read_header();
  [[nodiscard]] bool usual_sampling() const;
  bool start(unsigned denominator);
  bool crop(Window& window);
  bool read_rows(const Window& window, RgbImage& image);
  [[noreturn]] void fail() const;
  [[noreturn]] void fail(const std::string& problem) const;
  void decode_window(Window window, RgbImage& image);
  void give_memory_back();

  static void on_error(j_common_ptr info);
  static void on_message(j_common_ptr info, int level);
  static void on_progress(j_common_ptr info);

  // In place of the library's arrays of all coefficients, for large images.
  void pack_coefficients();
  static jvirt_barray_ptr request_blocks(j_common_ptr info, int pool, boolean zeros,
                                         JDIMENSION width, JDIMENSION height, JDIMENSION most_rows);
  static JBLOCKARRAY access_blocks(j_common_ptr info, jvirt_barray_ptr blocks, JDIMENSION first,
                                   JDIMENSION count, boolean writable);

  std::span<const std::byte> bytes_;
  std::string where_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  std::array<char, JMSG_LENGTH_MAX> message_{};
  std::deque<PackedBlocks> blocks_;  ///< of large images with several scans, by component
  bool unsupported_ = false;         ///< the message is about a valid file of an unsupported kind
  bool out_of_memory_ = false;
  bool missing_end_ = false;
};

}  // namespace gcg
