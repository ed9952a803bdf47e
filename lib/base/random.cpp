#include "base/random.h"

#include <cmath>
#include <cstring>
#include <numbers>

#include "base/error.h"
#include "base/hash.h"

namespace gcg {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c,
                                        std::array<std::uint32_t, 2> k) {
  constexpr std::uint64_t multiplier0 = 0xD2511F53;
  constexpr std::uint64_t multiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl0 = 0x9E3779B9;
  constexpr std::uint32_t weyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = multiplier0 * c[0];
    const std::uint64_t product1 = multiplier1 * c[2];
    c = {static_cast<std::uint32_t>(product1 >> 32) ^ c[1] ^ k[0],
         static_cast<std::uint32_t>(product1),
         static_cast<std::uint32_t>(product0 >> 32) ^ c[3] ^ k[1],
         static_cast<std::uint32_t>(product0)};
    k[0] += weyl0;
    k[1] += weyl1;
  }
  return c;
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view name, std::uint64_t index)
    : index_(index) {
  std::array<std::byte, 8> seed_bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    seed_bytes[i] = static_cast<std::byte>(seed >> (8 * i));
  }
  const Digest digest = Sha256().update("gcg stream").update(seed_bytes).update(name).finish();
  std::memcpy(key_.data(), digest.data(), sizeof(key_));
}

RandomStream RandomStream::at(std::uint64_t index) const {
  RandomStream other = *this;
  other.index_ = index;
  other.block_ = 0;
  other.used_ = 4;
  return other;
}

std::uint32_t RandomStream::next_u32() {
  if (used_ == 4) {
    buffer_ =
        philox4x32({static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32),
                    static_cast<std::uint32_t>(index_), static_cast<std::uint32_t>(index_ >> 32)},
                   key_);
    ++block_;
    used_ = 0;
  }
  return buffer_[static_cast<std::size_t>(used_++)];
}

std::uint64_t RandomStream::next_u64() {
  const std::uint64_t low = next_u32();
  return (static_cast<std::uint64_t>(next_u32()) << 32) | low;
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double RandomStream::uniform_open() {
  return (static_cast<double>(next_u64() >> 12) + 0.5) * 0x1.0p-52;
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  if (bound == 0) {
    throw Error("RandomStream::below", "the bound is 0");
  }
  // Rejects the draws above the largest multiple of the bound.
  const std::uint64_t rejected = (0 - bound) % bound;
  std::uint64_t value = next_u64();
  while (value < rejected) {
    value = next_u64();
  }
  return value % bound;
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(uniform_open()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::uint64_t stream_index(std::uint64_t high, std::uint64_t low) {
  if (high >> 32 != 0 || low >> 32 != 0) {
    throw Error("stream_index", "a part does not fit 32 bits");
  }
  return (high << 32) | low;
}

}  // namespace gcg
