#include "base/lookup.h"
#include "method/mask_updates.h"
#include "method/methods.h"
#include "method/seed_options.h"
#include "topology/allocation.h"

namespace gcg {

namespace {

/// Gradual magnitude pruning: from the dense network to the target by the cubic law.
class Gmp final : public Method {
 public:
  void add_options(OptionList& list) override {
    list.add("target-density", target_, kFraction, "density at the end");
    std::vector<std::string> scopes{"global"};
    for (const AllocationRule& rule : allocation_table()) {
      scopes.emplace_back(rule.name);
    }
    list.add_choice("prune-scope", scope_, std::move(scopes),
                    "smallest weights of the network, or of each layer by an allocation");
    add_interval_options(list, updates_);
    add_collapse_option(list, collapse_);
    list.restrict(
        "collapse", [this] { return scope_ == "global"; }, "an allocation sets the layer counts");
  }

  void check(const Recipe& /*recipe*/) const override {}

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& /*network*/) const override {
    return cubic_course(1, target_, recipe, updates_, 0);
  }

  Stage begin(MethodContext& context) const override {
    MaskReport mask{.scores = "magnitude: no images, float32"};
    if (scope_ != "global") {
      mask.allocation =
          allocate(scope_, context.network, present_for_density(context.network, target_));
    }
    return {updated_phase(Role::gmp, updates_, context), mask};
  }

  void update(MethodContext& context, const Phase& phase, std::int64_t done) const override {
    const std::int64_t keep =
        cubic_present(context.network.connections(), present_for_density(context.network, target_),
                      progress(phase, done));
    const std::uint64_t number = update_batch(phase, done);
    if (scope_ == "global") {
      prune_magnitude(context, keep, disconnected_policy(collapse_), number);
    } else {
      prune_magnitude(context, allocate(scope_, context.network, keep).counts, number);
    }
  }

  std::optional<Stage> next(MethodContext& context, const Stage& /*finished*/) const override {
    context.record.stages.back().decision = "done";
    return std::nullopt;
  }

 private:
  double target_ = 0.1;
  std::string scope_ = "global";
  UpdateOptions updates_;
  std::string collapse_ = "repair";
};

}  // namespace

std::unique_ptr<Method> make_gmp() { return std::make_unique<Gmp>(); }

}  // namespace gcg
