#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "growth/grow.h"
#include "growth/rank.h"
#include "method/mask_updates.h"
#include "method/methods.h"
#include "method/seed_options.h"
#include "method/stage_training.h"

namespace gcg {

namespace {

/// AC/DC: dense, then in turn compressed (the largest weights of the network) and decompressed (all
/// connections, the new ones at 0, empty slots), at the end compressed for good. One schedule over
/// all of it.
class AcDc final : public Method {
 public:
  void add_options(OptionList& list) override {
    list.add("target-density", target_, kFraction, "density at the end");
    list.add("turn", turn_, {0, 0.5, true, false}, "share of the training of one turn");
    list.add("first-dense", first_dense_, {0, 1, false, true},
             "share of the training before the first compression, to a whole number of turns");
    list.add("last-sparse", last_sparse_, {0, 1, true, true},
             "share of the training after the last compression");
    add_collapse_option(list, collapse_);
  }

  void check(const Recipe& /*recipe*/) const override {
    if (first_dense_ + last_sparse_ + turn_ > 1 + kRoundingErrors) {
      throw UsageError("--turn",
                       fmt::format("{} + --first-dense {} + --last-sparse {} exceed 1", turn_,
                                   first_dense_, last_sparse_),
                       "they are shares of one training: lower one of them");
    }
  }

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& /*network*/) const override {
    const auto epochs = static_cast<double>(recipe.epochs);
    const std::int64_t last = last_turn();
    std::vector<PlannedPart> course;
    for (std::int64_t turn = 0; turn < last; ++turn) {
      const double end = turn + 1 < last ? turn_ * static_cast<double>(turn + 1) : 1 - last_sparse_;
      course.push_back(
          {0, is_sparse(turn) ? target_ : 1, (end - turn_ * static_cast<double>(turn)) * epochs});
    }
    course.push_back({0, target_, last_sparse_ * epochs});
    return course;
  }

  Stage begin(MethodContext& context) const override {
    (void)pruning_target(context.network, "--target-density", target_,
                         disconnected_policy(collapse_));
    Phase phase = recipe_phase(Role::acdc, context.recipe);
    const std::int64_t updates = context.recipe.epochs * context.epoch_updates;
    const auto after = [&](double share) {
      return std::llround(share * static_cast<double>(updates));
    };
    if (turn_ * static_cast<double>(updates) < 1) {
      throw Error("--turn", fmt::format("{} of {} updates is none", turn_, updates),
                  "choose longer turns or more epochs");
    }
    if (after(1 - last_sparse_) >= updates) {
      throw Error("--last-sparse", fmt::format("{} of {} updates is none", last_sparse_, updates),
                  "choose a larger share or more epochs");
    }
    // Turn t begins after the t-th of these updates; the last compression falls where the sparse
    // training at the end has its whole share.
    const std::int64_t last = after(1 - last_sparse_);
    for (std::int64_t turn = 1; turn < last_turn(); ++turn) {
      if (const auto begin = after(turn_ * static_cast<double>(turn)); begin < last) {
        phase.mask_updates.push_back(begin);
      }
    }
    if (is_sparse(std::ssize(phase.mask_updates))) {
      throw Error("--turn",
                  fmt::format("the dense turn before the last compression, after update {} of {}, "
                              "has none",
                              last, updates),
                  "choose longer turns or more epochs");
    }
    phase.mask_updates.push_back(last);
    return {phase, {.scores = "magnitude: no images, float32"}};
  }

  void update(MethodContext& context, const Phase& phase, std::int64_t done) const override {
    const auto begun = std::ranges::lower_bound(phase.mask_updates, done);
    const std::int64_t turn =
        done == phase.mask_updates.back() ? last_turn() : begun - phase.mask_updates.begin() + 1;
    const bool sparse = is_sparse(turn);
    if (sparse == is_sparse(turn - 1)) {
      return;
    }
    if (sparse) {
      prune_magnitude(context, present_for_density(context.network, target_),
                      disconnected_policy(collapse_), update_batch(phase, done));
      if (done == phase.mask_updates.back()) {
        check_paths(context, disconnected_policy(collapse_));
      }
      return;
    }
    const Mask added = absent(context.network, context.state.mask);
    add_connections(context.network, context.state, added, NewWeight::zero, context.state.values,
                    RandomStream(context.seed, "decompress"));
    clear_slots(context.state);
  }

  std::optional<Stage> next(MethodContext& context, const Stage& /*finished*/) const override {
    context.record.stages.back().decision = "done";
    return std::nullopt;
  }

 private:
  /// The turn that the last compression begins.
  [[nodiscard]] std::int64_t last_turn() const { return std::llround((1 - last_sparse_) / turn_); }

  /// The turn before the last compression is dense, so that the final mask is chosen among all.
  [[nodiscard]] bool is_sparse(std::int64_t turn) const {
    const std::int64_t first = std::max<std::int64_t>(1, std::llround(first_dense_ / turn_));
    if (turn >= last_turn()) {
      return true;
    }
    return turn >= first && turn + 1 < last_turn() && (turn - first) % 2 == 0;
  }

  double target_ = 0.1;
  double turn_ = 0.05;
  double first_dense_ = 0.1;
  double last_sparse_ = 0.15;
  std::string collapse_ = "repair";
};

}  // namespace

std::unique_ptr<Method> make_acdc() { return std::make_unique<AcDc>(); }

}  // namespace gcg
