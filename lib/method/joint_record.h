#pragma once

#include <cstddef>
#include <vector>

#include "extrapolate/joint.h"
#include "record/run_record.h"

namespace gcg {

/// The stages of growth of a record up to row `last`, as a curve over density: of stages that held
/// a density, the last one.
std::vector<CurvePoint> growth_curve(const RunRecord& record, std::size_t last);

/// The joint fit of the stages of growth up to row `last`, which has to be one: accuracy over
/// density and time, the noise by the validation images of neighbouring stages. epsilon,
/// chance and seed are those of `own`, the rule that the run stops by. The union is that
/// with the intervals of the power and the logistic form under the same rule: each knows the noise,
/// and none knows whether its form is the true one. Fewer than three stages: outcome
/// too_few_stages.
JointFit joint_fit(const RunRecord& record, std::size_t last, const ExtrapolationOptions& own,
                   const JointPriors& priors, double recipe_epochs);

}  // namespace gcg
