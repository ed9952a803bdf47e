#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/lookup.h"
#include "extrapolate/curve.h"
#include "growth/seed.h"
#include "method/growth_rule.h"
#include "method/joint_record.h"
#include "method/methods.h"
#include "method/seed_options.h"
#include "method/stage_training.h"

namespace gcg {

namespace {

/// Gradual Capacity Growth: seed; then stages of limited training, each followed by a fit of
/// accuracy over density and, unless that says stop, by growth; then the final training.
class Gcg final : public Method {
 public:
  void add_options(OptionList& list) override {
    list.group("Seed (methods that start sparse)");
    add_seed_options(list, seed_);
    list.group("Trunk (methods gcg, fixed_mask, grow_return, grow_budget)");
    add_trunk_options(list, trunk_);
    for (const std::string& name : seed_option_names()) {
      list.restrict(
          name, [this] { return !trunk(); }, "the first stages are the trunk's");
    }
    list.group("Stages and growth (methods gcg, grow_return, grow_budget)");
    add_stage_training_options(list, training_);
    list.add("growth-ratio", growth_ratio_, {0, 100, true, false},
             "connections added per stage over present connections");
    list.add(
        "hold-stages", hold_stages_, {0, 100},
        "further stages at every density before growth goes on, to separate training time from "
        "density");
    add_growth_rule_options(list, rule_);
    list.group("Extrapolation and stop (method gcg)");
    list.add_choice("stop", stop_, {"extrapolation", "never"},
                    "when to stop before --max-density: at d*, or not");
    list.add("max-density", max_density_, kFraction,
             "no stage is denser; the last is cut to it exactly");
    list.add("max-stages", max_stages_, {0, 1e6}, "stop after this many stages; 0: no limit");
    list.add_choice("extrapolator", fit_.extrapolator, row_names(extrapolator_table()),
                    "curve of accuracy over density");
    list.add("epsilon", fit_.epsilon, kFraction,
             "accuracy given away against the fitted accuracy at density 1");
    list.add("epsilon-relative", fit_.epsilon_relative,
             "epsilon is a fraction of accuracy at density 1 minus chance");
    list.add("min-stages", fit_.min_stages, {3, 1e6}, "stages before the first fit");
    list.add("bootstrap", fit_.bootstrap, {0, 1e6}, "replicates for the interval of d*; 0: none");
    list.add("confidence", fit_.confidence, {0, 1, true, true}, "level of the interval of d*")
        .used_if([this] { return fit_.bootstrap > 0; }, "--bootstrap 0 gives no interval");
    list.add("joint-priors", joint_priors_,
             "priors of the joint fit over density and time, a report: NAME=MEAN:DEVIATION,...");
    list.group("Final training (method gcg)");
    list.add_choice(
        "final", final_, {"continue", "rewind", "none"},
        "the recipe on the found network: weights kept, set back to their initial values, "
        "or no final training");
    const auto trained_at_the_end = [this] { return final_ != "none"; };
    restrict_recipe(list, {"schedule", "warmup"}, trained_at_the_end, "there is no final training");
    restrict_recipe(
        list, {"epochs"}, [this] { return final_ != "none" || training_.epochs == 0; },
        "there is no final training, and --stage-epochs is given");
  }

  void check(const Recipe& /*recipe*/) const override {
    check_trunk_name(trunk_);
    check_seed_options(seed_);
    check_growth_rule_options(rule_);
    (void)read_joint_priors(joint_priors_);
    if (!trunk() && seed_.density > max_density_) {
      throw UsageError("--max-density",
                       fmt::format("{} is below --seed-density {}", max_density_, seed_.density));
    }
    if (trunk() && max_stages_ > 0 && max_stages_ <= trunk_.stage) {
      throw UsageError(
          "--max-stages",
          fmt::format("{} stages end before --trunk-stage {}", max_stages_, trunk_.stage),
          "the trunk's stages count: at least --trunk-stage plus 1");
    }
    if (fit_.epsilon_relative && fit_.epsilon >= 1) {
      throw UsageError("--epsilon", "a relative epsilon of 1 gives everything away",
                       "choose a fraction below 1");
    }
  }

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& network) const override {
    const std::int64_t limit = present_for_density(network, max_density_);
    const auto all = static_cast<double>(network.connections());
    const double gradients = gradient_average(rule_) > 0 ? 1 : 0;
    std::vector<PlannedPart> course;
    std::int64_t present = present_for_density(network, seed_.density);
    for (std::int64_t stage = 0;; ++stage) {
      course.push_back({stage, static_cast<double>(present) / all,
                        static_cast<double>(stage_epochs(training_, recipe)), gradients});
      const bool held = (stage + 1) % (hold_stages_ + 1) == 0;
      if ((held && present >= limit) || (max_stages_ > 0 && stage + 1 >= max_stages_)) {
        break;
      }
      present += held ? growth(present, limit) : 0;
    }
    if (final_ != "none") {
      course.push_back(
          {std::ssize(course), course.back().density, static_cast<double>(recipe.epochs)});
    }
    if (trunk()) {  // its stages are not trained again
      std::erase_if(course, [&](const PlannedPart& part) { return part.stage <= trunk_.stage; });
    }
    return course;
  }

