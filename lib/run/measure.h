#pragma once

#include "study/estimate.h"
#include "study/run_plan.h"

namespace gcg {

/// Times the kinds of work of a plan's run: a few training steps and evaluations of its network
/// under random masks of three densities, dense gradients, the statistics of a mask, a path score,
/// a checkpoint with its run file in a temporary folder. A few seconds for CIFAR networks. The
/// shortest of several repetitions counts, in processor time where the run has one thread, so that
/// other work on the machine disturbs little.
///
/// The images are those of the plan's data set if it names a folder, else noise in the shape and
/// number of the published set. Writes nothing into the run's folder. Errors: those of the data set
/// and the network.
WorkTimes measure_work(const RunPlan& plan);

}  // namespace gcg
