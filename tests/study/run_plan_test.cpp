#include "study/run_plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/host.h"
#include "base/shell.h"
#include "base/temporary_folder.h"
#include "base/variable.h"
#include "method/methods.h"
#include "study/command_line.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <typename F>
std::string usage_error(F f) {
  try {
    f();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no usage error";
}

TEST(RunPlan, IdentityIsPinned) {
  // A change here makes every old run a stranger: then raise results_version of the
  // backends on purpose.
  EXPECT_EQ(make_run_plan({{"method", "gcg"}})->identity.name,
            "gcg-resnet8-procedural-s1-e2235792e9");
  EXPECT_EQ(
      make_run_plan({{"method", "gcg"}, {"growth-ratio", "0.4"}, {"width", "8"}, {"seed", "3"}})
          ->identity.name,
      "gcg-resnet8w8-procedural-s3-bf0894854e");
}

TEST(RunPlan, TheDefaultMethodGrowsAndReturnsAndIsNamedAsIfItWereGiven) {
  const auto plain = make_run_plan({});
  EXPECT_EQ(plain->settings.method, "grow_return");
  EXPECT_EQ(plain->identity.name, make_run_plan({{"method", "grow_return"}})->identity.name);
  // A recorded command says the method, so that it stays the same run whatever the default is.
  for (const std::string method : {"gcg", "grow_return", "dense"}) {
    EXPECT_THAT(make_run_plan({{"method", method}})->identity.command,
                ::testing::StartsWith("gcg_run --method " + method));
  }
}

TEST(RunPlan, AnOptionGivenAtItsDefaultChangesNothing) {
  EXPECT_EQ(make_run_plan({{"growth-ratio", "0.4"}, {"method", "grow_return"}})->identity.hash,
            make_run_plan({})->identity.hash);
  EXPECT_EQ(make_run_plan({{"growth-ratio", "0.400"}})->identity.hash,
            make_run_plan({})->identity.hash);
}

TEST(RunPlan, EveryOptionThatAffectsTheResultChangesTheIdentity) {
  const std::string plain = make_run_plan({})->identity.hash;
  EXPECT_NE(make_run_plan({{"seed", "2"}})->identity.hash, plain);
  EXPECT_NE(make_run_plan({{"peak-density", "0.4"}})->identity.hash, plain);
  EXPECT_NE(make_run_plan({{"difficulty", "0.75"}})->identity.hash, plain);
}

TEST(RunPlan, TheRecipeOfANameSetsWhatIsNotGiven) {
  const auto deit =
      make_run_plan({{"network", "deit_tiny"}, {"method", "dense"}, {"recipe", "deit"}});
  const Recipe& recipe = deit->settings.recipe;
  EXPECT_EQ(recipe.optimiser, "adamw");
  EXPECT_EQ(recipe.batch_size, 1024);
  EXPECT_EQ(recipe.epochs, 300);
  EXPECT_EQ(recipe.learning_rate, 0.001);
  EXPECT_EQ(recipe.schedule, "cosine");
  EXPECT_DOUBLE_EQ(recipe.warmup * 300, 5);
  EXPECT_EQ(recipe.optimiser_settings.numbers.at("weight-decay"), 0.05);
  EXPECT_EQ(recipe.label_smoothing, 0.1);
  EXPECT_EQ(recipe.stochastic_depth, 0.1);
  EXPECT_EQ(recipe.mixing, (Mixing{0.8, 1}));
  EXPECT_EQ(recipe.resized_crop, 0.08);
  EXPECT_EQ(recipe.colour_jitter, 0);
  const auto changed = make_run_plan({{"network", "vit6_small"},
                                      {"recipe", "deit"},
                                      {"batch-size", "128"},
                                      {"epochs", "20"},
                                      {"mixup", "0"}});
  EXPECT_EQ(changed->settings.recipe.learning_rate, 0.000125);
  EXPECT_EQ(changed->settings.recipe.epochs, 20);
  EXPECT_EQ(changed->settings.recipe.mixing, (Mixing{0, 1}));
}

TEST(RunPlan, ARecipeByNameIsTheRunThatItsOptionsAre) {
  const auto by_name = make_run_plan({{"network", "vit6_small"}, {"recipe", "deit"}});
  const auto by_options = make_run_plan({{"network", "vit6_small"},
                                         {"optimiser", "adamw"},
                                         {"batch-size", "1024"},
                                         {"epochs", "300"},
                                         {"learning-rate", "0.001"},
                                         {"schedule", "cosine"},
                                         {"warmup", "0.016666666666666666"},
                                         {"weight-decay", "0.05"},
                                         {"label-smoothing", "0.1"},
                                         {"stochastic-depth", "0.1"},
                                         {"mixup", "0.8"},
                                         {"cutmix", "1"},
                                         {"resized-crop", "0.08"}});
  EXPECT_EQ(by_name->identity.name, by_options->identity.name);
}

TEST(RunPlan, TheRecordedCommandIsTheSameRun) {
  const auto options_of = [](const std::string& command) {
    std::istringstream words(command);
    std::string word;
    words >> word;  // gcg_run
    GivenOptions options;
    while (words >> word) {
      words >> options[word.substr(2)];
    }
    return options;
  };
  const std::vector<GivenOptions> given{
      {{"network", "vit6_small"}, {"recipe", "deit"}},
      {{"network", "vit6_small"},
       {"recipe", "deit"},
       {"batch-size", "128"},
       {"epochs", "160"},
       {"schedule", "step"},
       {"learning-rate", "0.1"},
       {"mixup", "0"},
       {"stochastic-depth", "0"}},
      {{"network", "vit6_small"}, {"recipe", "deit"}, {"data", "teacher"}},
      {{"optimiser", "adamw"}, {"learning-rate", "0.1"}},
      {{"optimiser", "lars"}},
  };
  for (const GivenOptions& options : given) {
    const auto plan = make_run_plan(options);
    const auto again = make_run_plan(options_of(plan->identity.command));
    EXPECT_EQ(again->identity.name, plan->identity.name) << plan->identity.command;
    EXPECT_EQ(again->identity.command, plan->identity.command);
  }
}

TEST(RunPlan, ImagesThatARecipeCannotCropStayAsTheyAre) {
  for (const std::string data : {"teacher", "idx"}) {
    const auto plan =
        make_run_plan({{"network", "vit6_small"}, {"recipe", "deit"}, {"data", data}});
    EXPECT_EQ(plan->settings.recipe.resized_crop, 0) << data;
    EXPECT_EQ(plan->settings.recipe.mixing.cutmix, 1) << data;
  }
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"data", "teacher"}, {"resized-crop", "0.5"}});
              }),
              HasSubstr("it would change the labels of these images"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"data", "idx"}, {"colour-jitter", "0.5"}});
              }),
              HasSubstr("the images do not have three colours"));
  EXPECT_THAT(
      usage_error([] {
        (void)make_run_plan({{"network", "vit6_small"}, {"recipe", "deit"}, {"optimiser", "sgd"}});
      }),
      HasSubstr("--optimiser sgd: the recipe deit is one of adamw"));
}

