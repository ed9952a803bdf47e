#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gcg {

/// How tensors of a batch (activations and their gradients) are stored. Weights, optimiser slots,
/// statistics, sums and all arithmetic are in single precision either way.
enum class Precision : std::uint8_t { fp32, bf16 };

inline constexpr std::array<std::string_view, 2> kPrecisionNames{"fp32", "bf16"};

}  // namespace gcg
