#pragma once

#include <span>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "backend/state.h"

/// How results of executors are compared.
namespace gcg {

/// Tolerances relative to the largest value of an array. Gradients through a normalisation of a
/// nearly constant channel lose digits in single precision, one update or a mean does not.
inline constexpr double kGradientTolerance = 1e-3;
inline constexpr double kUpdateTolerance = 2e-6;

void expect_near(std::span<const float> found, std::span<const float> expected, double tolerance,
                 const std::string& what);
void expect_near(const Network& network, const Parameters& found, const Parameters& expected,
                 double tolerance);
void expect_near(const BatchSums& found, const BatchSums& expected);
bool same(const BatchSums& a, const BatchSums& b);
/// Equal bit by bit: +0 is not -0, and NaN equals itself.
bool same_bits(std::span<const float> a, std::span<const float> b);
bool same_bits(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b);
bool same_bits(const Parameters& a, const Parameters& b);
bool same_bits(const std::vector<Slot>& a, const std::vector<Slot>& b);
bool same_bits(const TrainingState& a, const TrainingState& b);
/// Absent weights, momentum and gradients are +0.
void expect_mask_invariant(const Executor& executor);

}  // namespace gcg
