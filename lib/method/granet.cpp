#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "method/mask_updates.h"
#include "method/methods.h"
#include "method/seed_options.h"

namespace gcg {

namespace {

/// GraNet: gradual magnitude pruning across layers from a sparse start, and at every update a share
/// of each layer regrown where the loss gradient is largest.
class GraNet final : public Method {
 public:
  void add_options(OptionList& list) override {
    add_seed_options(list, seed_);
    list.add("target-density", target_, kFraction, "density at the end");
    add_interval_options(list, updates_);
    add_fraction_option(list, updates_);
    add_collapse_option(list, collapse_);
  }

  void check(const Recipe& /*recipe*/) const override {
    check_seed_options(seed_);
    if (target_ > seed_.density) {
      throw UsageError("--target-density",
                       fmt::format("{} is above --seed-density {}", target_, seed_.density));
    }
  }

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& /*network*/) const override {
    return cubic_course(seed_.density, target_, recipe, updates_, 1);
  }

  Stage begin(MethodContext& context) const override {
    (void)pruning_target(context.network, "--target-density", target_,
                         disconnected_policy(collapse_));
    // The seed's allocation is not what the pruned mask aims at.
    const std::int64_t moved = apply_seed(seed_, context).repaired;
    return {updated_phase(Role::granet, updates_, context),
            {.repaired = moved,
             .scores = "prune, drop: magnitude; grow: gradient, 1 batch, batch norm in training "
                       "mode, float32"}};
  }

  void update(MethodContext& context, const Phase& phase, std::int64_t done) const override {
    const double u = progress(phase, done);
    const std::uint64_t number = update_batch(phase, done);
    const std::int64_t keep = cubic_present(present_for_density(context.network, seed_.density),
                                            present_for_density(context.network, target_), u);
    prune_magnitude(context, keep, disconnected_policy(collapse_), number);
    const double decay = (1 + std::cos(std::numbers::pi * u)) / 2;
    drop_and_grow(context, {"gradient"}, updates_.fraction * decay, number);
    if (done == phase.mask_updates.back()) {
      check_paths(context, disconnected_policy(collapse_));
    }
  }

  std::optional<Stage> next(MethodContext& context, const Stage& /*finished*/) const override {
    context.record.stages.back().decision = "done";
    return std::nullopt;
  }

 private:
  SeedOptions seed_{.rule = "erk", .density = 0.5};
  double target_ = 0.1;
  UpdateOptions updates_;
  std::string collapse_ = "repair";
};

}  // namespace

std::unique_ptr<Method> make_granet() { return std::make_unique<GraNet>(); }

}  // namespace gcg
