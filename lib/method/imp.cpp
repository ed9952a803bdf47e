#include <algorithm>
#include <cmath>

#include "growth/seed.h"
#include "method/mask_updates.h"
#include "method/methods.h"
#include "method/seed_options.h"
#include "method/stage_training.h"

namespace gcg {

namespace {

/// Iterative magnitude pruning: train, prune a share of the survivors across layers, go back, train
/// again, until the target; the last round is cut to the exact count.
class Imp final : public Method {
 public:
  void add_options(OptionList& list) override {
    list.add("target-density", target_, kFraction, "density at the end");
    list.add("prune-fraction", fraction_, {0, 1, true, true}, "share of the survivors per round");
    list.add_choice(
        "rewind", rewind_, {"weights", "rate", "none"},
        "after pruning: weights of an early update and the schedule from there; weights "
        "kept and the schedule again; fine-tuning at the last learning rate");
    list.add("rewind-share", rewind_share_, {0, 0.5},
             "share of the first training to rewind to; 0: the initial weights")
        .used_if([this] { return rewind_ == "weights"; }, "the weights are not rewound");
    list.add(
        "round-epochs", round_epochs_, {0, 1e6},
        "epochs of every training but the one by the whole recipe, which is the last, or under "
        "fine-tuning the first; 0: those of the recipe");
    add_collapse_option(list, collapse_);
  }

  void check(const Recipe& /*recipe*/) const override {}

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& network) const override {
    const auto all = static_cast<double>(network.connections());
    const std::int64_t target = present_for_density(network, target_);
    std::vector<PlannedPart> course{{0, 1, static_cast<double>(short_epochs(recipe))}};
    for (std::int64_t present = network.connections(); present > target;) {
      present = survivors(present, target);
      course.push_back({std::ssize(course), static_cast<double>(present) / all,
                        static_cast<double>(short_epochs(recipe))});
    }
    (rewind_ == "none" ? course.front() : course.back()).epochs =
        static_cast<double>(recipe.epochs);
    return course;
  }

  Stage begin(MethodContext& context) const override {
    (void)pruning_target(context.network, "--target-density", target_,
                         disconnected_policy(collapse_));
    Phase phase = recipe_phase(Role::dense, context.recipe);
    phase.epochs = first_epochs(context);
    if (rewind_ == "weights") {
      phase.snapshot = rewind_update(context);  // what later rounds go back to
    }
    return {phase};
  }

  std::optional<Stage> next(MethodContext& context, const Stage& finished) const override {
    const std::int64_t target = present_for_density(context.network, target_);
    const std::int64_t present = context.state.mask.present();
    if (present <= target) {
      context.record.stages.back().decision = "done";
      return std::nullopt;
    }
    context.record.stages.back().decision = "prune";
    Phase phase = recipe_phase(Role::round, context.recipe);
    phase.stage = finished.phase.stage + 1;
    const std::int64_t keep = survivors(present, target);
    phase.epochs =
        keep == target && rewind_ != "none" ? context.recipe.epochs : short_epochs(context.recipe);
    prune_magnitude(context, keep, disconnected_policy(collapse_),
                    static_cast<std::uint64_t>(phase.stage));
    check_paths(context, disconnected_policy(collapse_));
    if (rewind_ == "weights") {
      TrainingState rewound = *context.memory.kept;
      rewound.mask = context.state.mask;
      clear_absent(rewound);
      context.state = std::move(rewound);
      phase.first_update =
          std::min(rewind_update(context), phase.epochs * context.epoch_updates - 1);
    } else {
      clear_slots(context.state);
      if (rewind_ == "none") {
        phase.schedule = {ScheduleShape::constant, 0.01 * context.recipe.learning_rate, 0};
      }
    }
    return Stage{phase, {.scores = "magnitude: no images, float32"}};
  }

 private:
  [[nodiscard]] std::int64_t survivors(std::int64_t present, std::int64_t target) const {
    const auto kept = std::llround((1 - fraction_) * static_cast<double>(present));
    return std::max(target, std::min<std::int64_t>(kept, present - 1));
  }

  [[nodiscard]] std::int64_t short_epochs(const Recipe& recipe) const {
    return round_epochs_ > 0 ? round_epochs_ : recipe.epochs;
  }

  /// Of the training before any pruning. Fine-tuning starts from a network that the whole recipe
  /// trained; with a rewind the whole recipe trains what was found, and a target of 1 finds
  /// nothing.
  [[nodiscard]] std::int64_t first_epochs(const MethodContext& context) const {
    const bool only =
        present_for_density(context.network, target_) == context.network.connections();
    return rewind_ == "none" || only ? context.recipe.epochs : short_epochs(context.recipe);
  }

  [[nodiscard]] std::int64_t rewind_update(const MethodContext& context) const {
    return std::llround(rewind_share_ *
                        static_cast<double>(first_epochs(context) * context.epoch_updates));
  }

  double target_ = 0.1;
  double fraction_ = 0.2;
  std::string rewind_ = "weights";
  double rewind_share_ = 0.01;
  std::int64_t round_epochs_ = 0;
  std::string collapse_ = "repair";
};

}  // namespace

std::unique_ptr<Method> make_imp() { return std::make_unique<Imp>(); }

}  // namespace gcg
