#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gcg {

/// How the tensors of a batch (activations and their gradients) are stored and multiplied. Weights,
/// optimiser slots, statistics and sums are in single precision whatever is taken. bf16: stored in
/// bf16. tf32: the factors of products are rounded to 10 bits of fraction, by a GPU.
enum class Precision : std::uint8_t { fp32, bf16, tf32 };

inline constexpr std::array<std::string_view, 3> kPrecisionNames{"fp32", "bf16", "tf32"};

/// By its name; one that is none of them is fp32.
constexpr Precision precision_named(std::string_view name) {
  return name == "bf16" ? Precision::bf16 : name == "tf32" ? Precision::tf32 : Precision::fp32;
}

}  // namespace gcg
