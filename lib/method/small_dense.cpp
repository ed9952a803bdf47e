#include <fmt/format.h>

#include "base/error.h"
#include "graph/networks.h"
#include "method/methods.h"
#include "method/stage_training.h"

namespace gcg {

namespace {

double size_of(std::string_view network, NetworkRequest request, std::int64_t width, bool flops) {
  request.width = width;
  const Network built = build_network(network, request);
  return flops ? forward_flops(built, layer_sizes(built))
               : static_cast<double>(built.connections());
}

/// The widest dense network of the family that is no larger than a sparse one would be.
class SmallDense final : public Method {
 public:
  void add_options(OptionList& list) override {
    list.add("target-density", target_, kFraction,
             "size over that of the network of the asked width");
    list.add_choice("match", match_, {"connections", "flops"}, "measure of size");
  }

  void check(const Recipe& /*recipe*/) const override {}

  std::int64_t width(std::string_view network, const NetworkRequest& request) const override {
    const bool flops = match_ == "flops";
    const double limit = target_ * size_of(network, request, request.width, flops);
    // Doubling, then halving the interval: sizes rise with the width. In steps of the network.
    const std::int64_t step = network_entry(network).width_step;
    std::int64_t low = 0;
    std::int64_t high = 1;
    while (size_of(network, request, high * step, flops) <= limit) {
      low = high;
      high *= 2;
    }
    while (high - low > 1) {
      const std::int64_t middle = low + (high - low) / 2;
      (size_of(network, request, middle * step, flops) <= limit ? low : high) = middle;
    }
    if (low == 0) {
      throw Error(
          fmt::format("--target-density {}", target_),
          fmt::format("{} of width {} is larger than that share of the network", network, step),
          "choose a higher density");
    }
    return low * step;
  }

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& /*network*/) const override {
    return {{0, 1, static_cast<double>(recipe.epochs)}};
  }

  Stage begin(MethodContext& context) const override {
    return {recipe_phase(Role::dense, context.recipe)};
  }

  std::optional<Stage> next(MethodContext& context, const Stage& /*finished*/) const override {
    context.record.stages.back().decision = "done";
    return std::nullopt;
  }

 private:
  double target_ = 0.1;
  std::string match_ = "connections";
};

}  // namespace

std::unique_ptr<Method> make_small_dense() { return std::make_unique<SmallDense>(); }

}  // namespace gcg