  std::optional<Trunk> trunk() const override {
    return trunk_.name.empty() ? std::nullopt : std::optional(trunk_);
  }

  Stage begin(MethodContext& context) const override {
    check_quotas(context.network, rule_, certain_limit(context.network));
    MaskReport mask = apply_seed(seed_, context);
    if (max_stages_ != 1) {
      check_first_growth(
          context, rule_,
          growth(context.state.mask.present(), present_for_density(context.network, max_density_)));
    }
    return limited_training(context, 0, std::move(mask));
  }

  std::optional<Stage> next(MethodContext& context, const Stage& finished) const override {
    if (trunk() && finished.phase.stage == trunk_.stage) {
      take_over_stages(context, finished.phase);
    }
    StageRow& row = context.record.stages.back();
    if (finished.phase.role == Role::final) {
      row.decision = "done";
      return std::nullopt;
    }
    fit_stage(context, context.record.stages.size() - 1);
    if (holds(context)) {
      row.decision = "hold";
      return limited_training(context, finished.phase.stage + 1,
                              {.allocation = finished.mask.allocation});
    }
    const std::string reason = stop_after(context);
    if (reason.empty()) {
      row.decision = "grow";
      return grow_stage(context, finished.phase.stage + 1);
    }
    row.decision = reason;
    if (final_ == "none") {
      return std::nullopt;
    }
    if (final_ == "rewind") {
      context.state = initial_state(context.network, context.state.mask, context.seed);
    }
    Phase phase = recipe_phase(Role::final, context.recipe);
    phase.stage = finished.phase.stage + 1;
    return Stage{phase, {.allocation = finished.mask.allocation}};  // the mask stays
  }

 private:
  [[nodiscard]] std::int64_t growth(std::int64_t present, std::int64_t limit) const {
    const auto wanted = std::llround(growth_ratio_ * static_cast<double>(present));
    return std::min<std::int64_t>(std::max<std::int64_t>(1, wanted), limit - present);
  }

  /// The connections that growth comes to whatever the accuracies are; 0: they decide.
  [[nodiscard]] std::int64_t certain_limit(const Network& network) const {
    return stop_ == "never" && max_stages_ == 0 ? present_for_density(network, max_density_) : 0;
  }

  /// The fits after stage `last`, by the trajectory up to there, into its row.
  void fit_stage(MethodContext& context, std::size_t last) const {
    ExtrapolationOptions options = fit_;
    options.chance = 1.0 / static_cast<double>(context.network.classes());
    options.seed = context.seed;
    StageRow& row = context.record.stages[last];
    row.fit = extrapolate(growth_curve(context.record, last), options);
    row.joint = joint_fit(context.record, last, options, read_joint_priors(joint_priors_),
                          trained_epochs(context, last));
  }

  /// Epochs of the training that the joint fit compares densities for: the recipe's; where none
  /// follows, as many as growth has had.
  [[nodiscard]] double trained_epochs(const MethodContext& context, std::size_t last) const {
    if (final_ != "none") {
      return static_cast<double>(context.recipe.epochs);
    }
    const std::vector<StageRow>& stages = context.record.stages;
    return std::accumulate(stages.begin(), stages.begin() + static_cast<std::ptrdiff_t>(last) + 1,
                           0.0, [](double epochs, const StageRow& row) {
                             return epochs + static_cast<double>(row.epochs);
                           });
  }

