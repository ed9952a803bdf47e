#include "train/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gcg {

void add_recipe_options(OptionList& list, Recipe& recipe) {
  list.group("Recipe (the dense training every method is measured by)");
  list.add("epochs", recipe.epochs, {1, 1e6}, "epochs of the recipe's schedule");
  list.add("batch-size", recipe.batch_size, {2, 1e6},
           "images per update; a smaller last batch is used");
  std::string peaks;
  for (const Optimiser& optimiser : optimiser_table()) {
    peaks += fmt::format("{}{} for {}", peaks.empty() ? "" : ", ",
                         number_text(optimiser.learning_rate), optimiser.name);
  }
  list.add("learning-rate", recipe.learning_rate, kPositive,
           fmt::format("peak learning rate; unless given, {}", peaks));
  list.add_choice("schedule", recipe.schedule, {"step", "cosine"},
                  "learning rate over the epochs, step: x0.1 at 1/2 and 3/4");
  list.add("warmup", recipe.warmup, {0, 1, false, true},
           "share of the epochs with a linear rise to the peak");
  add_optimiser_options(list, recipe.optimiser, recipe.optimiser_settings);
  list.add("augment", recipe.augment, "random crops and mirror images, as the data set allows");
  list.add("label-smoothing", recipe.label_smoothing, {0, 1, false, true},
           "share of every training target that is spread evenly over the classes");
  list.add("validation-fraction", recipe.validation_fraction, {0, 0.5},
           "stratified share of the training images kept for validation; 0: 10 %, or 20 % below "
           "10,000 images");
  list.add("class-subset", recipe.task.classes, {0, 1e6},
           "classes that are kept, drawn by the run's seed, at least 2; 0: all");
  list.add("train-share", recipe.task.train_share, kFraction,
           "share of the training split that is kept, stratified; validation and test stay");
  list.add("label-noise", recipe.task.label_noise, {0, 1, false, true},
           "share of the training split's labels that are wrong; validation and test stay true");
  list.add_choice("budget", recipe.budget, {"epochs", "flops", "time"},
                  "what equals dense training; flops and time stretch the "
                  "epochs by 1 / cost-ratio, at most fivefold");
  list.add("cost-ratio", recipe.cost_ratio, kPositive,
           "FLOPs or seconds of the method at equal epochs over those of dense training, as "
           "gcg_run --calibrate prints")
      .used_if([&recipe] { return recipe.budget != "epochs"; }, "the budget is epochs");
}

Recipe with_budget(Recipe recipe) {
  if (recipe.budget != "epochs") {
    const double wanted = std::min(kLargestStretch, 1 / recipe.cost_ratio);
    const auto epochs = static_cast<double>(recipe.epochs);
    recipe.epochs = std::max<std::int64_t>(1, std::llround(wanted * epochs));
    recipe.stretch = static_cast<double>(recipe.epochs) / epochs;
  }
  return recipe;
}

Schedule recipe_schedule(const Recipe& recipe) {
  return {recipe.schedule == "cosine" ? ScheduleShape::cosine : ScheduleShape::step,
          recipe.learning_rate, recipe.warmup};
}

void recipe_step(const Recipe& recipe, double learning_rate, Executor& executor) {
  executor.step(make_step(recipe.optimiser, learning_rate, recipe.optimiser_settings));
}

}  // namespace gcg
