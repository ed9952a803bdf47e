#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gcg {

/// How the tensors of a batch (activations and their gradients) are stored and multiplied. Weights,
/// optimiser slots, statistics and sums are always in single precision. bf16: stored in bf16. tf32:
/// a GPU rounds the factors of products to 10 bits of fraction.
enum class Precision : std::uint8_t { fp32, bf16, tf32 };

inline constexpr std::array<std::string_view, 3> kPrecisionNames{"fp32", "bf16", "tf32"};

/// The precision with this name; fp32 for any other text.
constexpr Precision precision_named(std::string_view name) {
  return name == "bf16" ? Precision::bf16 : name == "tf32" ? Precision::tf32 : Precision::fp32;
}

}  // namespace gcg