TEST(RunPlan, WhatOnlyTransformersHaveIsRefusedElsewhere) {
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"recipe", "deit"}});
              }),
              HasSubstr("--recipe: has no effect here: the network is no vision transformer"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"stochastic-depth", "0.1"}});
              }),
              HasSubstr("the network is no vision transformer"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"augment", "off"}, {"colour-jitter", "0.3"}});
              }),
              HasSubstr("--colour-jitter: has no effect here: --augment is off"));
}

TEST(RunPlan, TheExecutionThatIsUsedBelongsToTheIdentityNotTheOneAskedFor) {
  const std::string plain = make_run_plan({})->identity.hash;
  EXPECT_EQ(make_run_plan({{"execution", "auto"}})->identity.hash, plain);
  EXPECT_EQ(make_run_plan({{"execution", "sparse"}})->identity.hash, plain);
  const auto dense = make_run_plan({{"execution", "dense"}});
  EXPECT_NE(dense->identity.hash, plain);
  EXPECT_EQ(dense->identity.command, "gcg_run --method grow_return --execution dense");
  EXPECT_EQ(backend_used(make_run_plan({})->settings).name, "sparse");
  EXPECT_EQ(backend_used(dense->settings).name, "dense");
}

TEST(RunPlan, TransformersRunUnderSparseExecutionByThemselves) {
  for (const char* network : {"vit6_small", "deit_tiny"}) {
    const auto plan = make_run_plan({{"network", network}});
    EXPECT_EQ(backend_used(plan->settings).name, "sparse") << network;
  }
}

