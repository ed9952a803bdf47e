// The processor's own tiles. Its instructions stand here as assembly: the compilers' intrinsics
// take literal numbers of tiles alone, and those of GCC 12 do not say that memory is read.
#include "base/host.h"
#include "sparse/tile_kernels.h"

namespace gcg::sparse {

#if defined(__x86_64__)

namespace {

/// What LDTILECFG reads.
struct alignas(64) Configuration {
  std::uint8_t palette = 1;
  std::uint8_t start = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(Configuration) == 64);

/// Configured for as long as it lives, and no longer: other libraries have tiles of their own.
class AmxTiles {
 public:
  explicit AmxTiles(std::int64_t depth) {
    Configuration configuration;
    for (int tile = 0; tile < 8; ++tile) {
      configuration.rows[tile] = static_cast<std::uint8_t>(tile > 4 ? depth : kTileSide);
      configuration.row_bytes[tile] =
          static_cast<std::uint16_t>(4 * (tile == 4 ? depth : kTileSide));
    }
    asm volatile("ldtilecfg %0" : : "m"(configuration) : "memory");
  }
  ~AmxTiles() { asm volatile("tilerelease" : : : "memory"); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  template <int T>
  void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  template <int T>
  void load(const float* from, std::int64_t row) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(T), "r"(from), "r"(4 * row) : "memory");
  }
  template <int C, int A, int B>
  void multiply_add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }
  template <int T>
  void store(float* to, std::int64_t row) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(T), "r"(to), "r"(4 * row) : "memory");
  }
};

void gather(const Kernels& /*kernels*/, const TileGather& of) {
  AmxTiles tiles(of.depth);
  gather_tiles(tiles, of);
}

void correlate(const Kernels& /*kernels*/, const TileCorrelate& of) {
  AmxTiles tiles(kTileSide);
  correlate_tiles(tiles, of);
}

}  // namespace

const TileKernels* amx_tiles() {
  static constexpr TileKernels kAmx{"AMX", gather, correlate};
  return amx_facts().usable ? &kAmx : nullptr;
}

#else

const TileKernels* amx_tiles() { return nullptr; }

#endif

}  // namespace gcg::sparse