  /// Whether the last density has further stages to come.
  [[nodiscard]] bool holds(const MethodContext& context) const {
    const std::vector<StageRow>& stages = context.record.stages;
    const auto here = std::ranges::count(stages, stages.back().present, &StageRow::present);
    return here <= hold_stages_ && (max_stages_ == 0 || std::ssize(stages) < max_stages_);
  }

  /// Whether the fits up to stage `last` say stop.
  [[nodiscard]] bool reached_d_star(const MethodContext& context, std::size_t last) const {
    const std::vector<StageRow>& stages = context.record.stages;
    std::vector<Extrapolation> fits;  // of the last stage at every density
    for (std::size_t s = 0; s <= last; ++s) {
      if (s == last || stages[s + 1].present != stages[s].present) {
        fits.push_back(stages[s].fit);
      }
    }
    return stop_ == "extrapolation" && stop_reason(growth_curve(context.record, last), fits,
                                                   max_density_) == StopReason::reached_d_star;
  }

  /// A trunk's stages as this run sees them: fitted by its own options, as a run without a trunk
  /// would have done.
  void take_over_stages(MethodContext& context, const Phase& finished) const {
    check_quotas(context.network, rule_, certain_limit(context.network));
    if (finished.role != Role::stage) {
      throw Error(fmt::format("--trunk {}", trunk_.name),
                  fmt::format("its stage {} is no stage of growth but of phase {}", trunk_.stage,
                              name_of(finished.role)),
                  "choose an earlier --trunk-stage");
    }
    if (context.state.mask.present() > present_for_density(context.network, max_density_)) {
      throw Error(fmt::format("--trunk {}", trunk_.name),
                  fmt::format("its stage {} of density {} is denser than --max-density {}",
                              trunk_.stage, context.state.mask.density(), max_density_),
                  "choose an earlier --trunk-stage");
    }
    if (gradient_average(rule_) > 0 && context.memory.gradient_average.empty()) {
      throw Error(fmt::format("--trunk {}", trunk_.name),
                  fmt::format("no gradients were averaged during its stage {}", trunk_.stage),
                  "choose a trunk whose --growth-rule or --quotas is momentum");
    }
    std::vector<StageRow>& stages = context.record.stages;
    for (std::size_t s = 0; s + 1 < stages.size(); ++s) {
      fit_stage(context, s);
      if (reached_d_star(context, s)) {
        context.record.warnings.push_back(
            fmt::format("by this run's own options growth would have stopped after stage {} of the "
                        "trunk, before it branches off",
                        stages[s].stage));
      }
    }
  }

  /// The reason to stop after the last stage, or nothing.
  [[nodiscard]] std::string stop_after(const MethodContext& context) const {
    const std::vector<StageRow>& stages = context.record.stages;
    const std::int64_t limit = present_for_density(context.network, max_density_);
    if (context.state.mask.present() >= limit) {
      return "stop: largest density";
    }
    if (reached_d_star(context, stages.size() - 1)) {
      return "stop: reached d*";
    }
    if (max_stages_ > 0 && std::ssize(stages) >= max_stages_) {
      return "stop: last stage";
    }
    return {};
  }

  [[nodiscard]] Stage grow_stage(MethodContext& context, std::int64_t stage) const {
    const std::int64_t limit = present_for_density(context.network, max_density_);
    return limited_training(
        context, stage, grow(context, rule_, growth(context.state.mask.present(), limit), stage));
  }

  [[nodiscard]] Stage limited_training(const MethodContext& context, std::int64_t stage,
                                       MaskReport mask) const {
    Phase phase = stage_phase(training_, context.recipe, stage);
    phase.gradient_average = gradient_average(rule_);
    return {phase, std::move(mask)};
  }

  SeedOptions seed_;
  Trunk trunk_;
  StageTraining training_;
  double growth_ratio_ = 0.25;
  std::int64_t hold_stages_ = 0;
  GrowthRuleOptions rule_;
  std::string stop_ = "extrapolation";
  double max_density_ = 1;
  std::int64_t max_stages_ = 0;
  ExtrapolationOptions fit_;
  std::string joint_priors_;
  std::string final_ = "continue";
};

}  // namespace

std::unique_ptr<Method> make_gcg() { return std::make_unique<Gcg>(); }

}  // namespace gcg
