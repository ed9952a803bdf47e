#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/network.h"
#include "study/run_plan.h"
#include "train/method.h"

namespace gcg {

/// Seconds for the kinds of work that make up runs of one network on one data set.
struct WorkTimes {
  Shape input;
  std::int64_t classes = 0;
  std::int64_t train_images = 0, validation_images = 0, test_images = 0;
  bool data_read = false;         ///< the counts are from the files, else of the published set
  std::vector<double> densities;  ///< rising
  std::vector<double> train, evaluate;  ///< per image at each density, with making the batch
  double gradients = 0;                 ///< dense gradients, per image
  double statistics = 0, score = 0;     ///< for one stage's mask
  double record = 0;                    ///< one checkpoint and run file
  double start = 0;                     ///< starting the process, with its data
};

/// Sets the numbers of images of a plan's published data set, divided as the plan divides them.
void count_published(WorkTimes& work, const RunPlan& plan);

/// Seconds of a training: every epoch at its density (linear between measured densities), with
/// validation and record; statistics and score after every stage; the test at the end.
double course_seconds(const WorkTimes& work, const std::vector<PlannedPart>& course,
                      std::int64_t batch_size);

/// Seconds of a run, from its method's planned course.
double plan_seconds(const RunPlan& plan, const WorkTimes& work);

/// The network of a plan for data of this shape.
Network planned_network(const RunPlan& plan, const Shape& input, std::int64_t classes);

/// The same for the published form of the plan's data set: for plans without files.
Network planned_network(const RunPlan& plan);

/// The text of gcg_run --estimate: one line of JSON with the run's name, seconds and work times.
std::string estimate_text(const RunPlan& plan, const WorkTimes& work);

/// Reads the work times back from the line. Anything else is an Error.
WorkTimes read_estimate(const std::string& text);

}  // namespace gcg
