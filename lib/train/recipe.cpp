#include "train/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gcg {

void add_recipe_options(OptionList& list, Recipe& recipe) {
  list.group("Recipe (the dense training every method is measured by)");
  list.add_choice(
          "recipe", recipe.name, {"own", "deit"},
          "what is not given: the defaults of the options below, or DeiT's recipe for "
          "vision transformers (batches of 1024, 300 epochs, learning rate 0.0005 x "
          "batch size / 512), without its RandAugment, random erasing, repeated augmentation "
          "and lowest learning rate")
      .stands_for_others();
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
  const auto augments = [&recipe] { return recipe.augment; };
  list.add(
          "resized-crop", recipe.resized_crop, kProbability,
          "smallest share of the area of a random part of the image, which is scaled to the whole, "
          "in place of the data set's own crops; 0: those")
      .used_if(augments, "--augment is off");
  list.add("colour-jitter", recipe.colour_jitter, kProbability,
           "brightness, contrast and saturation times random factors, up to 1 less or more by this")
      .used_if(augments, "--augment is off");
  list.add("mixup", recipe.mixing.mixup, kProbability,
           "pairs of a batch are averaged, and so are their labels, by a share drawn from "
           "Beta(this, this) for every batch; 0: none");
  list.add("cutmix", recipe.mixing.cutmix, kProbability,
           "pairs of a batch exchange a rectangle with a share of the area drawn from Beta(this, "
           "this), and as much of their labels; beside --mixup, each for one half of the batches; "
           "0: none");
  list.add("stochastic-depth", recipe.stochastic_depth, {0, 1, false, true},
           "share of the samples for which the last block's residual branches are left out in "
           "training; earlier ones less often, in equal steps from 0 on");
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

std::vector<std::pair<std::string, std::string>> named_recipe(std::string_view name) {
  if (name != "deit") {
    return {};
  }
  return {{"optimiser", "adamw"},     {"weight-decay", "0.05"},
          {"batch-size", "1024"},     {"epochs", "300"},
          {"schedule", "cosine"},     {"warmup", number_text(5.0 / 300)},
          {"label-smoothing", "0.1"}, {"stochastic-depth", "0.1"},
          {"mixup", "0.8"},           {"cutmix", "1"},
          {"resized-crop", "0.08"}};
}

double recipe_learning_rate(const Recipe& recipe) {
  if (recipe.name == "deit") {
    return 0.0005 * static_cast<double>(recipe.batch_size) / 512;
  }
  return find_optimiser(recipe.optimiser).learning_rate;
}

Augmentation recipe_augmentation(const Recipe& recipe, const DataSet& data) {
  if (!recipe.augment) {
    return {};
  }
  Augmentation augmentation{data.crop_padding, data.flip, data.resized_crop ? kUsualCropShare : 0,
                            recipe.colour_jitter};
  if (recipe.resized_crop > 0) {
    augmentation.resized_crop = recipe.resized_crop;
    augmentation.crop_padding = 0;
  }
  return augmentation;
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
