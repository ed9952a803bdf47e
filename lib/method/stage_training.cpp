#include "method/stage_training.h"

#include <algorithm>
#include <cmath>

namespace gcg {

void add_stage_training_options(OptionList& list, StageTraining& training) {
  list.add("stage-epochs", training.epochs, {0, 1e6},
           "epochs of training per stage; 0: a tenth of --epochs, at least 2");
  list.add("stage-warmup", training.warmup, {0, 1, false, true},
           "share of a stage's updates with a linear rise to the peak learning rate");
}

void restrict_recipe(OptionList& list, std::initializer_list<std::string_view> names,
                     const std::function<bool()>& condition, const std::string& reason_if_not) {
  for (const std::string_view name : names) {
    if (list.find(name) != nullptr) {
      list.restrict(name, condition, reason_if_not);
    }
  }
}

std::int64_t stage_epochs(const StageTraining& training, const Recipe& recipe) {
  if (training.epochs > 0) {
    return training.epochs;
  }
  return std::max<std::int64_t>(2, std::llround(0.1 * static_cast<double>(recipe.epochs)));
}

Phase recipe_phase(Role role, const Recipe& recipe) {
  Phase phase;
  phase.role = role;
  phase.epochs = recipe.epochs;
  phase.schedule = recipe_schedule(recipe);
  return phase;
}

Phase stage_phase(const StageTraining& training, const Recipe& recipe, std::int64_t stage) {
  Phase phase;
  phase.role = Role::stage;
  phase.stage = stage;
  phase.epochs = stage_epochs(training, recipe);
  phase.schedule = {ScheduleShape::cosine, recipe.learning_rate, training.warmup};
  return phase;
}

}  // namespace gcg
