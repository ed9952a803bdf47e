#include "extrapolate/fit.h"

#include <ceres/tiny_solver.h>

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <optional>

namespace gcg {

namespace {

/// The solver sees A1 and the logarithms of the other parameters.
std::vector<double> to_solver(std::span<const double> parameters) {
  std::vector<double> x(parameters.begin(), parameters.end());
  std::transform(x.begin() + 1, x.end(), x.begin() + 1, [](double p) { return std::log(p); });
  return x;
}

/// Weighted residuals of a model, in the form ceres::TinySolver asks for.
class Residuals {
 public:
  using Scalar = double;
  enum { NUM_RESIDUALS = Eigen::Dynamic, NUM_PARAMETERS = Eigen::Dynamic };

  Residuals(const CurveModel& model, std::span<const CurvePoint> points, double chance)
      : model_(&model), points_(points), chance_(chance) {
    for (const CurvePoint& point : points) {
      weights_.push_back(1 / std::sqrt(accuracy_variance(point)));
    }
  }

  void hold_asymptote(std::optional<double> value) { held_ = value; }

  [[nodiscard]] int NumResiduals() const { return static_cast<int>(points_.size()); }
  [[nodiscard]] int NumParameters() const { return static_cast<int>(model_->parameters); }

  bool operator()(const double* x, double* residuals, double* jacobian) const {
    parameters_.assign(x, x + model_->parameters);
    std::transform(parameters_.begin() + 1, parameters_.end(), parameters_.begin() + 1,
                   [](double p) { return std::exp(p); });
    if (held_) {
      parameters_[0] = *held_;
    }
    gradient_.resize(jacobian == nullptr ? 0 : model_->parameters);
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const double value = model_->value(points_[i].density, parameters_, chance_, gradient_);
      residuals[i] = weights_[i] * (value - points_[i].accuracy);
      for (std::size_t j = 0; j < gradient_.size(); ++j) {
        jacobian[j * points_.size() + i] = j == 0 && held_ ? 0 : weights_[i] * gradient_[j];
      }
    }
    return true;
  }

  /// The weighted least-squares A1 for given other parameters, within (chance, 1].
  [[nodiscard]] double best_asymptote(std::span<const double> others) const {
    std::vector<double> parameters{0};
    parameters.insert(parameters.end(), others.begin(), others.end());
    std::vector<double> gradient(parameters.size());
    double numerator = 0;
    double denominator = 0;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const double at_zero = model_->value(points_[i].density, parameters, chance_, gradient);
      const double slope = gradient[0] * weights_[i];
      numerator += slope * weights_[i] * (points_[i].accuracy - at_zero);
      denominator += slope * slope;
    }
    const double smallest = chance_ + 1e-3 * (1 - chance_);
    return denominator > 0 ? std::clamp(numerator / denominator, smallest, 1.0) : 1.0;
  }

 private:
  const CurveModel* model_;
  std::span<const CurvePoint> points_;
  double chance_;
  std::vector<double> weights_;
  std::optional<double> held_;
  mutable std::vector<double> parameters_;
  mutable std::vector<double> gradient_;
};

using Solver = ceres::TinySolver<Residuals>;

CurveFit solve(Solver& solver, const Residuals& residuals, std::span<const double> start) {
  Eigen::VectorXd x(static_cast<Eigen::Index>(start.size()));
  std::copy(start.begin(), start.end(), x.data());
  solver.Solve(residuals, &x);
  CurveFit fit;
  fit.converged = solver.summary.status != Solver::HIT_MAX_ITERATIONS;
  fit.parameters.assign(x.data(), x.data() + x.size());
  std::transform(fit.parameters.begin() + 1, fit.parameters.end(), fit.parameters.begin() + 1,
                 [](double p) { return std::exp(p); });
  fit.chi_square = 2 * solver.summary.final_cost;
  return fit;
}