TEST(RunPlan, EveryOptimiserRunsUnderSparseExecution) {
  for (const Optimiser& optimiser : optimiser_table()) {
    const auto plan = make_run_plan({{"optimiser", std::string(optimiser.name)}});
    EXPECT_EQ(backend_used(plan->settings).name, "sparse") << optimiser.name;
  }
}

TEST(RunPlan, TheVersionOfTheResultsIsTheBackends) {
  for (const Backend& backend : backend_table()) {
    const auto plan = make_run_plan({{"execution", std::string(backend.name)}});
    EXPECT_EQ(plan->identity.defaults_version, backend.results_version);
  }
}

TEST(RunPlan, PrecisionBelongsToARunsIdentity) {
  const auto plain = make_run_plan({});
  EXPECT_EQ(make_run_plan({{"precision", "fp32"}})->identity.name, plain->identity.name);
  const auto half = make_run_plan({{"precision", "bf16"}});
  EXPECT_NE(half->identity.name, plain->identity.name);
  EXPECT_EQ(backend_used(half->settings).name, "sparse");
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"precision", "bf16"}, {"execution", "dense"}});
              }),
              HasSubstr("does not compute in bf16"));
}

TEST(RunPlan, KernelsThatRoundDifferentlyBelongToTheIdentityOfRunsInBf16) {
  const auto plan = [](const char* kernels) {
    return make_run_plan({{"method", "gcg"}, {"precision", "bf16"}, {"kernels", kernels}});
  };
  // As before there was a choice, and where the processor leaves none.
  EXPECT_EQ(plan("sparse")->identity.name, "gcg-resnet8-procedural-s1-c31eb8914c");
  EXPECT_NE(plan("tiles")->identity.hash, plan("sparse")->identity.hash);
  EXPECT_EQ(kernels_used(plan("tiles")->settings), "tiles");
  EXPECT_EQ(plan("tiles")->identity.command,
            "gcg_run --method gcg --precision bf16 --kernels tiles");
  // By itself what the processor is best at; the line that makes the run says which.
  const auto by_itself = make_run_plan({{"method", "gcg"}, {"precision", "bf16"}});
  const char* const best = amx_facts().usable ? "tiles" : "sparse";
  EXPECT_EQ(kernels_used(by_itself->settings), best);
  EXPECT_EQ(by_itself->identity.hash, plan(best)->identity.hash);
  EXPECT_EQ(by_itself->identity.command.ends_with(" --kernels tiles"), amx_facts().usable);
}

TEST(RunPlan, OnlySparseExecutionInBf16HasAChoiceOfKernels) {
  EXPECT_EQ(kernels_used(make_run_plan({})->settings), "sparse");
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"kernels", "tiles"}});
              }),
              HasSubstr("--kernels: has no effect here: only sparse execution in bf16"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan(
                    {{"kernels", "sparse"}, {"precision", "bf16"}, {"execution", "device"}});
              }),
              HasSubstr("--kernels: has no effect here"));
}

TEST(RunPlan, TheDeviceIsPartOfTheRequest) {
  const auto plan = make_run_plan({{"device", "cpu"}});
  EXPECT_EQ(plan->identity.hash, make_run_plan({})->identity.hash);
  const auto device = std::ranges::find(plan->identity.options, "device", &OptionValue::name);
  ASSERT_NE(device, plan->identity.options.end());
  EXPECT_TRUE(device->affects_result);
  EXPECT_EQ(request_of(plan->settings).device, "cpu");
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"device", "abacus"}});
              }),
              HasSubstr("--device"));
}

