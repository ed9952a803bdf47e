#pragma once

namespace gcg::sparse {

// Constants of the exponential and the normal distribution function in single precision, for the
// vectors and for the plain reference: both do the same operations in the same order. Coefficients
// are minimax fits of this project, of the relative error.

/// e^x for x <= 0 is 2^k e^r with k = round(x / log 2): below kExpFrom, where 2^k would not be a
/// normal number, as there. log 2 in two parts, so that k times the first is exact. Adding kRound
/// rounds to an integer, which then stands in the lowest bits. Error: 2 units in the last place.
inline constexpr float kExpFrom = -87.0F;
inline constexpr float kLog2E = 0x1.715476p+0F;
inline constexpr float kRound = 0x1.8p+23F;
inline constexpr float kLog2High = 0x1.62e4p-1F;
inline constexpr float kLog2Low = 0x1.7f7d1cp-20F;
/// e^r = 1 + r (c0 + r (c1 + ...)) for |r| <= log 2 / 2.
inline constexpr float kExp[] = {0x1.0p+0F,      0x1.fffffcp-2F, 0x1.55541ap-3F,
                                 0x1.555822p-5F, 0x1.126792p-7F, 0x1.6ae72p-10F};

/// The normal distribution function of -a for a >= 0 is e^(-a^2/2) t (c0 + t (c1 + ...)) with
/// t = 1 / (1 + kTail a), the form of Abramowitz & Stegun 1964, 26.2.17. Relative error of the form
/// itself 1e-7; with rounding 2e-6 for a <= 5, absolute 2.5e-7 everywhere.
inline constexpr float kTailScale = 0x1.3851ecp-2F;
inline constexpr float kTail[] = {0x1.f23c82p-4F,  0x1.f59fbcp-4F, 0x1.a79cdep-4F,  0x1.efb3a4p-4F,
                                  -0x1.37181ep-5F, 0x1.7c5848p-3F, -0x1.39516cp-3F, 0x1.2ca348p-5F};
/// Density of the normal distribution at 0.
inline constexpr float kNormalDensity = 0x1.988454p-2F;

}  // namespace gcg::sparse
