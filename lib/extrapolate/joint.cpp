#include "extrapolate/joint.h"

#include <ceres/jet.h>
#include <ceres/tiny_solver.h>
#include <ceres/tiny_solver_autodiff_function.h>
#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace gcg {

namespace {

enum Index : std::size_t { kA0, kA1, kLogC, kLogAlpha, kGamma, kLogT, kLogB };

/// Share of the way to a(d) that is left after t epochs.
template <typename T>
T left_after(const T* p, const T& t) {
  using std::exp;
  using std::log;
  return exp(-exp(p[kLogB]) * log(1.0 + t * exp(-p[kLogT])));
}

/// What density d gives away for ever: c d^-alpha.
template <typename T>
T capacity_loss(const T* p, double density) {
  using std::exp;
  return exp(p[kLogC] - exp(p[kLogAlpha]) * std::log(density));
}

template <typename T>
T value(const T* p, double density, const T& t) {
  const T limit = p[kA1] - capacity_loss(p, density);
  return limit - (limit - p[kA0]) * left_after(p, t);
}

/// Epochs that count at the density of stage i.
template <typename T>
T counted_epochs(const T* p, std::span<const JointPoint> stages, std::size_t i) {
  using std::exp;
  T sum(0.0);
  for (std::size_t j = 0; j <= i; ++j) {
    const double ratio = std::log(std::min(1.0, stages[j].density / stages[i].density));
    sum += stages[j].epochs * exp(p[kGamma] * ratio);
  }
  return sum;
}

/// Whitened residuals of the stages, then those of the priors.
struct Posterior {
  std::span<const JointPoint> stages;
  JointOptions options;
  std::array<Prior, kJointParameters> priors;

  [[nodiscard]] int NumResiduals() const {
    return static_cast<int>(stages.size() + kJointParameters);
  }

  template <typename T>
  bool operator()(const T* p, T* residuals) const {
    const std::size_t n = stages.size();
    T mean(0.0);
    for (std::size_t i = 0; i < n; ++i) {
      residuals[i] = value(p, stages[i].density, counted_epochs(p, stages, i)) - stages[i].accuracy;
      mean += residuals[i] / static_cast<double>(n);
    }
    // The symmetric root of the inverse of own^2 I + common^2 1 1^T.
    const double own = options.own;
    const double together =
        std::sqrt(own * own + static_cast<double>(n) * options.common * options.common);
    for (std::size_t i = 0; i < n; ++i) {
      residuals[i] = (residuals[i] - mean) / own + mean / together;
    }
    for (std::size_t k = 0; k < kJointParameters; ++k) {
      residuals[n + k] = (p[k] - priors[k].mean) / priors[k].deviation;
    }
    return true;
  }
};

using Function = ceres::TinySolverAutoDiffFunction<Posterior, Eigen::Dynamic,
                                                   static_cast<int>(kJointParameters)>;
using Vector = Eigen::Matrix<double, static_cast<int>(kJointParameters), 1>;
using Square =
    Eigen::Matrix<double, static_cast<int>(kJointParameters), static_cast<int>(kJointParameters)>;

void check(std::span<const JointPoint> stages, const JointOptions& options) {
  const auto refuse = [](const std::string& problem) { throw Error("joint fit", problem); };
  if (stages.size() < 3) {
    refuse(fmt::format("{} stages, at least 3 are needed", stages.size()));
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const JointPoint& s = stages[i];
    if (!(s.density > 0 && s.density <= 1 && s.epochs > 0 && s.accuracy >= 0 && s.accuracy <= 1) ||
        (i > 0 && s.density < stages[i - 1].density)) {
      refuse(fmt::format("stage {}: density {}, {} epochs, accuracy {}", i, s.density, s.epochs,
                         s.accuracy));
    }
  }
  if (!(options.recipe_epochs > 0 && options.epsilon > 0 && options.own > 0 &&
        options.common >= 0)) {
    refuse(fmt::format("epochs {}, epsilon {}, noise {} and {}", options.recipe_epochs,
                       options.epsilon, options.own, options.common));
  }
}

std::array<Prior, kJointParameters> ordered(const JointOptions& options) {
  JointPriors p = options.priors;
  if (std::isnan(p.log_t.mean)) {
    p.log_t.mean = std::log(options.recipe_epochs);
  }
  return {p.a0, p.a1, p.log_c, p.log_alpha, p.gamma, p.log_t, p.log_b};
}

/// (1 - left) c (d^-alpha - 1) = A(1, t) - A(d, t), solved for d.
double density_for(const JointParameters& p, double epsilon, double epochs) {
  const double learnt = 1 - left_after(p.data(), epochs);
  return std::pow(1 + epsilon / (learnt * std::exp(p[kLogC])), -1 / std::exp(p[kLogAlpha]));
}

double difference(const JointParameters& p, double density, double epochs) {
  return joint_accuracy(p, 1, epochs) - joint_accuracy(p, density, epochs);
}

double quantile(std::span<const double> sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  return std::lerp(sorted[below], sorted[std::min(below + 1, sorted.size() - 1)],
                   position - static_cast<double>(below));
}

}  // namespace