TEST(RunPlan, AGpuIsForTheBackendThatRunsOnItAndAnotherRun) {
  const auto plan = make_run_plan({{"device", "cuda"}});
  EXPECT_EQ(backend_used(plan->settings).name, "device");
  EXPECT_NE(plan->identity.hash, make_run_plan({{"execution", "device"}})->identity.hash);
  EXPECT_NE(make_run_plan({{"device", "cuda"}, {"precision", "tf32"}})->identity.hash,
            plan->identity.hash);
  EXPECT_NE(make_run_plan({{"device", "cuda"}, {"deterministic", "off"}})->identity.hash,
            plan->identity.hash);
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"execution", "device"}, {"deterministic", "off"}});
              }),
              HasSubstr("--deterministic: has no effect here"));
  EXPECT_THAT(
      usage_error([] {
        (void)make_run_plan({{"execution", "sparse"}, {"device", "cuda"}});
      }),
      HasSubstr("does not run on cuda\n  remedy: leave it out, or take --execution device"));
}

TEST(RunPlan, AnOptimiserHasItsOwnOptions) {
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"optimiser", "adamw"}, {"momentum", "0.9"}});
              }),
              HasSubstr("--momentum: has no effect here: the optimiser is adamw"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"beta2", "0.99"}});
              }),
              HasSubstr("--beta2: has no effect here: the optimiser is sgd"));
  EXPECT_NE(make_run_plan({{"optimiser", "adamw"}, {"beta2", "0.99"}})->identity.hash,
            make_run_plan({{"optimiser", "adamw"}})->identity.hash);
}

TEST(RunPlan, TheLearningRateIsTheOptimisersOwnUnlessItIsGiven) {
  EXPECT_EQ(make_run_plan({})->settings.recipe.learning_rate, 0.1);
  EXPECT_EQ(make_run_plan({{"optimiser", "adamw"}})->settings.recipe.learning_rate, 0.001);
  const auto given = make_run_plan({{"optimiser", "adamw"}, {"learning-rate", "0.1"}});
  EXPECT_EQ(given->settings.recipe.learning_rate, 0.1);
  // Said or not, it is the same run.
  EXPECT_EQ(make_run_plan({{"optimiser", "adamw"}, {"learning-rate", "0.001"}})->identity.name,
            make_run_plan({{"optimiser", "adamw"}})->identity.name);
  EXPECT_THAT(make_run_plan({{"optimiser", "adamw"}})->identity.command,
              HasSubstr("--learning-rate 0.001"));
}

TEST(RunPlan, ThreadsBelongToTheIdentityUnderDenseExecutionAlone) {
  const auto threads_affect_result = [](const RunPlan& plan) {
    return std::ranges::find(plan.identity.options, "threads", &OptionValue::name)->affects_result;
  };
  const auto sparse = make_run_plan({{"threads", "2"}});
  EXPECT_EQ(sparse->identity.hash, make_run_plan({})->identity.hash);
  EXPECT_FALSE(threads_affect_result(*sparse));
  const auto one = make_run_plan({{"execution", "dense"}});
  const auto two = make_run_plan({{"execution", "dense"}, {"threads", "2"}});
  EXPECT_NE(two->identity.hash, one->identity.hash);
  EXPECT_TRUE(threads_affect_result(*two));
  EXPECT_EQ(two->identity.command, "gcg_run --method grow_return --execution dense --threads 2");
}

TEST(RunPlan, WhereARunIsKeptDoesNotChangeItsIdentity) {
  EXPECT_EQ(make_run_plan({{"out", "/elsewhere"}, {"checkpoint-seconds", "1"}})->identity.hash,
            make_run_plan({})->identity.hash);
}

TEST(RunPlan, TheCommandLineNamesTheFolderOfDataThatTheEnvironmentNames) {
  const GivenOptions given{{"data", "cifar10"}};
  const testing::Variable nowhere("GCG_DATA", std::nullopt);
  const auto without = make_run_plan(given);
  EXPECT_THAT(without->identity.command, Not(HasSubstr("--data-dir")));
  const testing::Variable variable("GCG_DATA", "/data/of mine");
  const auto plan = make_run_plan(given);
  EXPECT_THAT(plan->identity.command, HasSubstr(" --data-dir '/data/of mine'"));
  EXPECT_EQ(plan->identity.name, without->identity.name);
  EXPECT_THAT(make_run_plan({{"data", "cifar10"}, {"data-dir", "/other"}})->identity.command,
              HasSubstr(" --data-dir /other"));
  EXPECT_THAT(make_run_plan({})->identity.command, Not(HasSubstr("--data-dir")));
}