bool admissible(const CurveFit& fit, double chance) {
  return std::isfinite(fit.chi_square) && fit.parameters[0] > chance && fit.parameters[0] <= 1 &&
         std::all_of(fit.parameters.begin(), fit.parameters.end(),
                     [](double p) { return std::isfinite(p) && p > 0; });
}

/// A1 is the only bounded parameter: where the free fit leaves the bound, the bound is active and
/// the others are fitted with A1 = 1.
CurveFit solve_bounded(Residuals& residuals, double chance, std::span<const double> start) {
  Solver solver;
  solver.options.max_num_iterations = 200;
  solver.options.gradient_tolerance = 1e-12;
  solver.options.parameter_tolerance = 1e-11;
  solver.options.function_tolerance = 1e-18;
  solver.options.cost_threshold = 1e-24;
  const std::vector<double> x = to_solver(start);
  residuals.hold_asymptote(std::nullopt);
  CurveFit fit = solve(solver, residuals, x);
  if (!(fit.parameters[0] <= 1)) {
    residuals.hold_asymptote(1.0);
    fit = solve(solver, residuals, x);
    fit.parameters[0] = 1;
  }
  if (!admissible(fit, chance)) {
    return {};
  }
  return fit;
}

}  // namespace

double accuracy_variance(const CurvePoint& point) {
  const auto n = static_cast<double>(point.samples);
  const double p = (n * point.accuracy + 2) / (n + 4);
  return p * (1 - p) / n;
}

CurveFit fit_curve(const CurveModel& model, std::span<const CurvePoint> points, double chance) {
  Residuals residuals(model, points, chance);
  CurveFit best;
  for (const std::vector<double>& others : model.starts(points)) {
    std::vector<double> start{residuals.best_asymptote(others)};
    start.insert(start.end(), others.begin(), others.end());
    CurveFit fit = solve_bounded(residuals, chance, start);
    if (!fit.parameters.empty() && (best.parameters.empty() || fit.chi_square < best.chi_square)) {
      best = std::move(fit);
    }
  }
  return best;
}

CurveFit fit_curve_from(const CurveModel& model, std::span<const CurvePoint> points, double chance,
                        std::span<const double> start) {
  Residuals residuals(model, points, chance);
  return solve_bounded(residuals, chance, start);
}

std::vector<double> fit_covariance(const CurveModel& model, std::span<const CurvePoint> points,
                                   double chance, std::span<const double> parameters) {
  const Residuals residuals(model, points, chance);
  const auto rows = static_cast<Eigen::Index>(points.size());
  const auto columns = static_cast<Eigen::Index>(model.parameters);
  Eigen::VectorXd values(rows);
  Eigen::MatrixXd jacobian(rows, columns);
  residuals(to_solver(parameters).data(), values.data(), jacobian.data());

  // Columns of unit length make the rank independent of the units of the parameters.
  const Eigen::RowVectorXd lengths = jacobian.colwise().norm();
  if (!jacobian.allFinite() || lengths.minCoeff() < 1e-6) {
    return {};
  }
  jacobian.array().rowwise() /= lengths.array();
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(jacobian, Eigen::ComputeThinV);
  if (rows < columns || svd.singularValues()(columns - 1) < 1e-6 * svd.singularValues()(0)) {
    return {};
  }
  const Eigen::MatrixXd root = lengths.cwiseInverse().asDiagonal() * svd.matrixV() *
                               svd.singularValues().cwiseInverse().asDiagonal();
  const Eigen::MatrixXd covariance = root * root.transpose();
  return {covariance.data(), covariance.data() + covariance.size()};
}

double propagated_error(std::span<const double> covariance, std::span<const double> gradient) {
  double variance = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    for (std::size_t j = 0; j < gradient.size(); ++j) {
      variance += gradient[i] * covariance[i * gradient.size() + j] * gradient[j];
    }
  }
  return std::sqrt(variance);
}

}  // namespace gcg