std::vector<double> joint_curve(const JointParameters& parameters,
                                std::span<const JointPoint> stages) {
  std::vector<double> values;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    values.push_back(
        value(parameters.data(), stages[i].density, counted_epochs(parameters.data(), stages, i)));
  }
  return values;
}

double joint_accuracy(const JointParameters& parameters, double density, double epochs) {
  return value(parameters.data(), density, epochs);
}

JointFit fit_jointly(std::span<const JointPoint> stages, const JointOptions& options) {
  check(stages, options);
  const Posterior posterior{stages, options, ordered(options)};
  const Function function(posterior);
  ceres::TinySolver<Function> solver;
  solver.options.max_num_iterations = 500;
  solver.options.function_tolerance = 1e-14;
  Vector x;
  for (std::size_t k = 0; k < kJointParameters; ++k) {
    x[static_cast<Eigen::Index>(k)] = posterior.priors[k].mean;
  }
  solver.Solve(function, &x);
  JointFit fit;
  fit.own_noise = options.own;
  fit.common_noise = options.common;
  std::copy(x.data(), x.data() + x.size(), fit.parameters.begin());
  if (!x.allFinite()) {
    fit.outcome = Outcome::undetermined;
    fit.note = "the fit did not converge";
    return fit;
  }
  const double epochs = options.recipe_epochs;
  fit.accuracy_at_one = joint_accuracy(fit.parameters, 1, epochs);
  const double d_star = density_for(fit.parameters, options.epsilon, epochs);

  // The normal distribution around the largest posterior: the priors make J^T J regular.
  Eigen::VectorXd residuals(posterior.NumResiduals());
  Eigen::MatrixXd jacobian(posterior.NumResiduals(), static_cast<int>(kJointParameters));
  function(x.data(), residuals.data(), jacobian.data());
  const Square precision = jacobian.transpose() * jacobian;
  const Eigen::LLT<Square> root(precision);
  RandomStream random(options.seed, "joint-fit", stages.size());
  std::vector<double> densities;
  double sum = 0;
  double squares = 0;
  for (std::int64_t draw = 0; draw < options.draws; ++draw) {
    Vector normal;
    for (Eigen::Index k = 0; k < normal.size(); ++k) {
      normal[k] = random.normal();
    }
    const Vector drawn = x + root.matrixU().solve(normal);
    JointParameters parameters{};
    std::copy(drawn.data(), drawn.data() + drawn.size(), parameters.begin());
    densities.push_back(density_for(parameters, options.epsilon, epochs));
    const double gap = difference(parameters, d_star, epochs);
    sum += gap;
    squares += gap * gap;
  }
  if (!densities.empty()) {
    const auto n = static_cast<double>(densities.size());
    std::ranges::sort(densities);
    fit.d_low = quantile(densities, (1 - options.confidence) / 2);
    fit.d_high = quantile(densities, (1 + options.confidence) / 2);
    fit.difference_error = std::sqrt(std::max(0.0, squares / n - sum / n * sum / n));
  }
  if (fit.difference_error > options.epsilon) {
    fit.outcome = Outcome::not_resolvable;
    fit.note = fmt::format("the stages tell A(1) - A(d) to {:.4f}, epsilon is {:.4f}",
                           fit.difference_error, options.epsilon);
    fit.d_low = fit.d_high = std::numeric_limits<double>::quiet_NaN();
    return fit;
  }
  fit.outcome = d_star > kDenseFrom ? Outcome::needs_dense : Outcome::found;
  fit.d_star = d_star > kDenseFrom ? 1 : d_star;
  fit.note =
      d_star > stages.back().density ? "d* lies beyond the stages" : "d* lies within the stages";
  return fit;
}

void split_noise(double pair_variance, double binomial_variance, JointOptions& options) {
  const double own = std::min(pair_variance / 2, binomial_variance);
  options.own = std::sqrt(own);
  options.common = std::sqrt(binomial_variance - own);
}

}  // namespace gcg
