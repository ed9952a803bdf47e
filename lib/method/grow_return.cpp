#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "growth/seed.h"
#include "method/growth_rule.h"
#include "method/mask_updates.h"
#include "method/methods.h"
#include "method/prune_score.h"
#include "method/search_record.h"
#include "method/seed_options.h"
#include "method/stage_training.h"
#include "search/search.h"

namespace gcg {

namespace {

/// Searches for a density that is paid with a share of one dense training. Both grow as gcg does,
/// without a fit. grow_return then prunes back until the validation loss turns, and trains the best
/// network of that way to the end; with a seed of the peak's density it is a static mask that
/// returns, with a dense seed and peak iterative magnitude pruning. grow_budget grows to the
/// density whose final training takes exactly the rest of the budget.
///
/// The way back starts from a peak because a connection that was trained can be judged by its
/// weight and one that was not cannot: tests that prune are fair, tests that grow are not.
class DensitySearch final : public Method {
 public:
  explicit DensitySearch(bool returns) : returns_(returns) {}

  void add_options(OptionList& list) override {
    add_seed_options(list, seed_);
    add_trunk_options(list, trunk_);
    for (const std::string& name : seed_option_names()) {
      list.restrict(
          name, [this] { return !trunk(); }, "the first stages are the trunk's");
    }
    add_stage_training_options(list, training_);
    list.add("growth-ratio", growth_ratio_, {0, 100, true, false},
             "connections added per stage over present connections");
    add_growth_rule_options(list, rule_);
    if (returns_) {
      add_return_options(list);
    }
    list.add("final-share", final_share_, {0, 10, true, false},
             "epochs of the final training over those of the recipe");
    list.add("budget-share", budget_, {0, 100, true, false},
             "density x epochs of all stages and the final training, over one dense training");
  }

  void check(const Recipe& recipe) const override {
    check_trunk_name(trunk_);
    check_seed_options(seed_);
    check_growth_rule_options(rule_);
    if (returns_) {
      check_densities();
    }
    const double first =
        seed_.density *
        static_cast<double>(stage_epochs(training_, recipe) + final_epochs(recipe)) /
        static_cast<double>(recipe.epochs);
    if (!trunk() && first > budget_ * (1 + kRoundingErrors)) {
      throw UsageError("--budget-share",
                       fmt::format("the first stage and a final training at --seed-density {} cost "
                                   "{:.4f} of a dense training, more than {}",
                                   seed_.density, first, budget_),
                       "raise it, or lower --seed-density, --stage-epochs or --final-share");
    }
  }

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& network) const override {
    const SearchOptions options = search_options(recipe, network);
    (void)present_for_density(network, seed_.density);  // an Error where it leaves no connection
    std::vector<PlannedPart> longest;
    // The way back may have to begin anew from higher peaks; how often is not known before.
    for (int peaks = 0;; ++peaks) {
      bool another = false;
      std::vector<PlannedPart> course = course_with(peaks, options, another);
      if (epochs_of(course) >= epochs_of(longest)) {
        longest = std::move(course);
      }
      if (!another) {
        break;
      }
    }
    if (trunk()) {  // its stages are not trained again
      std::erase_if(longest, [&](const PlannedPart& part) { return part.stage <= trunk_.stage; });
    }
    return longest;
  }

  std::optional<Trunk> trunk() const override {
    return trunk_.name.empty() ? std::nullopt : std::optional(trunk_);
  }

  Stage begin(MethodContext& context) const override {
    check_before_training(context.network);
    MaskReport mask = apply_seed(seed_, context);
    const std::int64_t present = context.state.mask.present();
    const std::int64_t wanted = std::llround(growth_ratio_ * static_cast<double>(present));
    const std::int64_t limit =
        returns_ ? present_for_density(context.network, peak_) : context.network.connections();
    check_first_growth(context, rule_,
                       std::min(std::max<std::int64_t>(1, wanted), limit - present));
    return limited_training(context, Role::stage, 0, std::move(mask));
  }

