#include <algorithm>

#include "sparse/tile_kernels.h"

namespace gcg::sparse {

namespace {

class PlainTiles {
 public:
  PlainTiles(const Kernels& kernels, std::int64_t depth) : kernels_(kernels), depth_(depth) {}

  template <int T>
  void zero() {
    std::fill_n(tile_[T], kTileFloats, 0.0F);
  }
  template <int T>
  void load(const float* from, std::int64_t row) {
    const std::int64_t words = T == 4 ? depth_ : kTileSide;
    for (std::int64_t r = 0; r < rows(T); ++r) {
      std::copy_n(from + r * row, words, tile_[T] + r * kTileSide);
    }
  }
  template <int C, int A, int B>
  void multiply_add() {
    kernels_.multiply_tiles(depth_, tile_[A], tile_[B], tile_[C]);
  }
  template <int T>
  void store(float* to, std::int64_t row) const {
    for (std::int64_t r = 0; r < rows(T); ++r) {
      std::copy_n(tile_[T] + r * kTileSide, kTileSide, to + r * row);
    }
  }

 private:
  [[nodiscard]] std::int64_t rows(int tile) const { return tile > 4 ? depth_ : kTileSide; }

  const Kernels& kernels_;
  std::int64_t depth_;
  alignas(64) float tile_[8][kTileFloats] = {};
};

void gather(const Kernels& kernels, const TileGather& of) {
  PlainTiles tiles(kernels, of.depth);
  gather_tiles(tiles, of);
}

void correlate(const Kernels& kernels, const TileCorrelate& of) {
  PlainTiles tiles(kernels, kTileSide);
  correlate_tiles(tiles, of);
}

}  // namespace

const TileKernels& plain_tiles() {
  static constexpr TileKernels kPlain{"plain tiles", gather, correlate};
  return kPlain;
}

}  // namespace gcg::sparse
