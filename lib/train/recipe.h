#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/executor.h"
#include "base/options.h"
#include "data/dataset.h"
#include "data/mixing.h"
#include "data/samples.h"
#include "data/task.h"
#include "train/schedule.h"

namespace gcg {

/// How the study trains a dense network; all methods use the same recipe. The defaults are the
/// CIFAR recipe of the residual networks.
struct Recipe {
  std::string name = "own";  ///< "deit": what is not given is as in DeiT's recipe
  std::int64_t epochs = 160;
  std::int64_t batch_size = 128;
  double learning_rate = 0.1;
  std::string schedule = "step";
  double warmup = 0;  ///< share of the epochs
  std::string optimiser = "sgd";
  OptimiserSettings optimiser_settings;
  bool augment = true;          ///< the data set's own augmentation
  double resized_crop = 0;      ///< smallest share of random resized crops; 0: the data set's own
  double colour_jitter = 0;     ///< strength
  Mixing mixing;                ///< mixup and CutMix
  double stochastic_depth = 0;  ///< NetworkRequest::stochastic_depth
  double label_smoothing = 0;   ///< share of a target spread evenly over the classes
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

/// The options of a recipe by its name, with their values: of "deit" (Touvron et al. 2021, table 9)
/// AdamW with weight decay 0.05, batches of 1024, 300 epochs of the cosine schedule with 5 of
/// warm-up, label smoothing 0.1, stochastic depth 0.1, mixup 0.8, CutMix 1, random resized crops
/// from 8 % of the area on. None of "own". The learning rate depends on the batch size:
/// recipe_learning_rate().
std::vector<std::pair<std::string, std::string>> named_recipe(std::string_view name);

/// The peak learning rate unless one is given: the optimiser's own; of DeiT's recipe 0.0005 for
/// batches of 512, in proportion to the batch size.
double recipe_learning_rate(const Recipe& recipe);

/// How the recipe augments the training images of a data set.
Augmentation recipe_augmentation(const Recipe& recipe, const DataSet& data);

/// The learning-rate schedule of a complete training by the recipe.
Schedule recipe_schedule(const Recipe& recipe);

/// One update with the recipe's optimiser at a learning rate.
void recipe_step(const Recipe& recipe, double learning_rate, Executor& executor);

}  // namespace gcg
