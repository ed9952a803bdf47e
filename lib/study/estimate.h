#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/network.h"
#include "study/run_plan.h"
#include "train/method.h"

namespace gcg {

/// Seconds of the kinds of work that runs of one network on one data set consist of.
struct WorkTimes {
  Shape input;
  std::int64_t classes = 0;
  std::int64_t train_images = 0, validation_images = 0, test_images = 0;
  bool data_read = false;         ///< the counts are those of the files, else of the published set
  std::vector<double> densities;  ///< rising
  std::vector<double> train, evaluate;  ///< per image, at each density; making the batch included
  double gradients = 0;                 ///< dense gradients, per image
  double statistics = 0, score = 0;     ///< of one stage's mask
  double record = 0;                    ///< one checkpoint and run file
  double start = 0;                     ///< of the process, data included
};

/// Sets the images of the published data set of a plan, as the plan divides them.
void count_published(WorkTimes& work, const RunPlan& plan);

/// Seconds of a training: every epoch at its density (linear between the densities measured),
/// validation and record after it, statistics and score after every stage, the test at the end.
double course_seconds(const WorkTimes& work, const std::vector<PlannedPart>& course,
                      std::int64_t batch_size);

/// Seconds of a run by its method's planned course.
double plan_seconds(const RunPlan& plan, const WorkTimes& work);

/// What the network of a plan is on data of this shape.
Network planned_network(const RunPlan& plan, const Shape& input, std::int64_t classes);

/// The same on the published form of the plan's data set: for plans without files.
Network planned_network(const RunPlan& plan);

/// gcg_run --estimate: one line of JSON with the run's name, its seconds, and the work times.
std::string estimate_text(const RunPlan& plan, const WorkTimes& work);

/// Reads the line back. Anything else: an Error.
WorkTimes read_estimate(const std::string& text);

}  // namespace gcg
