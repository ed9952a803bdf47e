#include "method/joint_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "search/paired.h"

namespace gcg {

namespace {

/// Neighbouring stages on the same images, and the binomial noise of one accuracy.
void noise_of(const RunRecord& record, const std::vector<std::size_t>& rows,
              JointOptions& options) {
  double pairs = 0;
  double binomial = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double accuracy = record.stages[rows[i]].validation_accuracy;
    binomial += accuracy * (1 - accuracy) / static_cast<double>(record.identity.validation_images);
    if (i > 0) {
      const double error = paired_accuracy(record.predictions.stages.at(rows[i]).hits,
                                           record.predictions.stages.at(rows[i - 1]).hits)
                               .error;
      pairs += error * error;
    }
  }
  // Half a hit is the least that a stage can be told by: perfect and hopeless stages have no noise.
  const double least = 0.5 / static_cast<double>(record.identity.validation_images);
  const auto stages = static_cast<double>(rows.size());
  split_noise(std::max(pairs / (stages - 1), 2 * least * least),
              std::max(binomial / stages, least * least), options);
}

/// The union with the intervals of the forms that know no time.
void widen(JointFit& fit, const std::vector<CurvePoint>& curve, ExtrapolationOptions rule) {
  fit.union_low = fit.d_low;
  fit.union_high = fit.d_high;
  for (const char* form : {"power", "logistic"}) {
    rule.extrapolator = form;
    const Extrapolation other = extrapolate(curve, rule);
    fit.union_low = std::fmin(fit.union_low, other.d_low);
    fit.union_high = std::fmax(fit.union_high, other.d_high);
  }
}

}  // namespace

std::vector<CurvePoint> growth_curve(const RunRecord& record, std::size_t last) {
  std::vector<CurvePoint> points;
  for (std::size_t s = 0; s <= last; ++s) {
    const StageRow& stage = record.stages[s];
    if (stage.phase != Role::stage) {
      continue;
    }
    if (!points.empty() && points.back().density == stage.density) {
      points.pop_back();
    }
    points.push_back({stage.density, stage.validation_accuracy, record.identity.validation_images});
  }
  return points;
}

JointFit joint_fit(const RunRecord& record, std::size_t last, const ExtrapolationOptions& own,
                   const JointPriors& priors, double recipe_epochs) {
  std::vector<std::size_t> rows;
  std::vector<JointPoint> points;
  for (std::size_t s = 0; s <= last; ++s) {
    const StageRow& stage = record.stages[s];
    if (stage.phase == Role::stage) {
      rows.push_back(s);
      points.push_back(
          {stage.density, static_cast<double>(stage.epochs), stage.validation_accuracy});
    }
  }
  JointFit fit;
  if (points.size() < 3) {
    fit.outcome = Outcome::too_few_stages;
    fit.note = fmt::format("{} of 3 stages", points.size());
    return fit;
  }
  JointOptions options;
  options.priors = priors;
  options.recipe_epochs = recipe_epochs;
  options.epsilon =
      own.epsilon *
      (own.epsilon_relative ? std::max(points.back().accuracy - own.chance, 1e-3) : 1);
  options.confidence = own.confidence;
  options.seed = own.seed;
  noise_of(record, rows, options);
  fit = fit_jointly(points, options);
  if (fit.outcome == Outcome::found || fit.outcome == Outcome::needs_dense) {
    widen(fit, growth_curve(record, last), own);
  }
  return fit;
}

}  // namespace gcg
