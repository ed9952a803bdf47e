#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "extrapolate/curve.h"

/// Accuracy over density and time in one model. A stage of growth is denser and longer trained than
/// the one before; a curve over density alone takes the whole gain for capacity.
namespace gcg {

/// What is known of a parameter before the stages: normal.
struct Prior {
  double mean = 0;
  double deviation = 1;
};

/// A(d, t) = a(d) - (a(d) - a0) (1 + t / T)^-b with a(d) = a1 - c d^-alpha; t of a stage: the sum
/// over the stages up to it of E_j min(1, d_j / d)^gamma. Epochs at lower density count almost
/// fully: gamma is near 0.1.
struct JointPriors {
  Prior a0{0.25, 0.12};
  Prior a1{0.75, 0.2};
  Prior log_c{-3.2188758248682006, 1};        ///< of .04
  Prior log_alpha{-0.5108256237659907, 0.4};  ///< of .6
  Prior gamma{0.1, 0.1};
  Prior log_t{std::numeric_limits<double>::quiet_NaN(), 1};  ///< NaN: of the recipe's epochs
  Prior log_b{0, 0.6};
};

/// Replaces some priors: "gamma=0.1:0.05,log_c=-3:1", each NAME=MEAN:DEVIATION with a name of
/// kJointParameterNames. An unknown name, one that is named twice, a number that is none or not
/// finite, a deviation that is not positive: a UsageError of --joint-priors with the word.
JointPriors read_joint_priors(std::string_view text);

/// A stage as the joint model sees it.
struct JointPoint {
  double density = 0;   ///< in (0, 1]
  double epochs = 0;    ///< of this stage, > 0
  double accuracy = 0;  ///< at its end
};

struct JointOptions {
  JointPriors priors;
  double recipe_epochs = 0;  ///< E_R: accuracies are compared after so many epochs at one density
  double epsilon = 0.005;    ///< accuracy one gives away, absolute
  /// Noise of the accuracies: covariance own^2 I + common^2 1 1^T. Stages of one run share their
  /// validation images: the common part moves all of them alike.
  double own = 0.006;
  double common = 0.01;
  std::int64_t draws = 2000;  ///< for the interval; 0: none
  double confidence = 0.95;
  std::uint64_t seed = 0;  ///< stream "joint-fit", index = number of points
};

/// Parameters as fitted, in their order.
inline constexpr auto kJointParameterNames =
    std::to_array<std::string_view>({"a0", "a1", "log_c", "log_alpha", "gamma", "log_t", "log_b"});
inline constexpr std::size_t kJointParameters = kJointParameterNames.size();
using JointParameters = std::array<double, kJointParameters>;

struct JointFit {
  Outcome outcome = Outcome::too_few_stages;
  JointParameters parameters = [] {
    JointParameters none{};
    none.fill(std::numeric_limits<double>::quiet_NaN());
    return none;
  }();                                                                ///< NaN without a fit
  double accuracy_at_one = std::numeric_limits<double>::quiet_NaN();  ///< A(1, E_R)
  /// Smallest d with A(1, E_R) - A(d, E_R) <= epsilon.
  double d_star = std::numeric_limits<double>::quiet_NaN();
  double d_low = std::numeric_limits<double>::quiet_NaN();
  double d_high = std::numeric_limits<double>::quiet_NaN();
  /// Of A(1, E_R) - A(d*, E_R): what epsilon has to be compared with. The error of A(1) itself is
  /// larger, and the common part of it cancels.
  double difference_error = std::numeric_limits<double>::quiet_NaN();
  /// Union of this interval with those of forms that know no time, filled by joint_fit().
  double union_low = std::numeric_limits<double>::quiet_NaN();
  double union_high = std::numeric_limits<double>::quiet_NaN();
  /// The noise that was split from the record.
  double own_noise = std::numeric_limits<double>::quiet_NaN();
  double common_noise = std::numeric_limits<double>::quiet_NaN();
  std::string note;  ///< one sentence why, for people
};

/// A(d, t) of the model after the stages given, for which t is computed: one value a stage.
std::vector<double> joint_curve(const JointParameters& parameters,
                                std::span<const JointPoint> stages);
/// A(d, t) at one density throughout.
double joint_accuracy(const JointParameters& parameters, double density, double epochs);

/// The largest posterior (least squares of whitened residuals and priors), and from draws of the
/// normal distribution around it the interval of d* and the error of the difference. Outcomes:
/// needs_dense (d* above kDenseFrom), not_resolvable (epsilon below the error of the difference),
/// found. Errors: fewer than three stages, densities that fall, values out of range.
JointFit fit_jointly(std::span<const JointPoint> stages, const JointOptions& options);

/// The two parts of the noise from what the record has: `pair_variance`, the mean squared error of
/// paired differences of neighbouring stages, and the binomial variance of one accuracy. Two
/// stages' own noises add up in a difference.
void split_noise(double pair_variance, double binomial_variance, JointOptions& options);

}  // namespace gcg
