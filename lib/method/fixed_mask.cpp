#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/option_file.h"
#include "method/methods.h"
#include "method/seed_options.h"
#include "method/stage_training.h"
#include "record/export.h"
#include "record/npz.h"
#include "record/run_file.h"

namespace gcg {

namespace {

/// The controls of growth: (a) a constant density trained in the same cycles as a growth path,
/// (b) the mask of a recorded stage on fresh weights by the whole recipe, (c) a random mask
/// likewise.
class FixedMask final : public Method {
 public:
  void add_options(OptionList& list) override {
    const auto seeded = [this] { return mask_file_.path.empty() && trunk_.name.empty(); };
    const auto cyclic = [this] { return cycles_ > 0; };
    list.add("mask-file", mask_file_.path,
             "run file (run.h5) or .npz file (gcg_export, numpy.savez) to take the mask from; "
             "empty: a seed "
             "rule makes it")
        .identified_by([this] { return mask_file_.digest(); })
        .used_if([this] { return trunk_.name.empty(); }, "the mask comes from --trunk");
    list.add("mask-stage", mask_stage_, {-1, 1e6}, "stage of --mask-file; -1: the last")
        .used_if([this] { return !mask_file_.path.empty() && !exported(); },
                 "there is no --mask-file with stages");
    add_trunk_options(list, trunk_);
    list.restrict(
        "trunk", [this] { return mask_file_.path.empty(); }, "the mask comes from --mask-file");
    add_seed_options(list, seed_);
    for (const std::string& name : seed_option_names()) {
      if (name != "disconnected") {  // which holds wherever the mask comes from
        list.restrict(name, seeded, "the mask comes from --mask-file or --trunk");
      }
    }
    list.add("shuffle", shuffle_, "control: the layer counts of the mask, connections at random");
    list.add("reinitialise", reinitialise_,
             "control: the mask on other initial weights than it was made from");
    list.add(
        "cycles", cycles_, {0, 1e6},
        "cycles of --stage-epochs each, as many as the growth path has stages; 0: the recipe once");
    add_stage_training_options(list, training_);
    for (const char* name : {"stage-epochs", "stage-warmup"}) {
      list.restrict(name, cyclic, "without --cycles the recipe sets the epochs");
    }
    restrict_recipe(
        list, {"schedule", "warmup"}, [this] { return cycles_ == 0; },
        "--cycles have a schedule of their own");
    restrict_recipe(
        list, {"epochs"}, [this] { return cycles_ == 0 || training_.epochs == 0; },
        "--cycles and --stage-epochs set the epochs");
  }

  void check(const Recipe& /*recipe*/) const override {
    check_trunk_name(trunk_);
    check_seed_options(seed_);
  }

  std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                          const Network& network) const override {
    double density = 1;  // where another run, perhaps to come, has the mask
    if (mask_file_.path.empty() && trunk_.name.empty()) {
      density = seed_.density;
    } else if (std::filesystem::exists(mask_file_.path)) {
      density = read_mask(network).density();
    }
    const std::int64_t stages = std::max<std::int64_t>(1, cycles_);
    const auto epochs =
        static_cast<double>(cycles_ > 0 ? stage_epochs(training_, recipe) : recipe.epochs);
    std::vector<PlannedPart> course;
    for (std::int64_t stage = 0; stage < stages; ++stage) {
      course.push_back({stage, density, epochs});
    }
    return course;
  }

  Stage begin(MethodContext& context) const override {
    MaskReport mask;
    std::string origin;  // of a mask that no seed rule made
    if (!trunk_.name.empty()) {
      context.state.mask = context.trunk_mask(trunk_);
      origin = fmt::format("mask of {}", trunk_.name);
    } else if (mask_file_.path.empty()) {
      mask = apply_seed(seed_, context);
    } else {
      context.state.mask = read_mask(context.network);
      origin = fmt::format("mask of {}", mask_file_.path);
    }
    if (shuffle_) {
      shuffle(context);
      origin = "shuffled mask";
    }
    if (!origin.empty()) {
      mask.repaired += hold_to_policy(seed_, context, context.state.mask, origin);
    }
    if (shuffle_ || reinitialise_ || !origin.empty()) {
      const std::uint64_t seed =
          reinitialise_ ? RandomStream(context.seed, "reinitialise").next_u64() : context.seed;
      context.state = initial_state(context.network, context.state.mask, seed);
    }
    return {cycles_ > 0 ? stage_phase(training_, context.recipe, 0)
                        : recipe_phase(Role::fixed, context.recipe),
            mask};
  }

  std::optional<Stage> next(MethodContext& context, const Stage& finished) const override {
    StageRow& row = context.record.stages.back();
    const std::int64_t stage = finished.phase.stage + 1;
    if (stage < cycles_) {
      row.decision = "train on";
      return Stage{stage_phase(training_, context.recipe, stage),
                   {.allocation = finished.mask.allocation}};
    }
    row.decision = "done";
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool exported() const { return names_npz(mask_file_.path); }

  /// The mask of --mask-file, which has to be one of this network.
  [[nodiscard]] Mask read_mask(const Network& network) const {
    mask_file_.check_unchanged();
    Mask mask = exported() ? read_npz_mask(mask_file_.path, network)
                           : read_stage_mask(mask_file_.path, mask_stage_);
    try {
      check_sizes(network, mask);
    } catch (const Error& error) {
      throw Error(mask_file_.path, error.what(), "the mask belongs to another network or width");
    }
    return mask;
  }

  /// Other connections in the same layers.
  static void shuffle(MethodContext& context) {
    Mask& mask = context.state.mask;
    for (std::size_t l = 0; l < mask.layers.size(); ++l) {
      RandomStream stream(context.seed, "shuffled-mask", l);
      mask.layers[l] = random_layer(mask.layers[l].size(), mask.layers[l].count(), stream);
    }
  }

  OptionFile mask_file_;
  std::int64_t mask_stage_ = -1;
  Trunk trunk_;
  SeedOptions seed_;
  bool shuffle_ = false;
  bool reinitialise_ = false;
  std::int64_t cycles_ = 0;
  StageTraining training_;
};

}  // namespace

std::unique_ptr<Method> make_fixed_mask() { return std::make_unique<FixedMask>(); }

}  // namespace gcg
