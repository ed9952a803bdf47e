#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// One stage of a trajectory: what a curve is fitted to.
struct CurvePoint {
  double density = 0;        ///< in (0, 1]
  double accuracy = 0;       ///< validation accuracy in [0, 1]
  std::int64_t samples = 0;  ///< validation images behind it: gives its binomial noise
};

/// What an extrapolator says of a trajectory.
enum class Outcome : std::uint8_t {
  too_few_stages,  ///< fewer than ExtrapolationOptions::min_stages
  found,           ///< d* in (0, 1)
  needs_dense,     ///< no density below 1 is within epsilon of A(1)
  not_resolvable,  ///< epsilon is below the standard error of the plateau
  undetermined,    ///< the fit failed or leaves its parameters free
};

std::string_view outcome_name(Outcome outcome);

struct ExtrapolationOptions {
  std::string extrapolator = "logistic";
  double epsilon = 0.005;          ///< accuracy one gives away
  bool epsilon_relative = false;   ///< epsilon is a fraction of A(1) - chance
  double chance = 0.1;             ///< accuracy of guessing: A0 of the logistic
  std::int64_t min_stages = 5;
  std::int64_t bootstrap = 200;    ///< replicates of the parametric bootstrap; 0: no interval
  double confidence = 0.95;
  std::uint64_t seed = 0;          ///< stream "bootstrap", index = number of points
};

/// A fitted curve of accuracy over density and what follows from it. Numbers that do not exist are NaN.
struct Extrapolation {
  Outcome outcome = Outcome::undetermined;
  std::vector<double> parameters;      ///< see ExtrapolatorEntry::parameter_names
  double accuracy_at_one = std::numeric_limits<double>::quiet_NaN();  ///< A(1)
  double standard_error = std::numeric_limits<double>::quiet_NaN();   ///< of A(1), the plateau
  double epsilon = std::numeric_limits<double>::quiet_NaN();          ///< absolute epsilon that was used
  double chi_square = std::numeric_limits<double>::quiet_NaN();       ///< weighted sum of squares of the fit
  double d_star = std::numeric_limits<double>::quiet_NaN();           ///< smallest d <= 1 with A(1) - A(d) <= epsilon; 1 if needs_dense
  double d_low = std::numeric_limits<double>::quiet_NaN();            ///< interval of d*
  double d_high = std::numeric_limits<double>::quiet_NaN();
  std::string note;                    ///< one sentence why, for people
};

/// One row of the table of extrapolators.
struct ExtrapolatorEntry {
  std::string_view name;
  std::string_view about;  ///< formula
  std::vector<std::string_view> parameter_names;
  Extrapolation (*extrapolate)(std::span<const CurvePoint>, const ExtrapolationOptions&);
  /// A(d) of its fitted parameters; chance as in the options.
  double (*evaluate)(double density, std::span<const double> parameters, double chance);
};

/// logistic, power, exponential, gain.
std::span<const ExtrapolatorEntry> extrapolator_table();
const ExtrapolatorEntry& find_extrapolator(std::string_view name);

/// Looks up options.extrapolator and runs it. Points must be in ascending density, accuracies in [0, 1]:
/// else an Error that names the stage.
Extrapolation extrapolate(std::span<const CurvePoint> points, const ExtrapolationOptions& options);

/// The stopping rule over a growing trajectory.
enum class StopReason : std::uint8_t { none, reached_d_star, reached_d_max };
std::string_view stop_reason_name(StopReason reason);

/// d >= d* on two consecutive fits (the last two entries, outcome found or needs_dense), or d >= d_max.
/// `fits[i]` was made after stage i, whose density is points[i].density. Depends on its arguments only: a
/// recorded trajectory is replayed by calling it again.
StopReason stop_reason(std::span<const CurvePoint> points, std::span<const Extrapolation> fits,
                       double d_max);

}  // namespace gcg