TEST(RunPlan, TheCommandLineOfTheIdentityIsTheWholeOfItForAShell) {
  const GivenOptions given{{"method", "fixed_mask"}, {"seed-rule", "erk"},
                           {"seed-density", "0.1"},  {"cycles", "3"},
                           {"data", "cifar10"},      {"data-dir", "/data of my/it's $HOME"},
                           {"out", "runs/a \"b\""},  {"nesterov", "off"}};
  const auto plan = make_run_plan(given);
  // The shell itself takes it apart: every word on a line of its own.
  const auto [status, text] = testing::shell(
      "set -- " + plan->identity.command + "; shift; for word; do printf '%s\\n' \"$word\"; done");
  ASSERT_EQ(status, 0) << text;
  std::vector<std::string> words;
  std::istringstream lines(text);
  for (std::string word; std::getline(lines, word);) {
    words.push_back(word);
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) {
    arguments.push_back(word.c_str());
  }
  EXPECT_EQ(parse_run_command(arguments).given, given);
}

TEST(RunPlan, UnknownOptionsAreErrors) {
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"grow-ratio", "1"}});
              }),
              HasSubstr("--grow-ratio: there is no such option"));
}

TEST(RunPlan, AnOptionOfAnotherMethodIsAnErrorThatNamesItsOwner) {
  const std::string text = usage_error([] {
    (void)make_run_plan({{"method", "dense"}, {"growth-ratio", "0.3"}});
  });
  EXPECT_THAT(text, HasSubstr("--growth-ratio: is not used by method dense"));
  EXPECT_THAT(text, HasSubstr("method gcg"));
}

TEST(RunPlan, AnOptionWithoutEffectIsAnErrorEvenAtItsDefault) {
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"selection", "greedy"}, {"beta", "1"}});
              }),
              HasSubstr("--beta: has no effect here"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"growth-rule", "random"}, {"path-norm", "identity"}});
              }),
              HasSubstr("neither the rule nor the quotas use paths"));
  // A method's restriction leaves the option's own condition in force.
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"method", "fixed_mask"}, {"seed-batches", "2"}});
              }),
              HasSubstr("the seed rule looks at no images"));
}

TEST(RunPlan, ValuesOutOfRangeAreErrorsThatTellTheRange) {
  for (const auto& option :
       std::vector<std::pair<std::string, std::string>>{{"seed-density", "0"},
                                                        {"seed-density", "1.1"},
                                                        {"seed-density", "nan"},
                                                        {"growth-ratio", "0"},
                                                        {"growth-ratio", "-1"},
                                                        {"epochs", "0"},
                                                        {"epochs", "1.5"},
                                                        {"learning-rate", ""},
                                                        {"threads", "0"},
                                                        {"seed", "-1"},
                                                        {"seed", "18446744073709551616"}}) {
    SCOPED_TRACE(option.first + "=" + option.second);
    EXPECT_THAT(usage_error([&] { (void)make_run_plan({option}); }),
                ::testing::AllOf(HasSubstr("--" + option.first), HasSubstr("in ")));
  }
}

TEST(RunPlan, ContradictionsAreErrors) {
  EXPECT_THAT(
      usage_error([] {
        (void)make_run_plan({{"method", "gcg"}, {"max-density", "0.1"}, {"seed-density", "0.2"}});
      }),
      HasSubstr("below --seed-density"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"method", "fixed_mask"}, {"mask-stage", "2"}});
              }),
              HasSubstr("there is no --mask-file"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan(
                    {{"method", "fixed_mask"}, {"mask-file", "m.npz"}, {"mask-stage", "2"}});
              }),
              HasSubstr("there is no --mask-file with stages"));
  EXPECT_THAT(
      usage_error([] {
        (void)make_run_plan({{"device", "cuda"}, {"cuda-graphs", "on"}, {"processes", "2"}});
      }),
      HasSubstr("--cuda-graphs: a step that several processes share is no CUDA graph"));
}

TEST(RunPlan, AMethodIsCheckedWithTheEpochsThatItsBudgetLeaves) {
  const GivenOptions given{
      {"method", "grow_reallocate"}, {"budget", "flops"}, {"epochs", "20"}, {"cost-ratio", "5"}};
  EXPECT_THAT(usage_error([&] { (void)make_run_plan(given); }),
              HasSubstr("--growth-share: 4 stages leave none of 4 epochs"));
  GivenOptions more = given;
  more["cost-ratio"] = "4";
  EXPECT_NO_THROW((void)make_run_plan(more));
}

