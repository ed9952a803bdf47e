#include "method/methods.h"
#include "method/stage_training.h"

namespace gcg {

namespace {

class Dense final : public Method {
 public:
  void add_options(OptionList& /*list*/) override {}
  void check(const Recipe& /*recipe*/) const override {}

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
};

}  // namespace

std::unique_ptr<Method> make_dense() { return std::make_unique<Dense>(); }

}  // namespace gcg