  std::optional<Stage> next(MethodContext& context, const Stage& finished) const override {
    StageRow& row = context.record.stages.back();
    const SearchOptions options = search_options(context.recipe, context.network);
    if (trunk() && finished.phase.stage == trunk_.stage) {
      check_trunk(context, finished.phase, options);
    }
    if (finished.phase.role == Role::final) {
      row.decision = "done";
      return std::nullopt;
    }
    const std::vector<SearchStage> stages = search_stages(context.record);
    const SearchStep step = step_after(stages, options);
    const std::int64_t stage = finished.phase.stage + 1;
    const bool growing = step.action == SearchAction::grow && step.from + 1 == stages.size();
    if (returns_ && !growing) {
      keep_the_best(context, stages);
      compare_way_back(context.record);
    }
    if (step.action != SearchAction::prune && step.from + 1 != stages.size()) {
      context.state = *context.memory.kept;
    }
    switch (step.action) {
      case SearchAction::grow:
        row.decision = "grow";
        return limited_training(context, Role::stage, stage, grow_to(context, step.present, stage));
      case SearchAction::prune:
        row.decision = "prune";
        return limited_training(context, Role::returning, stage,
                                prune_to(context, step.present, stage));
      case SearchAction::finish:
        break;
    }
    row.decision = "stop: " + reason(step.outcome);
    context.record.search = search_result(context.record, step);
    context.memory.kept.reset();
    MaskReport mask{.allocation = finished.mask.allocation};
    if (step.present != context.state.mask.present()) {
      mask = grow_to(context, step.present, stage);
    }
    Recipe shorter = context.recipe;
    shorter.epochs = final_epochs(context.recipe);
    Phase phase = recipe_phase(Role::final, shorter);
    phase.stage = stage;
    return Stage{phase, std::move(mask)};
  }

 private:
  void add_return_options(OptionList& list) {
    list.add("peak-density", peak_, kFraction,
             "growth ends here and the way back begins; the last stage of growth is cut to it");
    list.add("return-share", return_share_, {0, 1, true, true},
             "of the present connections that a stage of the way back removes");
    list.add("smallest-density", smallest_, kFraction, "no stage of the way back is sparser");
    list.add_choice("prune-score", prune_score_, pruning_score_names(),
                    "score of present connections, the smallest of the network go");
    std::vector<std::string> regrowth = growth_rule_names();
    std::erase(regrowth, "momentum");
    regrowth.insert(regrowth.begin(), "none");
    list.add_choice("regrow", regrow_, regrowth,
                    "score by which connections move after every pruning; none: nothing moves");
    list.add("regrow-share", regrow_share_, {0, 1, true, true},
             "of the present connections that move, the smallest weights")
        .used_if([this] { return regrow_ != "none"; }, "nothing is regrown");
    add_collapse_option(list, collapse_);
  }

  void check_densities() const {
    if (!trunk() && seed_.density > peak_) {
      throw UsageError("--peak-density",
                       fmt::format("{} is below --seed-density {}", peak_, seed_.density));
    }
    if (const double first = (1 - return_share_) * peak_;
        smallest_ > first * (1 + kRoundingErrors)) {
      throw UsageError("--smallest-density",
                       fmt::format("{} leaves no way back from --peak-density {}, whose first step "
                                   "is to {:.4g}",
                                   smallest_, peak_, first));
    }
  }

  /// Errors that would else come with growth, and where the way back leads to fewer connections
  /// than pruning can keep.
  void check_before_training(const Network& network) const {
    check_quotas(network, rule_, 0);
    if (returns_) {
      (void)pruning_target(network, "--smallest-density", smallest_,
                           disconnected_policy(collapse_));
    }
  }

  /// What the branch goes on from has to be a stage of a path, and within the budget.
  void check_trunk(const MethodContext& context, const Phase& finished,
                   const SearchOptions& options) const {
    check_before_training(context.network);
    const std::string where = fmt::format("--trunk {}", trunk_.name);
    const bool way_back = finished.role == Role::returning;
    if (finished.role != Role::stage && !(returns_ && way_back)) {
      throw Error(where,
                  fmt::format("its stage {} is no stage of growth but of phase {}", trunk_.stage,
                              name_of(finished.role)),
                  "choose an earlier --trunk-stage");
    }
    if (way_back && !context.memory.kept) {
      throw Error(where,
                  fmt::format("the best state before its stage {} is not kept", trunk_.stage),
                  "choose a trunk of method grow_return, or a stage of growth");
    }
    const double final_training =
        context.state.mask.density() * static_cast<double>(options.final_epochs);
    if (context.record.stages.back().density_epochs + final_training > options.budget) {
      throw Error(where,
                  fmt::format("its stages up to {} and a final training cost more than "
                              "--budget-share {}",
                              trunk_.stage, budget_),
                  "choose an earlier --trunk-stage, or raise --budget-share");
    }
    if (gradient_average(rule_) > 0 && context.memory.gradient_average.empty()) {
      throw Error(where,
                  fmt::format("no gradients were averaged during its stage {}", trunk_.stage),
                  "choose a trunk whose --growth-rule or --quotas is momentum");
    }
  }

  [[nodiscard]] std::int64_t final_epochs(const Recipe& recipe) const {
    return std::max<std::int64_t>(1,
                                  std::llround(final_share_ * static_cast<double>(recipe.epochs)));
  }

  [[nodiscard]] SearchOptions search_options(const Recipe& recipe, const Network& network) const {
    return {.connections = network.connections(),
            .growth_ratio = growth_ratio_,
            .peak = present_for_density(network, peak_),
            .return_share = return_share_,
            .smallest = present_for_density(network, smallest_),
            .stage_epochs = stage_epochs(training_, recipe),
            .final_epochs = final_epochs(recipe),
            .budget = budget_ * static_cast<double>(recipe.epochs)};
  }