TEST(RunPlan, ABranchIsIdentifiedByTheNameOfItsTrunkAndStageBeforeTheTrunkHasRun) {
  const std::string trunk = make_run_plan({{"method", "gcg"}})->identity.name;
  const auto branch = [&](const std::string& stage) {
    return make_run_plan(
               {{"method", "gcg"}, {"trunk", trunk}, {"trunk-stage", stage}, {"final", "rewind"}})
        ->identity;
  };
  EXPECT_EQ(branch("3").name, "gcg-resnet8-procedural-s1-6380a3c577");
  EXPECT_NE(branch("4").hash, branch("3").hash);
  EXPECT_THAT(branch("3").command, HasSubstr("--trunk " + trunk + " --trunk-stage 3"));
  const auto control = make_run_plan({{"method", "fixed_mask"}, {"trunk", trunk}});
  EXPECT_NE(control->identity.hash, make_run_plan({{"method", "fixed_mask"}})->identity.hash);
}

TEST(RunPlan, WhatATrunkDecidesIsNotTheBranchsToSay) {
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"method", "gcg"}, {"trunk", "t"}, {"seed-density", "0.1"}});
              }),
              HasSubstr("--seed-density: has no effect here: the first stages are the trunk's"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"method", "gcg"}, {"trunk-stage", "1"}});
              }),
              HasSubstr("there is no --trunk"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"method", "fixed_mask"}, {"trunk", "t"}, {"mask-file", "f"}});
              }),
              HasSubstr("the mask comes from --trunk"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan({{"method", "gcg"}, {"trunk", "../t"}});
              }),
              HasSubstr("is not the name of a run"));
  EXPECT_THAT(usage_error([] {
                (void)make_run_plan(
                    {{"method", "gcg"}, {"trunk", "t"}, {"trunk-stage", "3"}, {"max-stages", "3"}});
              }),
              HasSubstr("at least --trunk-stage plus 1"));
}

TEST(RunPlan, WhetherStagesAreKeptIsNoPartOfTheIdentity) {
  EXPECT_EQ(make_run_plan({{"keep-stages", "off"}})->identity.hash,
            make_run_plan({})->identity.hash);
}

TEST(RunPlan, TheRecordListsEveryOptionInUse) {
  const auto plan = make_run_plan({{"beta", "2"}});
  const auto& options = plan->identity.options;
  const auto find = [&](const std::string& name) {
    return std::find_if(options.begin(), options.end(),
                        [&](const OptionValue& option) { return option.name == name; });
  };
  ASSERT_NE(find("beta"), options.end());
  EXPECT_EQ(find("beta")->value, "2");
  EXPECT_FALSE(find("beta")->is_default);
  ASSERT_NE(find("lambda"), options.end());
  EXPECT_TRUE(find("lambda")->is_default);
  EXPECT_FALSE(find("out")->affects_result);
}

TEST(RunPlan, NoMethodAcceptsAnOptionOfAnother) {
  for (const MethodEntry& entry : method_table()) {
    const std::string owner = "method " + std::string(entry.name);
    for (const OptionDescription& option : all_run_options()) {
      const bool of_methods =
          std::any_of(option.owners.begin(), option.owners.end(),
                      [](const std::string& name) { return name.starts_with("method "); });
      if (of_methods &&
          std::find(option.owners.begin(), option.owners.end(), owner) == option.owners.end()) {
        SCOPED_TRACE(owner + " " + option.name);
        EXPECT_THAT(usage_error([&] {
                      (void)make_run_plan({{"method", std::string(entry.name)},
                                           {option.name, option.default_text}});
                    }),
                    HasSubstr("is not used by " + owner));
      }
    }
  }
}

TEST(RunPlan, EveryMethodHasAPlanOfItsOwn) {
  std::set<std::string> names;
  for (const MethodEntry& entry : method_table()) {
    EXPECT_TRUE(
        names.insert(make_run_plan({{"method", std::string(entry.name)}})->identity.hash).second);
  }
}

}  // namespace
}  // namespace gcg
