#include <algorithm>
#include <numeric>

#include "base/lookup.h"
#include "method/mask_updates.h"
#include "method/methods.h"
#include "method/seed_options.h"
#include "topology/allocation.h"

namespace gcg {

namespace {

/// The layer counts of `keep` connections that are nearest to an allocation while no layer gains
/// any (`most`: what is present) or falls below its count at the end (`least`). Rounding to whole
/// connections can give a layer more of a smaller total, and pruning gives nothing back.
std::vector<std::int64_t> pruned_counts(const Allocation& allocation, std::int64_t keep,
                                        const std::vector<std::int64_t>& least,
                                        const std::vector<std::int64_t>& most) {
  std::vector<std::int64_t> counts = allocation.counts;
  for (std::size_t l = 0; l < counts.size(); ++l) {
    counts[l] = std::min(std::max(counts[l], least[l]), most[l]);
  }
  std::int64_t missing = keep - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  while (missing != 0) {
    const std::int64_t step = missing > 0 ? 1 : -1;
    const auto lacks = [&](std::size_t l) {
      return static_cast<double>(step) * (allocation.wanted[l] - static_cast<double>(counts[l]));
    };
    std::size_t best = counts.size();
    for (std::size_t l = 0; l < counts.size(); ++l) {
      const bool has_room = step > 0 ? counts[l] < most[l] : counts[l] > least[l];
      if (has_room && (best == counts.size() || lacks(l) > lacks(best))) {
        best = l;
      }
    }
    counts[best] += step;
    missing -= step;
  }
  return counts;
}

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
    // Where it cannot be reached, that is told before any training.
    if (scope_ == "global") {
      (void)pruning_target(context.network, "--target-density", target_,
                           disconnected_policy(collapse_));
    } else {
      mask.allocation =
          allocate(scope_, context.network, present_for_density(context.network, target_));
    }
    return {updated_phase(Role::gmp, updates_, context), mask};
  }

  void update(MethodContext& context, const Phase& phase, std::int64_t done) const override {
    const std::int64_t target = present_for_density(context.network, target_);
    const std::int64_t keep =
        cubic_present(context.network.connections(), target, progress(phase, done));
    const std::uint64_t number = update_batch(phase, done);
    if (scope_ == "global") {
      prune_magnitude(context, keep, disconnected_policy(collapse_), number);
    } else {
      const std::vector<std::int64_t> counts = pruned_counts(
          allocate(scope_, context.network, keep), keep,
          allocate(scope_, context.network, target).counts, context.state.mask.counts());
      prune_magnitude(context, counts, number);
    }
    if (done == phase.mask_updates.back()) {
      check_paths(context, disconnected_policy(collapse_));
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
