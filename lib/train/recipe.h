#pragma once

#include <cstdint>
#include <string>

#include "backend/executor.h"
#include "base/options.h"
#include "data/task.h"
#include "train/schedule.h"

namespace gcg {

/// How the study trains a dense network; all methods use the same recipe. The defaults are the
/// CIFAR recipe of the residual networks.
struct Recipe {
  std::int64_t epochs = 160;
  std::int64_t batch_size = 128;
  double learning_rate = 0.1;
  std::string schedule = "step";
  double warmup = 0;  ///< share of the epochs
  std::string optimiser = "sgd";
  OptimiserSettings optimiser_settings;
  bool augment = true;             ///< the data set's own augmentation
  double label_smoothing = 0;      ///< share of a target spread evenly over the classes
  double validation_fraction = 0;  ///< of the training images; 0: 10 %, or 20 % below 10,000 images
  TaskOptions task;                ///< what makes the data set harder or easier
  std::string budget = "epochs";   ///< what equals dense training: epochs, flops or time
  double cost_ratio = 1;           ///< method's cost over dense training's at equal epochs
  double stretch = 1;              ///< factor by which with_budget() changed the epochs; no option
};

/// A stretched training takes at most this many times the epochs.
inline constexpr double kLargestStretch = 5;

/// The recipe with the epochs that its budget pays for: epochs / cost_ratio, rounded, at least 1,
/// at most 5 times the epochs. Schedules follow the epochs; mask updates follow `stretch`. With the
/// budget epochs nothing changes.
Recipe with_budget(Recipe recipe);

/// Adds the recipe's options, bound to its members.
void add_recipe_options(OptionList& list, Recipe& recipe);

/// The learning-rate schedule of a complete training by the recipe.
Schedule recipe_schedule(const Recipe& recipe);

/// One update with the recipe's optimiser at a learning rate.
void recipe_step(const Recipe& recipe, double learning_rate, Executor& executor);

}  // namespace gcg
