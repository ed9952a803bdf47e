#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/options.h"
#include "train/method.h"

namespace gcg {

/// The limited training of one stage: the same for growth and for its controls of constant density,
/// so that the accuracies of stages can be compared.
struct StageTraining {
  std::int64_t epochs = 0;  ///< 0: a tenth of the recipe's epochs, at least 2
  double warmup = 0.05;     ///< share of the stage's updates
};

void add_stage_training_options(OptionList& list, StageTraining& training);

/// Makes options of the recipe depend on a condition, where the list has them.
void restrict_recipe(OptionList& list, std::initializer_list<std::string_view> names,
                     const std::function<bool()>& condition, const std::string& reason_if_not);

/// Epochs of one stage, the default resolved.
std::int64_t stage_epochs(const StageTraining& training, const Recipe& recipe);

/// A phase of the whole recipe.
Phase recipe_phase(Role role, const Recipe& recipe);

/// A phase of one cosine cycle from the recipe's learning rate to 0.
Phase stage_phase(const StageTraining& training, const Recipe& recipe, std::int64_t stage);

}  // namespace gcg
