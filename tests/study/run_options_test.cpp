// Every option of every method, data set and optimiser, with texts that nobody means.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/extremes.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "method/methods.h"
#include "study/run_plan.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// Runs that have every option between them: of every method, every data set and every optimiser.
std::vector<GivenOptions> runs_of_every_table() {
  std::vector<GivenOptions> all;
  for (const MethodEntry& method : method_table()) {
    all.push_back({{"method", std::string(method.name)}});
  }
  for (const DataSourceEntry& data : data_source_table()) {
    all.push_back({{"data", std::string(data.name)}});
  }
  for (const Optimiser& optimiser : optimiser_table()) {
    all.push_back({{"optimiser", std::string(optimiser.name)}});
  }
  return all;
}

std::string text_of(const GivenOptions& given) {
  std::string text;
  for (const auto& [name, value] : given) {
    text += fmt::format(" --{} '{}'", name, value);
  }
  return text;
}

/// What an option's own check says of a text; empty if it takes it.
std::string refusal(const Option& option, const std::string& text) {
  try {
    option.set(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

/// The range that the refusal of a number states.
struct StatedRange {
  bool whole = false;
  std::string text;  ///< "(0, 1]"; empty where no number is asked for
  double low = 0, high = 0;

  explicit StatedRange(const std::string& refusal) {
    constexpr std::string_view kBefore = "number in ";
    const std::size_t place = refusal.find(kBefore);
    if (place == std::string::npos) {
      return;
    }
    whole = refusal.find("not a whole number in ") != std::string::npos;
    const std::size_t begin = place + kBefore.size();
    text = refusal.substr(begin, refusal.find('\n') - begin);
    const std::size_t comma = text.find(", ");
    low = whole_number_text<double>(text.substr(1, comma - 1)).value();
    high = whole_number_text<double>(text.substr(comma + 2, text.size() - comma - 3)).value();
  }
  /// Of the type that the option has.
  [[nodiscard]] std::optional<double> number(std::string_view from) const {
    if (!whole) {
      return whole_number_text<double>(from);
    }
    if (const auto value = whole_number_text<std::uint64_t>(from)) {
      return static_cast<double>(*value);
    }
    const auto value = whole_number_text<std::int64_t>(from);
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
  }
  [[nodiscard]] bool holds(std::string_view from) const {
    const std::optional<double> value = number(from);
    return value && (text.front() == '(' ? *value > low : *value >= low) &&
           (text.back() == ')' ? *value < high : *value <= high);
  }
};

TEST(RunOptions, EveryNumberIsTakenWithinTheRangeThatItStatesOrRefusedWithIt) {
  std::set<std::string> seen;
  std::set<std::string> texts;
  for (const GivenOptions& given : runs_of_every_table()) {
    const auto plan = make_run_plan(given);
    for (const Option& option : plan->options.options()) {
      SCOPED_TRACE(fmt::format("{} --{}", text_of(given), option.name));
      seen.insert(option.name);
      const StatedRange range(refusal(option, "nan"));
      if (range.text.empty()) {
        if (refusal(option, "nan").empty()) {
          texts.insert(option.name);
        }
        continue;
      }
      EXPECT_THAT(option.help, HasSubstr(range.text));
      EXPECT_FALSE(range.holds("inf") || range.holds("-inf")) << range.text;
      for (const std::string text : testing::kExtremes) {
        const std::string told = refusal(option, text);
        EXPECT_EQ(told.empty(), range.holds(text)) << "'" << text << "' " << told;
        if (told.empty()) {
          EXPECT_EQ(range.number(option.text()), range.number(text));
        } else {
          EXPECT_THAT(told, ::testing::AllOf(HasSubstr(fmt::format("--{}: ", option.name)),
                                             HasSubstr(range.text)));
        }
      }
    }
  }
  for (const OptionDescription& option : all_run_options()) {
    EXPECT_TRUE(seen.contains(option.name)) << option.name;
  }
  // What takes any text is one: names of files and runs, and priors (RefusesPriors, gcg_test.cpp).
  EXPECT_THAT(texts, ::testing::ElementsAre("allocation-file", "data-dir", "joint-priors",
                                            "mask-file", "out", "seed-allocation-file", "trunk"));
}

/// What gives an effect to an option that has none by the defaults. `mask` is a file.
GivenOptions companions(const std::string& option, const std::string& mask) {
  const std::map<std::string, GivenOptions> all{{"allocation-file", {{"quotas", "table"}}},
                                                {"cost-ratio", {{"budget", "flops"}}},
                                                {"cuda-graphs", {{"device", "cuda"}}},
                                                {"deterministic", {{"device", "cuda"}}},
                                                {"kernels", {{"precision", "bf16"}}},
                                                {"mask-stage", {{"mask-file", mask}}},
                                                {"rank-seconds", {{"processes", "2"}}},
                                                {"recipe", {{"network", "vit6_small"}}},
                                                {"regrow-share", {{"regrow", "gradient"}}},
                                                {"seed-allocation-file", {{"seed-rule", "table"}}},
                                                {"seed-batches", {{"seed-rule", "snip"}}},
                                                {"seed-inverted", {{"seed-rule", "snip"}}},
                                                {"stochastic-depth", {{"network", "vit6_small"}}},
                                                {"sync-norm", {{"processes", "2"}}},
                                                {"synflow-rounds", {{"seed-rule", "synflow"}}},
                                                {"trunk-stage", {{"trunk", "t"}}}};
  const auto found = all.find(option);
  return found == all.end() ? GivenOptions{} : found->second;
}

/// What a plan by these options is refused for; nothing where it is not.
std::string why_refused(const GivenOptions& given) {
  try {
    (void)make_run_plan(given);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(RunOptions, EveryOptionTakesAnExtremeTextAsItStandsOrRefusesIt) {
  const Network network =
      build_network("resnet8", {.input = {3, 16, 16}, .classes = 10, .width = 4});
  const testing::TemporaryFolder folder;
  const std::string mask = folder / "mask.h5";
  std::ofstream(mask) << "no run file";
  std::set<std::string> without_effect;
  std::set<std::string> with_effect;
  for (const GivenOptions& run : runs_of_every_table()) {
    const auto known = make_run_plan(run);
    for (const Option& option : known->options.options()) {
      GivenOptions given = companions(option.name, mask);
      given.insert(run.begin(), run.end());
      given[option.name] = option.text();
      const std::string told = why_refused(given);
      (told.find("has no effect here") == std::string::npos ? with_effect : without_effect)
          .insert(option.name);
      for (const char* text : testing::kExtremes) {
        given[option.name] = text;
        SCOPED_TRACE(text_of(given));
        std::unique_ptr<RunPlan> plan;
        try {
          plan = make_run_plan(given);
        } catch (const Error& error) {
          // A file is called by its own name, and a cost by the epochs that it leaves.
          EXPECT_THAT(error.what(), ::testing::AnyOf(HasSubstr(option.name), HasSubstr(text),
                                                     HasSubstr("leave none of 1 epochs")));
          continue;
        }
        if (option.name == "epochs" || option.name == "stage-epochs") {
          continue;  // a course of 10^6 epochs is planned in a list
        }
        std::vector<PlannedPart> course;
        try {
          course = plan->method->planned_course(with_budget(plan->settings.recipe), network);
        } catch (const Error& error) {  // a density that leaves no connection of this network
          EXPECT_THAT(error.what(), ::testing::AnyOf(HasSubstr("leaves none"), HasSubstr(mask)));
        }
        for (const PlannedPart& part : course) {
          EXPECT_TRUE(part.density > 0 && part.density <= 1) << part.density;
          EXPECT_TRUE(part.epochs >= 0 && part.epochs <= 1e9) << part.epochs;
        }
      }
    }
  }
  for (const std::string& name : without_effect) {
    EXPECT_TRUE(with_effect.contains(name)) << name << " is not reached: name a companion";
  }
}

}  // namespace
}  // namespace gcg
