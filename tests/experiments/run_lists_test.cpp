// Which runs the experiments ask for: what they share, what is equal in what they compare.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "planned_runs.h"

namespace gcg {
namespace {

using ::testing::IsSubsetOf;
using testing::NamedRun;
using testing::names;
using testing::runs_of;

/// The run of seed 1 of a curve.
NamedRun of_curve(const std::vector<NamedRun>& runs, const std::string& curve) {
  const auto found = std::find_if(runs.begin(), runs.end(),
                                  [&](const NamedRun& run) { return run.curve == curve; });
  EXPECT_NE(found, runs.end()) << curve;
  return found == runs.end() ? NamedRun{} : *found;
}

int number(const NamedRun& run, const std::string& option) {
  return std::stoi(run.options.at(option));
}

TEST(RunLists, EveryRunOfEveryScaleIsAValidRunOfItsOwn) {
  for (const Experiment& experiment : experiments::experiment_table()) {
    for (const std::string& scale : scale_names(experiment.settings)) {
      SCOPED_TRACE(fmt::format("{} {}", experiment.name, scale));
      const auto runs = runs_of(experiment.name, scale);
      EXPECT_GE(runs.size(), 2U);
      EXPECT_EQ(names(runs).size(), runs.size());
    }
  }
}

TEST(RunLists, EveryCurveHasTheSeedsThatTheSettingsFileSays) {
  for (const Experiment& experiment : experiments::experiment_table()) {
    for (const std::string& scale : scale_names(experiment.settings)) {
      SCOPED_TRACE(fmt::format("{} {}", experiment.name, scale));
      std::set<std::string> wanted;
      const Scale sizes = read_scale(experiment.settings, scale, {}, "cifar10");
      const std::int64_t first = sizes.first_seed();
      for (std::int64_t seed = first; seed < first + sizes.seeds(); ++seed) {
        wanted.insert(fmt::format("{}", seed));
      }
      std::map<std::string, std::set<std::string>> found;
      for (const NamedRun& run : runs_of(experiment.name, scale)) {
        found[run.curve].insert(run.options.at("seed"));
      }
      for (const auto& [curve, of_curve] : found) {
        EXPECT_EQ(of_curve, wanted) << curve;
      }
    }
  }
}

TEST(RunLists, EveryCurveSaysWhatItIs) {
  for (const Experiment& experiment : experiments::experiment_table()) {
    for (const NamedRun& run : runs_of(experiment.name, "smoke")) {
      EXPECT_FALSE(run.part.role.empty()) << experiment.name << ": " << run.curve;
      EXPECT_FALSE(run.part.family.empty()) << experiment.name << ": " << run.curve;
    }
  }
}

TEST(RunLists, ExperimentsForLargeDataHaveSizesForIt) {
  for (const Experiment& experiment : experiments::experiment_table()) {
    if (experiment.kind != ExperimentKind::any_data) {
      continue;
    }
    for (const auto& [data, network, transformer] :
         {std::tuple("tinyimagenet", "resnet18_small", "vit6_small"),
          std::tuple("imagenet", "resnet50", "deit_tiny")}) {
      for (const std::string& scale : scale_names(experiment.settings)) {
        SCOPED_TRACE(fmt::format("{} {} {}", experiment.name, scale, data));
        for (const NamedRun& run : runs_of(experiment, scale, data)) {
          EXPECT_EQ(run.options.at("network"), scale == "vit" ? transformer : network);
          EXPECT_EQ(run.options.at("data"), data);
        }
      }
    }
  }
}

TEST(RunLists, BottleneckMeasuresTheGrowthPathsOfGrowthRulesAndNothingElse) {
  for (const char* scale : {"smoke", "small", "full"}) {
    std::vector<NamedRun> growth = runs_of("growth_rules", scale);
    std::erase_if(growth, [](const NamedRun& run) { return run.options.at("method") != "gcg"; });
    EXPECT_EQ(names(runs_of("bottleneck", scale)), names(growth));
  }
}

TEST(RunLists, ConvergenceHasTheRunsOfTheTableAndTheStartOfEveryMaskThatStays) {
  for (const char* scale : {"smoke", "small", "full"}) {
    SCOPED_TRACE(scale);
    const auto runs = runs_of("convergence", scale);
    EXPECT_THAT(names(runs_of("methods_table", scale)), IsSubsetOf(names(runs)));
    std::size_t masks = 0;
    std::size_t starts = 0;
    for (const NamedRun& run : runs) {
      if (run.part.role == "start") {
        ++starts;
        // The same run but for its training: the mask depends on the options left.
        NamedRun whole = of_curve(runs, run.part.of);
        EXPECT_EQ(run.options.at("epochs"), "1");
        EXPECT_EQ(run.options.at("learning-rate"), "1e-9");
        auto options = run.options;
        for (const char* name : {"epochs", "seed"}) {
          options[name] = whole.options[name];
        }
        options.erase("learning-rate");
        EXPECT_EQ(options, whole.options);
      } else if (run.options.at("method") == "fixed_mask") {
        ++masks;
      }
    }
    EXPECT_EQ(starts, masks);
    EXPECT_GT(starts, 0U);
  }
}

TEST(RunLists, GrowReallocateRepeatsNothingOfTheTableWhereThatHasTheDensity) {
  const auto table = names(runs_of("methods_table", "small"));
  std::size_t shared = 0;
  std::set<double> densities;
  for (const NamedRun& run : runs_of("grow_reallocate", "small")) {
    const auto found = run.part.values.find("density");
    const double density = found == run.part.values.end() ? 1 : found->second;
    densities.insert(density);
    if (density != 0.02 && !run.part.family.starts_with("hybrid")) {
      EXPECT_TRUE(table.contains(run.name)) << run.curve;
      ++shared;
    }
  }
  EXPECT_EQ(shared, 3U * (1 + 3 * 9));  // seeds x (dense + densities x methods)
  EXPECT_EQ(densities, (std::set<double>{1, 0.2, 0.1, 0.05, 0.02}));
}

TEST(RunLists, TheDefaultGrowthIsOneRunInThreeExperiments) {
  for (const char* scale : {"smoke", "small", "full"}) {
    SCOPED_TRACE(scale);
    const std::string name = of_curve(runs_of("ablations", scale), "default").name;
    EXPECT_TRUE(names(runs_of("cost_accuracy", scale)).contains(name));
    EXPECT_TRUE(names(runs_of("growth_pace", scale)).contains(name));
  }
}

TEST(RunLists, CostAccuracyComparesEqualEpochsPerStageAndEqualFinalTraining) {
  const auto runs = runs_of("cost_accuracy", "small");
  for (const int stage_epochs : {1, 2, 4}) {
    const std::string at = fmt::format(": density 0.20: E {}", stage_epochs);
    SCOPED_TRACE(at);
    const NamedRun growth = of_curve(runs, "growth" + at);
    EXPECT_EQ(number(growth, "stage-epochs"), stage_epochs);
    const int final_epochs = number(growth, "epochs");
    EXPECT_EQ(final_epochs, number(of_curve(runs, "dense"), "epochs"));
    const double density = std::stod(growth.options.at("max-density"));
    // From 0.05 by a quarter a stage, and from 1 by a fifth a round: eight of each.
    const double stages = 1 + std::ceil(std::log(density / 0.05) / std::log(1.25));
    const double rounds = std::ceil(std::log(density) / std::log(0.8));
    EXPECT_EQ(stages, rounds);
    for (const char* method : {"weights rewound", "rate rewound", "fine-tuned"}) {
      const NamedRun imp = of_curve(runs, fmt::format("IMP, {}{}", method, at));
      EXPECT_EQ(number(imp, "round-epochs"), stage_epochs);
      EXPECT_EQ(number(imp, "epochs"), final_epochs);
      EXPECT_EQ(std::stod(imp.options.at("prune-fraction")), 0.2);
      EXPECT_EQ(std::stod(imp.options.at("target-density")), density);
    }
    EXPECT_EQ(number(of_curve(runs, "gradual pruning" + at), "epochs"),
              static_cast<int>(rounds) * stage_epochs + final_epochs);
    // Weights go back to the same update whatever E is: 1 % of the recipe.
    const NamedRun rewound = of_curve(runs, "IMP, weights rewound" + at);
    EXPECT_DOUBLE_EQ(std::stod(rewound.options.at("rewind-share")) * stage_epochs,
                     0.01 * final_epochs);
  }
}

TEST(RunLists, GrowthPaceVariesRatioAndEpochsOnly) {
  const auto runs = runs_of("growth_pace", "small");
  std::set<std::map<std::string, std::string>> rest;
  std::set<std::pair<std::string, std::string>> paces;
  for (const NamedRun& run : runs) {
    if (run.part.role == "dense") {
      continue;
    }
    auto options = run.options;
    paces.insert({options.at("growth-ratio"), options.at("stage-epochs")});
    for (const char* name : {"growth-ratio", "stage-epochs", "seed"}) {
      options.erase(name);
    }
    rest.insert(options);
  }
  EXPECT_EQ(rest.size(), 1U);
  EXPECT_EQ(paces.size(), 11U);
}

TEST(RunLists, AnAblationIsOneChangeAndSharesThePastThatItDoesNotChange) {
  for (const char* scale : {"small", "full"}) {
    const auto runs = runs_of("ablations", scale);
    const NamedRun trunk = of_curve(runs, "default");
    const auto& base = trunk.options;
    std::size_t changes = 0;
    for (const NamedRun& run : runs) {
      if (run.options.at("method") != "gcg" || run.options.at("seed") != "1" ||
          run.curve == "default") {
        continue;
      }
      SCOPED_TRACE(run.curve);
      ++changes;
      std::set<std::string> differs;
      for (const auto& [name, value] : run.options) {
        if (!base.contains(name) || base.at(name) != value) {
          differs.insert(name);
        }
      }
      const bool branches = !run.curve.starts_with("seed") && !run.curve.starts_with("pace") &&
                            !run.curve.starts_with("stage");
      ASSERT_EQ(run.options.contains("trunk"), branches);
      if (branches) {
        EXPECT_EQ(run.options.at("trunk"), trunk.name);
        EXPECT_EQ(number(run, "trunk-stage"), run.curve.starts_with("final") ? 7 : 0);
        differs.erase("trunk");
        differs.erase("trunk-stage");
      }
      if (run.curve == "pace: at once, as much training") {
        EXPECT_EQ(differs, (std::set<std::string>{"growth-ratio", "stage-epochs"}));
        // Two stages instead of eight.
        EXPECT_EQ(2 * number(run, "stage-epochs"), 8 * std::stoi(base.at("stage-epochs")));
      } else if (run.curve.find(" at 0.") != std::string::npos) {
        EXPECT_EQ(differs, (std::set<std::string>{"seed-rule", "seed-density"}));
      } else {
        EXPECT_EQ(differs.size(), 1U);
      }
    }
    EXPECT_GE(changes, 15U);
  }
}

TEST(RunLists, WithoutGrowthThereAreAsManyEpochsAtTheLastDensity) {
  const auto runs = runs_of("ablations", "small");
  const auto base = of_curve(runs, "default").options;
  const NamedRun fixed = of_curve(runs, "pace: no growth, as much training");
  EXPECT_EQ(number(fixed, "epochs"),
            8 * std::stoi(base.at("stage-epochs")) + std::stoi(base.at("epochs")));
  EXPECT_EQ(fixed.options.at("seed-density"), base.at("max-density"));
}

TEST(RunLists, EverySearchOfDiscoveryCostEndsWithTheRecipeOfTheDenseRun) {
  for (const char* scale : {"smoke", "small", "full"}) {
    SCOPED_TRACE(scale);
    const auto runs = runs_of("discovery_cost", scale);
    const int epochs = number(of_curve(runs, "dense"), "epochs");
    std::set<std::string> methods;
    for (const NamedRun& run : runs) {
      // Dense trainings of other lengths are no search, but what searches are held against.
      if (!run.curve.starts_with("dense, ")) {
        EXPECT_EQ(number(run, "epochs"), epochs) << run.curve;
      }
      methods.insert(run.options.at("method"));
    }
    EXPECT_EQ(methods, (std::set<std::string>{"dense", "gcg", "grow_return", "fixed_mask", "rigl",
                                              "imp", "gmp"}));
  }
}

TEST(RunLists, DiscoveryCostSearchesTheSameGridWithStaticMasksAndRigL) {
  std::map<std::string, std::set<std::string>> grids;
  for (const NamedRun& run : runs_of("discovery_cost", "small")) {
    if (run.options.contains("seed-density")) {
      grids[run.options.at("method")].insert(run.options.at("seed-density"));
    }
  }
  EXPECT_EQ(grids.at("fixed_mask").size(), 8U);
  EXPECT_EQ(grids.at("fixed_mask"), grids.at("rigl"));
}

TEST(RunLists, DiscoveryCostTakesWhatTheTableOfMethodsHas) {
  const auto table = names(runs_of("methods_table", "small"));
  std::size_t shared = 0;
  for (const NamedRun& run : runs_of("discovery_cost", "small")) {
    shared += table.contains(run.name) ? 1 : 0;
  }
  // Of three seeds: dense; static ERK, RigL and gradual pruning at 0.2, 0.1 and 0.05.
  EXPECT_EQ(shared, 3U * (1 + 3 * 3));
}

TEST(RunLists, TheTasksOfAFamilyDifferInOneQuantityAndHaveTheUpdatesOfTheBase) {
  const auto runs = runs_of("discovered_density", "small");
  const NamedRun base = of_curve(runs, "base: growth");
  for (const auto& [task, option, value, stretch] :
       std::vector<std::tuple<std::string, std::string, std::string, int>>{
           {"width 4", "width", "4", 1},
           {"classes 2", "class-subset", "2", 5},
           {"classes 5", "class-subset", "5", 2},
           {"samples 0.25", "train-share", "0.25", 4},
           {"label noise 0.4", "label-noise", "0.4", 1}}) {
    SCOPED_TRACE(task);
    NamedRun run = of_curve(runs, task + ": growth");
    EXPECT_EQ(run.options.at(option), value);
    EXPECT_EQ(number(run, "epochs"), stretch * number(base, "epochs"));
    EXPECT_EQ(number(run, "stage-epochs"), stretch * number(base, "stage-epochs"));
    auto rest = base.options;
    for (const std::string& name : {option, std::string("epochs"), std::string("stage-epochs")}) {
      run.options.erase(name);
      rest.erase(name);
    }
    EXPECT_EQ(run.options, rest);
    EXPECT_EQ(number(of_curve(runs, task + ": dense"), "epochs"), stretch * number(base, "epochs"));
  }
  EXPECT_EQ(of_curve(runs, "teacher density 0.05: growth").options.at("data"), "teacher");
  EXPECT_EQ(of_curve(runs, "difficulty 0.25: dense").options.at("data"), "procedural");
}

}  // namespace
}  // namespace gcg
