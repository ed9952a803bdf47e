// Every method that changes masks while it trains, on invented gradients: what holds for all of
// them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "backend/slots.h"
#include "base/error.h"
#include "method/mask_updates.h"
#include "method/play.h"
#include "topology/allocation.h"
#include "topology/reachability.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using testing::Options;
using testing::play;
using testing::Play;

double flat(double /*density*/) { return 0.5; }

/// One way to run a method that ends at density 0.1.
struct Case {
  std::string name;
  std::string method;
  Options options;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::vector<Case> cases() {
  const Options often{{"update-interval", "10"}};
  const auto with = [](Options options, const Options& more) {
    options.insert(more.begin(), more.end());
    return options;
  };
  const Options sparse = with(often, {{"seed-density", "0.1"}});
  const Options target = with(often, {{"target-density", "0.1"}});
  return {{"set", "set", sparse},
          {"rigl", "rigl", sparse},
          {"granet", "granet", target},
          {"gmp", "gmp", target},
          {"gmp_erk", "gmp", with(target, {{"prune-scope", "erk"}})},
          {"acdc", "acdc", {{"target-density", "0.1"}}},
          {"imp", "imp", {{"target-density", "0.1"}}},
          {"imp_initial", "imp", {{"target-density", "0.1"}, {"rewind-share", "0"}}},
          {"imp_rate", "imp", {{"target-density", "0.1"}, {"rewind", "rate"}}},
          {"imp_fine_tuned", "imp", {{"target-density", "0.1"}, {"rewind", "none"}}},
          {"grow_reallocate", "grow_reallocate", with(target, {{"disconnected", "warn"}})},
          {"grow_reallocate_gradient", "grow_reallocate",
           with(target, {{"regrow", "gradient"}, {"disconnected", "warn"}})}};
}

struct UpdatingMethod : ::testing::TestWithParam<Case> {
  [[nodiscard]] static Play played(std::uint64_t seed = 1) {
    return play(GetParam().method, GetParam().options, flat, seed);
  }
};

TEST_P(UpdatingMethod, EndsAtTheExactTarget) {
  const Play result = played();
  EXPECT_EQ(result.state.mask.present(), present_for_density(result.network, 0.1));
  EXPECT_EQ(result.record.stages.back().decision, "done");
}

TEST_P(UpdatingMethod, LeavesZeroBitsAtAbsentConnectionsAfterEveryUpdate) {
  const Play result = played();
  EXPECT_FALSE(result.updated.empty() && result.begun.size() < 3);
  for (const TrainingState& state : result.updated) {
    check_mask_invariant(result.network, state);
  }
  for (const TrainingState& state : result.begun) {
    check_mask_invariant(result.network, state);
  }
}

TEST_P(UpdatingMethod, RepeatsForEqualSeedsAndDiffersForOthers) {
  const Play result = played();
  EXPECT_EQ(result.updated, played().updated);
  EXPECT_EQ(result.begun, played().begun);
  EXPECT_NE(result.state.mask, played(2).state.mask);
}

TEST_P(UpdatingMethod, PlansTheEpochsItTakes) {
  const auto method = make_method(GetParam().method);
  OptionList list;
  method->add_options(list);
  for (const auto& [option, value] : GetParam().options) {
    list.set(option, value);
  }
  const Play result = played();
  std::int64_t epochs = 0;
  for (const Stage& stage : result.stages) {
    epochs += stage.phase.epochs;
  }
  EXPECT_EQ(method->planned_epochs(result.recipe, result.network), epochs);
  double course = 0;
  for (const PlannedPart& part : method->planned_course(result.recipe, result.network)) {
    EXPECT_GT(part.density, 0);
    EXPECT_LE(part.density, 1);
    course += part.epochs;
  }
  EXPECT_NEAR(course, static_cast<double>(epochs), 1e-9);
  EXPECT_NEAR(method->planned_course(result.recipe, result.network).back().density,
              result.stages.empty() ? 1 : result.record.stages.back().density, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(All, UpdatingMethod, ::testing::ValuesIn(cases()),
                         [](const auto& c) { return c.param.name; });

/// State before each update of a play whose training adds 0.01 to present weights.
std::vector<TrainingState> before_updates(const Play& result) {
  std::vector<TrainingState> before;
  for (std::size_t u = 0; u < result.updated.size(); ++u) {
    TrainingState state = u == 0 ? result.begun.front() : result.updated[u - 1];
    state.slots = empty_slots(result.network, find_optimiser("sgd"));
    for (std::size_t l = 0; l < result.network.layers.size(); ++l) {
      state.mask.layers[l].for_each_present([&](std::int64_t i) {
        state.values.weights[l][static_cast<std::size_t>(i)] += 0.01F;
        state.slots[0].values.weights[l][static_cast<std::size_t>(i)] = 0.5F;
      });
    }
    before.push_back(std::move(state));
  }
  return before;
}

TEST(DropAndGrow, KeepsLayerCountsAndWhatItKeepsAndStartsNewOnesAtZero) {
  for (const char* method : {"set", "rigl"}) {
    SCOPED_TRACE(method);
    const Play result = play(method, {{"seed-density", "0.1"}, {"update-interval", "10"}}, flat);
    const std::vector<TrainingState> before = before_updates(result);
    ASSERT_EQ(before.size(), 15U);  // every 10 of 200 updates until three quarters
    for (std::size_t u = 0; u + 1 < before.size(); ++u) {
      const TrainingState& old = before[u];
      const TrainingState& now = result.updated[u];
      EXPECT_EQ(now.mask.counts(), old.mask.counts());
      EXPECT_TRUE(u > 10 || now.mask != old.mask);  // in the end fewer than one in a layer
      for (std::size_t l = 0; l < old.mask.layers.size(); ++l) {
        float largest_dropped = 0;
        float smallest_kept = 1e9F;
        for (std::int64_t i = 0; i < old.mask.layers[l].size(); ++i) {
          const auto c = static_cast<std::size_t>(i);
          const bool was = old.mask.layers[l].test(i);
          const bool is = now.mask.layers[l].test(i);
          if (was && is) {
            EXPECT_EQ(now.values.weights[l][c], old.values.weights[l][c]);
            EXPECT_EQ(now.slots[0].values.weights[l][c], 0.5F);
            smallest_kept = std::min(smallest_kept, std::abs(old.values.weights[l][c]));
          } else if (is) {
            EXPECT_EQ(now.values.weights[l][c], 0.0F);
            EXPECT_EQ(now.slots[0].values.weights[l][c], 0.0F);
          } else if (was) {
            largest_dropped = std::max(largest_dropped, std::abs(old.values.weights[l][c]));
          }
        }
        EXPECT_LE(largest_dropped, smallest_kept);
      }
    }
    // The cosine ends at nothing.
    EXPECT_EQ(result.updated.back().mask, before.back().mask);
  }
}

// As many connections appear as were dropped: none of the dropped ones is among the grown ones.
TEST(DropAndGrow, WhatIsDroppedIsNotGrownAgain) {
  const Network network = testing::small_network();
  for (const bool across : {false, true}) {
    for (const char* rule : {"gradient", "random", "path"}) {
      SCOPED_TRACE(fmt::format("{} {}", rule, across));
      Seed seed = make_seed(network, initial_parameters(network, 1), "erk", 0.5,
                            DisconnectedPolicy::repair, 1);
      TrainingState state = initial_state(network, seed.mask, 1);
      RunRecord record;
      MethodMemory memory;
      const Recipe recipe;
      MethodContext context{network,
                            recipe,
                            1,
                            10,
                            record,
                            state,
                            memory,
                            [](const TrainingState& at, std::uint64_t batch) {
                              ConnectionValues values = at.values.weights;
                              RandomStream stream(1, "g", batch);
                              for (auto& layer : values) {
                                for (float& value : layer) {
                                  value = static_cast<float>(stream.normal());
                                }
                              }
                              return values;
                            },
                            {}};
      const Mask before = state.mask;
      const std::int64_t moved =
          drop_and_grow(context, {rule, std::string(rule) == "path", across}, 0.3, 7);
      const std::int64_t present = before.present();
      EXPECT_EQ(state.mask.present(), present);
      const double shared = static_cast<double>(present - moved);
      EXPECT_DOUBLE_EQ(jaccard(before, state.mask),
                       shared / (2 * static_cast<double>(present) - shared));
      EXPECT_GT(moved, present / 6);
      check_mask_invariant(network, state);
    }
  }
}

TEST(DropAndGrow, ADenseLayerMovesNothingAndAnAlmostDenseOneWhatItCan) {
  const Network network = testing::small_network();
  Mask mask(network, true);
  mask.layers[1].reset(5);
  TrainingState state = initial_state(network, mask, 1);
  RunRecord record;
  MethodMemory memory;
  const Recipe recipe;
  MethodContext context{network, recipe, 1, 10, record, state, memory, {}, {}};
  EXPECT_EQ(drop_and_grow(context, {"random"}, 0.3, 1), 1);
  EXPECT_TRUE(state.mask.layers[1].test(5));
  EXPECT_EQ(state.mask.counts(), mask.counts());
}

TEST(DropAndGrow, AcrossLayersNoLayerIsEmptied) {
  const Network network = testing::small_network();
  Seed seed =
      make_seed(network, initial_parameters(network, 1), "erk", 0.2, DisconnectedPolicy::repair, 1);
  TrainingState state = initial_state(network, seed.mask, 1);
  for (float& weight : state.values.weights[1]) {
    weight *= 1e-3F;  // all of this layer is smaller than anything else
  }
  const std::vector<float> weights = state.values.weights[1];
  RunRecord record;
  MethodMemory memory;
  const Recipe recipe;
  MethodContext context{network, recipe, 1, 10, record, state, memory, {}, {}};
  const std::int64_t present = state.mask.present();
  drop_and_grow(context, {"random", true, true}, 0.5, 1);
  EXPECT_EQ(state.mask.present(), present);
  const auto size = [](float a, float b) { return std::abs(a) < std::abs(b); };
  const auto best = std::ranges::max_element(weights, size) - weights.begin();
  EXPECT_TRUE(state.mask.layers[1].test(best));
  EXPECT_EQ(state.values.weights[1][static_cast<std::size_t>(best)],
            weights[static_cast<std::size_t>(best)]);
}

/// Methods that take connections away, at a density with so little that paths may be cut; not
/// grow_reallocate, whose growth by path score is an error where there is no path.
std::vector<Case> cutting_cases(const std::string& density) {
  const Options often{{"update-interval", "10"}, {"target-density", density}, {"collapse", "warn"}};
  const auto with = [](Options options, const Options& more) {
    options.insert(more.begin(), more.end());
    return options;
  };
  return {{"gmp", "gmp", often},
          {"granet", "granet", with(often, {{"disconnected", "warn"}})},
          {"acdc", "acdc", {{"target-density", density}, {"collapse", "warn"}}},
          {"imp", "imp", {{"target-density", density}, {"collapse", "warn"}}},
          {"set",
           "set",
           {{"seed-density", density}, {"update-interval", "10"}, {"disconnected", "warn"}}},
          {"grow_return",
           "grow_return",
           {{"seed-rule", "dense"},
            {"seed-density", "1"},
            {"peak-density", "1"},
            {"return-share", "0.9"},
            {"smallest-density", density},
            {"budget-share", "10"},
            {"collapse", "warn"}}}};
}

std::int64_t told_without_path(const RunRecord& record) {
  return std::ranges::count_if(record.warnings, [](const std::string& warning) {
    return warning.find("no path of present connections leads") != std::string::npos;
  });
}

TEST(Paths, AMaskThatAPhaseEndsOnWithoutAnyIsToldOnce) {
  std::map<bool, int> cut;
  for (const char* density : {"0.0002", "0.002", "0.01", "0.05"}) {
    for (const Case& c : cutting_cases(density)) {
      SCOPED_TRACE(c.name + " " + density);
      // Growth is no better by chance: the way back goes on while it can.
      const Play result = play(c.method, c.options, [](double d) { return 0.5 - 0.1 * d; });
      bool without = false;
      for (const TrainingState& state : result.ended) {
        without |= reachability(result.network, state.mask).effective_density() == 0;
      }
      EXPECT_EQ(told_without_path(result.record), without ? 1 : 0);
      ++cut[without];
    }
  }
  EXPECT_GE(cut[true], 7);
  EXPECT_GE(cut[false], 7);
}

TEST(Paths, NoneLeftIsAnErrorUnderThePolicyFail) {
  // The layers keep connections, which do not meet.
  for (Case c : cutting_cases("0.002")) {
    if (c.options.contains("collapse") && c.name != "grow_return") {
      SCOPED_TRACE(c.name);
      c.options["collapse"] = "repair";
      const Play result = play(c.method, c.options, flat);
      c.options["collapse"] = "fail";
      if (told_without_path(result.record) > 0) {
        EXPECT_THROW((void)play(c.method, c.options, flat), Error);
      }
    }
  }
}

TEST(CubicPresent, FallsFromStartToTargetFastAtFirst) {
  EXPECT_EQ(cubic_present(1000, 100, 0), 1000);
  EXPECT_EQ(cubic_present(1000, 100, 0.5), 100 + 113);  // 900 / 8 = 112.5
  EXPECT_EQ(cubic_present(1000, 100, 1), 100);
  EXPECT_EQ(cubic_present(1000, 100, 1.5), 100);
}

TEST(Gmp, FallsByTheCubicLawAndNeverRegrows) {
  for (const char* scope : {"global", "uniform", "uniform_dense_first", "er", "erk"}) {
    SCOPED_TRACE(scope);
    const Play result = play(
        "gmp", {{"target-density", "0.1"}, {"update-interval", "1"}, {"prune-scope", scope}}, flat);
    const std::int64_t all = result.network.connections();
    const std::int64_t target = present_for_density(result.network, 0.1);
    ASSERT_EQ(result.updated.size(), 150U);
    for (std::size_t u = 0; u < result.updated.size(); ++u) {
      const Mask& mask = result.updated[u].mask;
      const std::int64_t present = cubic_present(all, target, static_cast<double>(u + 1) / 150);
      EXPECT_EQ(mask.present(), present);
      if (u > 0) {
        Mask both = result.updated[u - 1].mask;
        unite(both, mask);
        EXPECT_EQ(both, result.updated[u - 1].mask);
      }
      if (std::string(scope) != "global") {
        const std::vector<double> wanted = allocate(scope, result.network, present).wanted;
        for (std::size_t l = 0; l < wanted.size(); ++l) {
          EXPECT_NEAR(static_cast<double>(mask.layers[l].count()), wanted[l], 2) << u << " " << l;
        }
      }
    }
  }
}

TEST(Gmp, ByAnAllocationEndsWithItsLayerCountsExactly) {
  const Play result = play(
      "gmp", {{"target-density", "0.1"}, {"update-interval", "10"}, {"prune-scope", "uniform"}},
      flat);
  EXPECT_EQ(result.state.mask.counts(),
            allocate("uniform", result.network, present_for_density(result.network, 0.1)).counts);
}

TEST(AcDc, TurnsFromDenseToSparseAndEndsSparse) {
  const Play result = play("acdc", {{"target-density", "0.1"}}, flat);
  // 20 turns of 10 updates: dense until 2, then in turn, dense in 15 and 16, sparse from 17 on.
  std::string turns;
  for (const TrainingState& state : result.updated) {
    turns += state.mask.density() == 1 ? 'D' : 's';
  }
  EXPECT_EQ(turns, "DsDsDsDsDsDsDsDDs");
  const TrainingState& decompressed = result.updated[2];
  EXPECT_TRUE(decompressed.slots.empty());
  std::int64_t zeros = 0;
  for (const std::vector<float>& layer : decompressed.values.weights) {
    zeros += std::count(layer.begin(), layer.end(), 0.0F);
  }
  EXPECT_EQ(zeros, result.network.connections() - present_for_density(result.network, 0.1));
}

TEST(AcDc, ALayerThatPruningEmptiesIsToldOnceHoweverOftenItHappens) {
  const Play result = play("acdc", {{"target-density", "0.004"}}, flat);
  std::set<std::string> layers;
  for (const std::string& warning : result.record.warnings) {
    if (warning.find("no path of present connections") != std::string::npos) {
      continue;
    }
    EXPECT_NE(warning.find("has no connection left"), std::string::npos) << warning;
    EXPECT_NE(warning.find("its best one stays"), std::string::npos) << warning;
    EXPECT_TRUE(layers.insert(warning.substr(0, warning.find(':'))).second) << warning;
  }
  EXPECT_FALSE(layers.empty());
}

TEST(Imp, PrunesAFifthPerRoundAndCutsTheLastOneExactly) {
  const Play result = play("imp", {{"target-density", "0.5"}}, flat);
  std::int64_t present = result.network.connections();
  const std::int64_t target = present_for_density(result.network, 0.5);
  ASSERT_EQ(result.begun.size(), 5U);  // 1, .8, .64, .512, .5
  for (const TrainingState& state : result.begun) {
    EXPECT_EQ(state.mask.present(), present);
    present = std::max<std::int64_t>(target, std::llround(0.8 * static_cast<double>(present)));
  }
}

TEST(Imp, RewindsToTheStateOfAnEarlyUpdateAndToTheScheduleFromThere) {
  const Play result = play("imp", {{"target-density", "0.5"}, {"rewind-share", "0.02"}}, flat);
  ASSERT_TRUE(result.memory.kept);
  EXPECT_EQ(result.stages[0].phase.first_update, 0);
  EXPECT_EQ(result.stages[0].phase.snapshot, 4);  // of 200 updates
  for (std::size_t round = 1; round < result.begun.size(); ++round) {
    TrainingState expected = *result.memory.kept;
    expected.mask = result.begun[round].mask;
    clear_absent(expected);
    EXPECT_EQ(result.begun[round], expected);
    EXPECT_EQ(result.stages[round].phase.first_update, 4);
  }
}

TEST(Imp, RewindsToTheInitialWeightsKeepsThemOrFineTunes) {
  const Play initial = play("imp", {{"target-density", "0.5"}, {"rewind-share", "0"}}, flat);
  EXPECT_EQ(initial.begun.back(), initial_state(initial.network, initial.begun.back().mask, 1));
  const Play rate = play("imp", {{"target-density", "0.5"}, {"rewind", "rate"}}, flat);
  EXPECT_EQ(rate.stages.back().phase.schedule.shape, ScheduleShape::step);
  EXPECT_TRUE(rate.begun.back().slots.empty());
  EXPECT_NE(rate.begun.back(), initial_state(rate.network, rate.begun.back().mask, 1));
  const Play tuned =
      play("imp", {{"target-density", "0.5"}, {"rewind", "none"}, {"round-epochs", "3"}}, flat);
  EXPECT_EQ(tuned.stages.back().phase.schedule.shape, ScheduleShape::constant);
  EXPECT_DOUBLE_EQ(tuned.stages.back().phase.schedule.peak, 0.001);
  EXPECT_EQ(tuned.stages.back().phase.epochs, 3);
}

TEST(Imp, TrainsByTheWholeRecipeOnceIfItsRoundsAreShorter) {
  const auto epochs = [](const std::string& rewind) {
    std::vector<std::int64_t> result;
    const Play played =
        play("imp", {{"target-density", "0.5"}, {"rewind", rewind}, {"round-epochs", "3"}}, flat);
    for (const Stage& stage : played.stages) {
      result.push_back(stage.phase.epochs);
    }
    return result;
  };
  const std::int64_t recipe = play("imp", {{"target-density", "0.5"}}, flat).stages[0].phase.epochs;
  // Prune, go back, and train what was found; or train once and tune.
  EXPECT_THAT(epochs("weights"), ::testing::ElementsAre(3, 3, 3, 3, recipe));
  EXPECT_THAT(epochs("rate"), ::testing::ElementsAre(3, 3, 3, 3, recipe));
  EXPECT_THAT(epochs("none"), ::testing::ElementsAre(recipe, 3, 3, 3, 3));
}

TEST(SmallDense, IsTheWidestNetworkWithinTheSize) {
  const auto method = make_method("small_dense");
  OptionList list;
  method->add_options(list);
  const NetworkRequest request{{3, 32, 32}, 10, 16};
  const auto connections = [&](std::int64_t width) {
    NetworkRequest narrow = request;
    narrow.width = width;
    return build_network("resnet20", narrow).connections();
  };
  for (const double density : {0.05, 0.2, 0.5, 1.0}) {
    list.set("target-density", fmt::format("{}", density));
    const std::int64_t width = method->width("resnet20", request);
    const double limit = density * static_cast<double>(connections(16));
    EXPECT_LE(static_cast<double>(connections(width)), limit);
    EXPECT_GT(static_cast<double>(connections(width + 1)), limit);
  }
  list.set("target-density", "1");
  EXPECT_EQ(method->width("resnet20", request), 16);
  EXPECT_EQ(method->width("resnet20", {{3, 32, 32}, 10, 0}), 16);
  list.set("target-density", "0.0001");
  EXPECT_THAT([&] { (void)method->width("resnet20", request); },
              ::testing::Throws<Error>(::testing::Property(
                  "what", &Error::what, HasSubstr("resnet20 of width 1 is larger"))));
}

TEST(GrowReallocate, ReachesExtremeSparsityWithinTheEpochsOfTheRecipe) {
  const Network network = build_network("resnet20", {{3, 16, 16}, 10, 8});
  for (const char* target : {"0.1", "0.05", "0.02"}) {
    SCOPED_TRACE(target);
    const Play result =
        play("grow_reallocate",
             {{"target-density", target}, {"update-interval", "10"}, {"disconnected", "warn"}},
             flat, 1, network);
    EXPECT_EQ(result.state.mask.present(), present_for_density(network, std::stod(target)));
    std::int64_t epochs = 0;
    for (const Stage& stage : result.stages) {
      epochs += stage.phase.epochs;
    }
    EXPECT_EQ(epochs, result.recipe.epochs);
    // The room made by growth: four times the target.
    EXPECT_EQ(result.begun.back().mask.present(),
              present_for_density(network, 4 * std::stod(target)));
  }
}

TEST(MaskUpdates, IntervalsAreImagesAndStretchWithTheBudget) {
  const Network network = testing::small_network();
  TrainingState state = initial_state(network, Mask(network, true), 1);
  RunRecord record;
  MethodMemory memory;
  Recipe recipe;
  recipe.epochs = 100;
  recipe.batch_size = 64;
  const auto phase = [&](UpdateOptions options) {
    return updated_phase(Role::gmp, options,
                         {network, recipe, 1, 50, record, state, memory, {}, {}});
  };
  EXPECT_EQ(phase({100}).mask_updates.front(), 200);
  EXPECT_EQ(phase({100}).mask_updates.back(), 3600);  // the last multiple up to 3750
  recipe.budget = "flops";
  recipe.cost_ratio = 0.4;
  recipe = with_budget(recipe);
  EXPECT_EQ(recipe.epochs, 250);
  EXPECT_EQ(phase({100}).mask_updates.front(), 500);
  EXPECT_EQ(phase({100}).mask_updates.back(), 9000);  // of 12500: as many updates as before
  EXPECT_THAT([&] { (void)phase({4000}); },
              ::testing::Throws<Error>(::testing::Property(
                  "what", &Error::what, HasSubstr("every 20000 updates, but only until update"))));
}

TEST(MaskUpdates, EndWhereTheShareOfTheTrainingSaysToTheUpdate) {
  const Network network = testing::small_network();
  TrainingState state = initial_state(network, Mask(network, true), 1);
  RunRecord record;
  MethodMemory memory;
  Recipe recipe;
  recipe.epochs = 1;
  for (const std::int64_t updates : {7, 50, 100, 375, 750, 2500, 40'000, 1'000'000}) {
    for (std::int64_t thousandths = 1; thousandths <= 1000; ++thousandths) {
      const std::int64_t last = thousandths * updates / 1000;
      if (last < 1) {
        continue;
      }
      UpdateOptions options;
      options.until = static_cast<double>(thousandths) / 1000;
      options.interval = static_cast<double>(last);  // one change, at the last update that may be
      const Phase phase = updated_phase(
          Role::gmp, options, {network, recipe, 1, updates, record, state, memory, {}, {}});
      EXPECT_EQ(phase.mask_updates, std::vector<std::int64_t>{last})
          << options.until << " " << updates;
    }
  }
}

TEST(AcDc, SharesThatAddUpToOneAreTaken) {
  for (int first = 1; first < 100; ++first) {
    for (int last = 1; first + last < 100; ++last) {
      const int turn = 100 - first - last;
      const auto method = make_method("acdc");
      OptionList list;
      method->add_options(list);
      const auto set = [&](const char* name, int hundredths) {
        list.set(name, fmt::format("{}", static_cast<double>(hundredths) / 100));
      };
      if (turn <= 50) {
        set("first-dense", first);
        set("last-sparse", last);
        set("turn", turn);
        EXPECT_NO_THROW(method->check({})) << first << " " << last;
      }
    }
  }
}

TEST(GrowReturn, ASmallestDensityAtTheFirstStepBackIsTaken) {
  for (int peak = 1; peak <= 100; ++peak) {
    for (int share = 1; share < 10; ++share) {
      const auto method = make_method("grow_return");
      OptionList list;
      method->add_options(list);
      list.set("seed-density", "0.001");
      list.set("peak-density", fmt::format("{}", static_cast<double>(peak) / 100));
      list.set("return-share", fmt::format("{}", static_cast<double>(share) / 10));
      list.set("smallest-density", fmt::format("{}", peak * (10 - share) / 1000.0));
      EXPECT_NO_THROW(method->check({})) << peak << " " << share;
    }
  }
}

}  // namespace
}  // namespace gcg
