#include "study/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace gcg {
namespace {

using testing::HasSubstr;

RunCommand parse(std::initializer_list<const char*> arguments) {
  return parse_run_command(std::span(arguments.begin(), arguments.size()));
}

std::string failure(std::initializer_list<const char*> arguments) {
  try {
    (void)parse(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no usage error";
}

std::filesystem::path config_file(const std::string& content) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "gcg-test.ini";
  std::ofstream(path) << content;
  return path;
}

TEST(CommandLine, OnlyWhatIsGivenIsGiven) {
  const RunCommand command = parse({"--seed", "7", "--growth-ratio=0.4"});
  EXPECT_EQ(command.given, (GivenOptions{{"seed", "7"}, {"growth-ratio", "0.4"}}));
  EXPECT_FALSE(command.help);
}

TEST(CommandLine, UnknownAbbreviatedRepeatedAndLeftOverWordsAreErrors) {
  EXPECT_THAT(failure({"--grow", "1"}), HasSubstr("grow"));
  EXPECT_THAT(failure({"--growth-rati", "1"}), HasSubstr("growth-rati"));
  EXPECT_THAT(failure({"--seed", "1", "--seed", "2"}), HasSubstr("seed"));
  EXPECT_THAT(failure({"run"}), HasSubstr("positional"));
  EXPECT_THAT(failure({"--seed"}), HasSubstr("seed"));
}

TEST(CommandLine, AConfigurationFileGivesOptionsAndTheCommandLineWins) {
  const std::string path = config_file("seed = 5\n# a comment\ngrowth-ratio = 0.3\n").string();
  const RunCommand command = parse({"--config", path.c_str(), "--seed", "6"});
  EXPECT_EQ(command.given, (GivenOptions{{"seed", "6"}, {"growth-ratio", "0.3"}}));
}

TEST(CommandLine, AnUnknownOptionInAConfigurationFileIsAnErrorThatNamesTheFile) {
  const std::string path = config_file("sead = 5\n").string();
  const std::string text = failure({"--config", path.c_str()});
  EXPECT_THAT(text, HasSubstr("gcg-test.ini"));
  EXPECT_THAT(text, HasSubstr("sead"));
}

TEST(CommandLine, AMissingConfigurationFileIsAnError) {
  EXPECT_THAT(failure({"--config", "/no/such/file"}), HasSubstr("cannot read"));
}

TEST(CommandLine, HelpShowsEveryOptionWithItsDefault) {
  const std::string text = run_help();
  for (const OptionDescription& option : all_run_options()) {
    EXPECT_THAT(text, HasSubstr("--" + option.name));
    if (!option.default_text.empty()) {
      EXPECT_THAT(text, HasSubstr("(=" + option.default_text + ")"));
    }
  }
}

TEST(CommandLine, ListShowsWhatIsRegistered) {
  const std::string text = run_list();
  for (const char* name :
       {"gcg", "fixed_mask", "path_l2", "phew", "logistic", "resnet20", "cifar10"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

}  // namespace
}  // namespace gcg
