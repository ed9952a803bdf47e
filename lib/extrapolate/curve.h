#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/named.h"

namespace gcg {

/// One stage of a trajectory: what a curve is fitted to.
struct CurvePoint {
  double density = 0;        ///< in (0, 1]
  double accuracy = 0;       ///< validation accuracy in [0, 1]
  std::int64_t samples = 0;  ///< validation images behind it: gives its binomial noise
};

/// What an extrapolator says of a trajectory. The fitted curves (logistic, power, exponential)
/// decide in this order; the first that applies is the outcome:
///  1. too_few_stages.
///  2. undetermined, the curve: no admissible or converged fit; no rise beyond the noise (a
///     constant fits as well: kRiseChiSquare); J rank-deficient; standard error of A(1) above
///     kPlateauShare of A(1) - chance; a larger rise beyond the last stage than over the stages.
///     Flat, falling and steep-only trajectories end here.
///  3. not_resolvable: epsilon below the standard error of A(1).
///  4. undetermined, d*: epsilon is not below A(1) - A(0), so that every density would do.
///  5. needs_dense: d* above kDenseFrom.
///  6. undetermined, d*: standard error of log d* above kLogDensityError.
///  7. found.
/// The bound A1 <= 1 being active is no outcome by itself: a plateau at accuracy 1 is a plateau;
/// an A1 that ran there because nothing holds it falls under 2.
///
/// Gain per doubling has no A(1). It is undetermined where the stages span no doubling of density,
/// where the last accuracy is at chance under a relative epsilon, or where the last doubling still
/// gains epsilon or more (needs_dense if the last density is above kDenseFrom); not_resolvable
/// where epsilon is below the standard error of the last gain. It does not look beyond the stages;
/// a flat trajectory is `found` at its first stage.
enum class Outcome : std::uint8_t {
  too_few_stages,  ///< fewer than min_stages or than parameters
  found,           ///< d* in (0, kDenseFrom]
  needs_dense,     ///< the curve still rises at 1: A(1) - A(kDenseFrom) > epsilon
  not_resolvable,  ///< epsilon is below the standard error of the plateau
  undetermined,    ///< the fit failed or leaves A(1) or d* free; stays the last
};
template <>
inline constexpr auto kNames<Outcome> = std::to_array<std::string_view>(
    {"too_few_stages", "found", "needs_dense", "not_resolvable", "undetermined"});
static_assert(kNames<Outcome>.size() == static_cast<std::size_t>(Outcome::undetermined) + 1);

/// A rising A(d) comes within any epsilon > 0 of A(1) somewhere below 1. Above this density the
/// absent connections are fewer than one in twenty, which saves nothing, and d* counts as 1.
inline constexpr double kDenseFrom = 0.95;
/// A rise counts if it lowers chi-square against a constant by more than this: -2 log 0.01, the 1 %
/// point of chi-square with two degrees of freedom.
inline constexpr double kRiseChiSquare = 9.21;
/// Largest standard error of a determined A(1), as a share of A(1) - chance.
inline constexpr double kPlateauShare = 0.1;
/// Largest standard error of a determined log d*.
inline constexpr double kLogDensityError = 1;
/// Largest share of undetermined bootstrap replicates with which an interval is given.
inline constexpr double kUndeterminedShare = 0.1;
/// Limits of the work an input can ask for.
inline constexpr std::int64_t kMaxSamples = 1'000'000'000;
inline constexpr std::int64_t kMaxReplicates = 1'000'000;

struct ExtrapolationOptions {
  std::string extrapolator = "logistic";
  double epsilon = 0.005;         ///< accuracy one gives away, in (0, 1]
  bool epsilon_relative = false;  ///< epsilon is a fraction, below 1, of A(1) - chance
  double chance = 0.1;            ///< accuracy of guessing: A0 of the logistic
  std::int64_t min_stages = 5;
  std::int64_t bootstrap = 200;  ///< replicates of the parametric bootstrap; 0: no interval
  double confidence = 0.95;
  std::uint64_t seed = 0;  ///< stream "bootstrap", index = number of points
};

/// A fitted curve of accuracy over density and what follows from it. Numbers that do not exist are
/// NaN: d_star and its interval unless the outcome is found or needs_dense, accuracy_at_one of
/// `gain` always. Parameters and chi-square are given whenever there is a fit, also an undetermined
/// one.
struct Extrapolation {
  Outcome outcome = Outcome::undetermined;
  std::vector<double> parameters;  ///< see ExtrapolatorEntry::parameter_names
  /// A(1): the fitted curve at density 1, not its asymptote A1.
  double accuracy_at_one = std::numeric_limits<double>::quiet_NaN();
  /// Of A(1), from the inverse of J^T W J with the binomial weights (not scaled by chi-square); of
  /// the last gain per doubling for `gain`.
  double standard_error = std::numeric_limits<double>::quiet_NaN();
  double epsilon = std::numeric_limits<double>::quiet_NaN();  ///< absolute epsilon that was used
  /// Weighted sum of squares of the fit (`gain`: of the last line).
  double chi_square = std::numeric_limits<double>::quiet_NaN();
  /// Smallest d <= 1 with A(1) - A(d) <= epsilon; 1 if needs_dense.
  double d_star = std::numeric_limits<double>::quiet_NaN();
  /// Percentile interval of d* over bootstrap replicates, each with its own binomial accuracies
  /// around the fit (`gain`: around the accuracies). Replicates that need dense (`gain`: still
  /// gain at the last stage) count as 1. NaN if more than kUndeterminedShare are undetermined. It
  /// covers the validation noise only: stages share images and weights, so the spread over seeds is
  /// larger.
  double d_low = std::numeric_limits<double>::quiet_NaN();
  double d_high = std::numeric_limits<double>::quiet_NaN();
  std::string note;  ///< one sentence why, for people
};

/// One row of the table of extrapolators.
struct ExtrapolatorEntry {
  std::string_view name;
  std::string_view about;  ///< formula
  std::vector<std::string_view> parameter_names;
  /// Called through extrapolate(), which checks the arguments.
  Extrapolation (*extrapolate)(std::span<const CurvePoint>, const ExtrapolationOptions&);
  /// A(d) of its fitted parameters; chance as in the options.
  double (*evaluate)(double density, std::span<const double> parameters, double chance);
};

/// logistic:    A(d) = A0 + (A1 - A0) / (1 + exp(-k (log d - log dh))); A1, k, dh; A0 = chance
/// power:       A(d) = A1 - c d^-a; A1, c, a
/// exponential: A(d) = A1 - (A1 - A0) exp(-d / tau); A1, tau; A0 = chance, as a network without
///              connections guesses
/// gain:        no curve: from every stage a weighted regression of accuracy over log2 d, through
///              the stages up to the first of twice its density; d* = the first stage from which on
///              all of these lines gain less than epsilon per doubling, hence at most half of the
///              last density. Parameters of the last line: gain, level (at d = 1). A relative
///              epsilon is a fraction of the last accuracy - chance.
/// The curves are fitted by least squares weighted with the binomial variance of the accuracies at
/// the smoothed p = (n accuracy + 2) / (n + 4), with chance < A1 <= 1 and all other parameters
/// positive.
std::span<const ExtrapolatorEntry> extrapolator_table();
/// UsageError that lists the names if there is none of this name.
const ExtrapolatorEntry& find_extrapolator(std::string_view name);

/// Looks up options.extrapolator and runs it: deterministic, one thread. Densities must ascend
/// strictly in (0, 1], accuracies lie in [0, 1], samples in [1, kMaxSamples]: else an Error that
/// names the stage (counted from 0). Options out of range: a UsageError that names the option.
Extrapolation extrapolate(std::span<const CurvePoint> points, const ExtrapolationOptions& options);

/// Version of the library that makes the fits, "2.1.0".
std::string ceres_version();

/// The stopping rule over a growing trajectory.
enum class StopReason : std::uint8_t { none, reached_d_star, reached_d_max };
std::string_view stop_reason_name(StopReason reason);

/// reached_d_star: the last two stages each have d >= d* by their own fit, found or needs_dense (d*
/// = 1); else reached_d_max: the last density >= d_max, compared exactly (pass the density of the
/// largest whole mask, count / connections). `fits[i]` was made after stage i, whose density is
/// points[i].density. Depends on its arguments only: a recorded trajectory is replayed by calling
/// it again. Different lengths or d_max outside of (0, 1]: an Error.
StopReason stop_reason(std::span<const CurvePoint> points, std::span<const Extrapolation> fits,
                       double d_max);

}  // namespace gcg