  [[nodiscard]] SearchStep step_after(std::span<const SearchStage> stages,
                                      const SearchOptions& options) const {
    return returns_ ? return_step(stages, options) : landing_step(stages, options);
  }

  /// The course where the loss is least at the first `peaks` peaks and falls all the way back from
  /// the next one; `another` tells whether there is a higher one.
  [[nodiscard]] std::vector<PlannedPart> course_with(int peaks, const SearchOptions& options,
                                                     bool& another) const {
    const auto all = static_cast<double>(options.connections);
    const double gradients = gradient_average(rule_) > 0 ? 1 : 0;
    const auto epochs = static_cast<double>(options.stage_epochs);
    std::vector<PlannedPart> course;
    std::vector<SearchStage> stages;
    double spent = 0;
    int peak = 0;
    SearchStep step{SearchAction::grow,
                    std::llround(seed_.density * static_cast<double>(options.connections))};
    while (step.action != SearchAction::finish) {
      const double density = static_cast<double>(step.present) / all;
      const bool returning = step.action == SearchAction::prune;
      peak += !returning && !stages.empty() && stages.back().returning ? 1 : 0;
      spent += density * epochs;
      const double loss = peak < peaks ? -density : density;
      course.push_back({std::ssize(course), density, epochs, gradients});
      stages.push_back({returning, step.present, loss, spent});
      step = step_after(stages, options);
    }
    another = returns_ && peak == peaks;
    // The densest network whose training the rest of the budget pays.
    const double final_training = static_cast<double>(options.final_epochs);
    const double most = std::min(course.back().density, (options.budget - spent) / final_training);
    const double found = static_cast<double>(step.present) / all;
    course.push_back({std::ssize(course), std::max(found, most), final_training});
    return course;
  }

  static double epochs_of(const std::vector<PlannedPart>& course) {
    double sum = 0;
    for (const PlannedPart& part : course) {
      sum += part.epochs;
    }
    return sum;
  }

  /// The state of the least loss of the way back so far.
  static void keep_the_best(MethodContext& context, std::span<const SearchStage> stages) {
    const std::span<const SearchStage> way = way_back(stages);
    if (least_loss(way) + 1 == way.size()) {
      context.memory.kept = context.state;
    }
  }

  [[nodiscard]] Stage limited_training(const MethodContext& context, Role role, std::int64_t stage,
                                       MaskReport mask) const {
    Phase phase = stage_phase(training_, context.recipe, stage);
    phase.role = role;
    phase.gradient_average = gradient_average(rule_);
    return {phase, std::move(mask)};
  }

  [[nodiscard]] MaskReport grow_to(MethodContext& context, std::int64_t present,
                                   std::int64_t stage) const {
    return grow(context, rule_, present - context.state.mask.present(), stage);
  }

  /// Keeps the connections with the largest scores of the network; training then starts with empty
  /// slots, as the schedule starts anew.
  [[nodiscard]] MaskReport prune_to(MethodContext& context, std::int64_t present,
                                    std::int64_t stage) const {
    const auto number = static_cast<std::uint64_t>(stage);
    MaskReport report;
    report.scores =
        prune_by_score(context, prune_score_, present, disconnected_policy(collapse_), number);
    clear_slots(context.state);
    if (regrow_ != "none") {
      report.grown =
          drop_and_grow(context, {regrow_, find_score(regrow_).paths, true}, regrow_share_, number);
    }
    check_paths(context, disconnected_policy(collapse_));
    return report;
  }

  static std::string reason(SearchOutcome outcome) {
    switch (outcome) {
      case SearchOutcome::found:
        return "the loss turned";
      case SearchOutcome::needs_dense:
        return "the loss is least at density 1";
      case SearchOutcome::smallest:
        return "smallest density";
      case SearchOutcome::budget:
      case SearchOutcome::none:
        break;
    }
    return "budget";
  }

  bool returns_;
  SeedOptions seed_;
  Trunk trunk_;
  StageTraining training_;
  double growth_ratio_ = 0.4;
  GrowthRuleOptions rule_;
  double peak_ = 0.376;
  double return_share_ = 0.2;
  double smallest_ = 0.02;
  std::string prune_score_ = "magnitude";
  std::string regrow_ = "none";
  double regrow_share_ = 0.1;
  std::string collapse_ = "repair";
  double final_share_ = 0.5;
  double budget_ = 0.5;
};

}  // namespace

std::unique_ptr<Method> make_grow_return() { return std::make_unique<DensitySearch>(true); }
std::unique_ptr<Method> make_grow_budget() { return std::make_unique<DensitySearch>(false); }

}  // namespace gcg
