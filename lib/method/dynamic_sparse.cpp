#include <cmath>
#include <numbers>

#include "method/mask_updates.h"
#include "method/methods.h"
#include "method/seed_options.h"

namespace gcg {

namespace {

/// A mask of constant layer counts whose weakest connections are replaced while it trains: SET at
/// random, RigL where the loss gradient is largest.
class DynamicSparse final : public Method {
 public:
  DynamicSparse(Role role, const char* rule) : role_(role), regrowth_{rule} {}

  void add_options(OptionList& list) override {
    add_seed_options(list, seed_);
    add_interval_options(list, updates_);
    add_fraction_option(list, updates_);
  }

  void check(const Recipe& /*recipe*/) const override { check_seed_options(seed_); }

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& /*network*/) const override {
    return cubic_course(seed_.density, seed_.density, recipe, updates_,
                        find_score(regrowth_.rule).images ? 1 : 0);
  }

  Stage begin(MethodContext& context) const override {
    MaskReport mask = apply_seed(seed_, context);
    mask.scores = find_score(regrowth_.rule).equal
                      ? "drop: magnitude; grow: random"
                      : "drop: magnitude; grow: gradient, 1 batch, batch norm in training mode, "
                        "float32";
    return {updated_phase(role_, updates_, context), mask};
  }

  void update(MethodContext& context, const Phase& phase, std::int64_t done) const override {
    const double decay = (1 + std::cos(std::numbers::pi * progress(phase, done))) / 2;
    drop_and_grow(context, regrowth_, updates_.fraction * decay, update_batch(phase, done));
    if (done == phase.mask_updates.back()) {
      check_paths(context, DisconnectedPolicy::warn);
    }
  }

  std::optional<Stage> next(MethodContext& context, const Stage& /*finished*/) const override {
    context.record.stages.back().decision = "done";
    return std::nullopt;
  }

 private:
  Role role_;
  Regrowth regrowth_;
  SeedOptions seed_{.rule = "erk", .density = 0.1};
  UpdateOptions updates_;
};

}  // namespace

std::unique_ptr<Method> make_set() { return std::make_unique<DynamicSparse>(Role::set, "random"); }
std::unique_ptr<Method> make_rigl() {
  return std::make_unique<DynamicSparse>(Role::rigl, "gradient");
}

}  // namespace gcg
