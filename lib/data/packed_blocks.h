#pragma once

#include <cstdio>

// This library's header needs cstdio before it.
#include <jpeglib.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gcg {

/// The coefficients of one component of a JPEG file with several scans, which must all be there
/// before its first pixel. Nearly all of them are 0: a block takes 8 bytes that say which are not,
/// and those one byte each (three outside of [-127, 127]), where libjpeg's own arrays take 128
/// bytes. Behind the first of a block, such a coefficient costs the file two bits or more, a wide
/// one nine: so whatever the file, its blocks take at most 11 bytes each and 4 more for every byte
/// of the file.
class PackedBlocks {
 public:
  /// All coefficients are 0.
  PackedBlocks(JDIMENSION blocks_of_a_row, JDIMENSION rows);

  /// The rows of blocks [first, first + count), which must be there. They may be used until the
  /// next call, which keeps what was written to them if this one says so.
  JBLOCKARRAY unpack(JDIMENSION first, JDIMENSION count, bool writable);

  /// Of all packed rows; what is unpacked counts when it was packed again.
  [[nodiscard]] std::size_t bytes() const;

 private:
  void pack(std::size_t row, const JBLOCK* blocks);
  void unpack(std::size_t row, JBLOCK* blocks) const;

  std::size_t width_;
  std::vector<std::vector<std::uint8_t>> packed_;  ///< by row; empty: all 0
  std::vector<std::uint8_t> scratch_;
  std::vector<JCOEF> unpacked_;
  std::vector<JBLOCKROW> rows_;  ///< of what is unpacked
  std::size_t first_ = 0;
  bool written_ = false;
};

}  // namespace gcg
