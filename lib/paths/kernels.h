#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gcg {

// The inner loops of the path sums, compiled for several instruction sets; the best that the
// processor has is chosen at run time. The choice affects speed only: lanes always hold different
// sums, so the order of additions within a sum does not depend on the vector width. Products and
// sums are rounded separately, and all results agree bit for bit.

/// Sparse rows over a flat buffer: row r has the taps begin[r] to begin[r + 1] - 1.
struct TapRows {
  std::vector<std::int64_t> begin;
  std::vector<std::uint32_t> offset;  ///< of the tap's first element in the buffer
  std::vector<double> factor;

  [[nodiscard]] std::int64_t rows() const { return std::ssize(begin) - 1; }
};

/// Buffers are read and rows written in steps of this many elements: `positions` of sum_taps must
/// be a multiple of it.
inline constexpr std::int64_t kPositionStep = 8;

/// out[r * positions + p] = sum over the taps t of row r, in their order, of factor[t] *
/// in[offset[t] + p], for p in [0, positions); positions is a multiple of kPositionStep.
///
/// It is fast because a block of positions of one row stays in registers for all of its taps (a
/// multiplication, an addition and a load per vector; nothing is stored), and because all rows are
/// done for one block before the next: the part of `in` that they share stays in the cache.
void sum_taps(const TapRows& taps, const double* in, std::int64_t positions, double* out);

/// Rows that have all taps in common, as in a dense layer. Row r of the group is row first + r *
/// step of the result.
struct SharedTapRows {
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t rows = 0;
  std::vector<std::uint32_t> offset;  ///< per tap
  std::vector<double> factor;         ///< [rows][taps], 0 where a connection is absent
};

/// The same sums as those of sum_taps(), bit for bit (a factor of 0 adds 0 to a sum that is not
/// negative), for a group of rows. It is fast because a tile of rows x positions stays in
/// registers: each value read from `in` serves several rows, which sparse rows do not allow.
void sum_shared_taps(const SharedTapRows& taps, const double* in, std::int64_t positions,
                     double* out);

/// Number of columns that correlate() computes at once.
inline constexpr std::int64_t kColumnTile = 16;

/// The positions of a plane: rows of `width` elements, `pitch` elements apart in the padded buffer.
struct PlaneExtent {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t pitch = 0;
};

/// out[c * stride + r] = sum over positions (y, x), row by row, of
/// in[offset[r] + y * pitch + x] * columns[(y * width + x) * kColumnTile + c],
/// for every r and every c in [0, count), count <= kColumnTile.
///
/// It is fast because a tile of rows x columns of sums stays in registers over all positions, and
/// because the rows, which are shifted views of the same planes, are read in place: nothing is
/// unrolled in memory.
void correlate(std::span<const std::uint32_t> offset, const double* in, const PlaneExtent& extent,
               const double* columns, std::int64_t count, double* out, std::int64_t stride);

}  // namespace gcg
