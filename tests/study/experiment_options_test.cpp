// The command line of an experiment: what it takes, and what it refuses.
#include "study/experiment_options.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/error.h"
#include "base/extremes.h"
#include "base/text.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const Experiment kExperiment{"example", "for tests", {}, {}};

ExperimentCommand parsed(const std::vector<std::string>& words) {
  std::vector<const char*> arguments{"example"};
  for (const std::string& word : words) {
    arguments.push_back(word.c_str());
  }
  return parse_experiment_command(static_cast<int>(arguments.size()), arguments.data(),
                                  kExperiment);
}

struct Number {
  double low, high;
  std::function<double(const ExperimentCommand&)> value;
};

const std::map<std::string, Number>& numbers() {
  static const std::map<std::string, Number> all{
      {"seeds", {0, 1000, [](const auto& c) { return c.study.request.seeds; }}},
      {"jobs", {0, 4096, [](const auto& c) { return c.study.jobs; }}},
      {"runs-per-gpu", {1, 256, [](const auto& c) { return c.study.runs_per_gpu; }}},
      {"minutes", {0, 1e6, [](const auto& c) { return c.minutes; }}},
      {"workers", {1, 1e5, [](const auto& c) { return c.slurm.workers; }}},
      {"gpus-per-worker", {0, 256, [](const auto& c) { return c.slurm.gpus; }}},
      {"cpus", {0, 4096, [](const auto& c) { return c.slurm.cpus; }}}};
  return all;
}

/// The option with what it may not be given without.
std::vector<std::string> line(const std::string& option, const std::string& text) {
  std::vector<std::string> words{fmt::format("--{}={}", option, text)};
  if (option == "minutes") {
    words.push_back("--work");
  } else if (option == "rate") {
    words.push_back("--dry-run");
  } else if (option == "workers" || option == "cpus" || option == "gpus-per-worker" ||
             option == "partition" || option == "account" || option == "memory" ||
             option == "time") {
    words.push_back("--slurm-dry-run");
  }
  return words;
}

TEST(ExperimentOptions, EveryOptionTakesAnExtremeTextAsItStandsOrRefusesIt) {
  ExperimentCommand unused;
  const auto options = experiment_options(kExperiment, unused);
  for (const auto& option : options.options()) {
    if (option->semantic()->max_tokens() == 0) {
      continue;  // a flag
    }
    const std::string name = option->long_name();
    const auto number = numbers().find(name);
    for (const char* text : testing::kExtremes) {
      SCOPED_TRACE(fmt::format("--{} '{}'", name, text));
      const auto read = whole_number_text<double>(text);
      const bool whole = whole_number_text<std::int64_t>(text).has_value();
      const bool fits = number != numbers().end() && read && (whole || name == "minutes") &&
                        *read >= number->second.low && *read <= number->second.high;
      try {
        const ExperimentCommand command = parsed(line(name, text));
        if (number != numbers().end()) {
          EXPECT_TRUE(fits) << "taken";
          EXPECT_EQ(number->second.value(command), *read);
        }
      } catch (const UsageError& error) {
        EXPECT_FALSE(fits) << error.what();
        EXPECT_THAT(error.what(), HasSubstr("--" + name));
        if (number != numbers().end() && !std::string_view(text).empty()) {
          EXPECT_THAT(error.what(), HasSubstr(fmt::format(", {}]", number->second.high)));
        }
        // A text that is no number at all is refused only for what a line of Slurm cannot hold.
        EXPECT_TRUE(number != numbers().end() || std::string_view(text).empty() ||
                    std::string_view(text).find(' ') != std::string_view::npos)
            << error.what();
      }
    }
  }
}

TEST(ExperimentOptions, NumbersAreTakenUpToTheirBoundsAndRefusedWithThem) {
  for (const auto& [name, number] : numbers()) {
    SCOPED_TRACE(name);
    const auto text = [](double value) { return fmt::format("{}", value); };
    EXPECT_EQ(number.value(parsed(line(name, text(number.high)))), number.high);
    GCG_EXPECT_ERROR((void)parsed(line(name, text(number.high + 1))),
                     AllOf(HasSubstr("--" + name), HasSubstr(text(number.high) + "]")));
    GCG_EXPECT_ERROR((void)parsed(line(name, text(number.low - 1))), HasSubstr("--" + name));
  }
}

TEST(ExperimentOptions, AWordThatBelongsToNoOptionIsNamed) {
  GCG_EXPECT_ERROR((void)parsed({"--list", "small"}), HasSubstr("'small' belongs to no option"));
  GCG_EXPECT_ERROR((void)parsed({"--frobnicate", "1"}), HasSubstr("frobnicate"));
}

TEST(ExperimentOptions, WhatIsNotGivenIsTheDefault) {
  const ExperimentCommand command = parsed({});
  EXPECT_EQ(command.study.request.seeds, 0);
  EXPECT_EQ(command.study.jobs, 0);
  EXPECT_EQ(command.study.runs_per_gpu, 1);
  EXPECT_EQ(command.minutes, 0);
  EXPECT_EQ(command.slurm.workers, 1);
  EXPECT_EQ(command.slurm.gpus, 0);
  EXPECT_EQ(parsed({"--device=cuda"}).slurm.gpus, 1);
}

}  // namespace
}  // namespace gcg
