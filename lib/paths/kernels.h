#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gcg {

// The inner loops of the path sums, compiled for several instruction sets; the best the processor
// has is chosen at run time. The choice changes the speed alone: lanes always hold different sums,
// so no sum's order of additions depends on the width, products and sums are rounded one by one,
// and results agree bit for bit.

/// Sparse rows over a flat buffer: row r holds the taps begin[r] to begin[r + 1].
struct TapRows {
  std::vector<std::int64_t> begin;
  std::vector<std::uint32_t> offset;  ///< of the tap's first element in the buffer
  std::vector<double> factor;

  [[nodiscard]] std::int64_t rows() const { return std::ssize(begin) - 1; }
};

/// Number of elements by which buffers are read and rows written at once: `positions` of sum_taps
/// are rounded up to it.
inline constexpr std::int64_t kPositionStep = 8;

/// out[r * positions + p] = sum over the taps t of row r, in their order, of
/// factor[t] * in[offset[t] + p], for p in [0, positions); positions a multiple of kPositionStep.
///
/// Fast because a block of positions of one row stays in registers while its taps pass by (a
/// multiplication, an addition and a load per vector, nothing stored), and because all rows are
/// done for one block before the next: the part of `in` they share stays in the cache.
void sum_taps(const TapRows& taps, const double* in, std::int64_t positions, double* out);

/// Rows that have all their taps in common, as those of a dense layer do: row r of the group is row
/// first + r * step of the result.
struct SharedTapRows {
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t rows = 0;
  std::vector<std::uint32_t> offset;  ///< per tap
  std::vector<double> factor;         ///< [rows][taps], 0 where a connection is absent
};

/// The same sums as sum_taps(), bit for bit (a factor of 0 adds 0 to a sum that is not negative),
/// for a group of rows. Fast because a tile of rows x positions stays in registers: what is read
/// from `in` serves several rows, which a sparse row cannot have.
void sum_shared_taps(const SharedTapRows& taps, const double* in, std::int64_t positions,
                     double* out);

/// Columns that correlate() treats at once.
inline constexpr std::int64_t kColumnTile = 16;

/// Positions of a plane: rows of `width` elements, `pitch` elements apart in the padded buffer.
struct PlaneExtent {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t pitch = 0;
};

/// out[c * stride + r] = sum over positions (y, x), row by row, of
/// in[offset[r] + y * pitch + x] * columns[(y * width + x) * kColumnTile + c],
/// for every r and every c in [0, count), count <= kColumnTile.
///
/// Fast because a tile of rows x columns of sums stays in registers over all positions, and because
/// the rows, shifted views of the same planes, are read where they lie: nothing is unrolled in
/// memory.
void correlate(std::span<const std::uint32_t> offset, const double* in, const PlaneExtent& extent,
               const double* columns, std::int64_t count, double* out, std::int64_t stride);

}  // namespace gcg
