#include "study/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "growth/seed.h"
#include "method/methods.h"
#include "score/score_table.h"
#include "study/references.h"
#include "topology/allocation.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

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

/// In a folder of the test's own: tests run side by side.
std::string config_file(const testing::TemporaryFolder& folder, const std::string& content) {
  const std::string path = (folder / "gcg-test.ini").string();
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
  EXPECT_THAT(failure({"run"}), HasSubstr("'run' belongs to no option"));
  EXPECT_THAT(failure({"--seed"}), HasSubstr("seed"));
}

TEST(CommandLine, AnOptionIsNeverTheValueOfTheOneBeforeIt) {
  EXPECT_THAT(failure({"--out", "--seed", "3"}),
              HasSubstr("--out has no value: the option --seed follows it"));
  EXPECT_THAT(failure({"--out", "--help"}), HasSubstr("--out has no value"));
  EXPECT_THAT(failure({"--config", "--dry-run"}), HasSubstr("--config has no value"));
  EXPECT_EQ(parse({"--out=--odd", "--help"}).given, (GivenOptions{{"out", "--odd"}}));
  EXPECT_TRUE(parse({"--help", "--out", "runs"}).help);
}

TEST(CommandLine, AConfigurationFileGivesOptionsAndTheCommandLineWins) {
  const testing::TemporaryFolder folder;
  const std::string path = config_file(folder, "seed = 5\n# a comment\ngrowth-ratio = 0.3\n");
  const RunCommand command = parse({"--config", path.c_str(), "--seed", "6"});
  EXPECT_EQ(command.given, (GivenOptions{{"seed", "6"}, {"growth-ratio", "0.3"}}));
}

TEST(CommandLine, AnUnknownOptionInAConfigurationFileIsAnErrorThatNamesTheFile) {
  const testing::TemporaryFolder folder;
  const std::string path = config_file(folder, "sead = 5\n");
  const std::string text = failure({"--config", path.c_str()});
  EXPECT_THAT(text, HasSubstr("gcg-test.ini"));
  EXPECT_THAT(text, HasSubstr("sead"));
}

TEST(CommandLine, AMissingConfigurationFileIsAnError) {
  EXPECT_THAT(failure({"--config", "/no/such/file"}), HasSubstr("cannot read"));
}

TEST(CommandLine, AFolderIsNoConfigurationFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_THAT(failure({"--config", path.c_str()}), HasSubstr("is not a regular file"));
}

TEST(CommandLine, AValueOfAConfigurationFileIsAllThatStandsThere) {
  const testing::TemporaryFolder folder;
  const std::string path =
      config_file(folder,
                  "\xEF\xBB\xBF"
                  "seed = 5\r\n  # a comment\r\ndata-dir = /data/idx#set = 2 \nout=\n");
  EXPECT_EQ(parse({"--config", path.c_str()}).given,
            (GivenOptions{{"seed", "5"}, {"data-dir", "/data/idx#set = 2"}, {"out", ""}}));
}

TEST(CommandLine, MistakesOfAConfigurationFileNameFileLineAndWord) {
  const testing::TemporaryFolder folder;
  const auto problem = [&](const std::string& text) {
    const std::string path = config_file(folder, text);
    return failure({"--config", path.c_str()});
  };
  EXPECT_THAT(problem("seed = 5\n\nepochs 4\n"), HasSubstr("gcg-test.ini: line 3: 'epochs 4'"));
  EXPECT_THAT(problem("seed = 5\nseed = 6\n"),
              HasSubstr("line 2: the option 'seed' is given twice"));
  EXPECT_THAT(problem("= 5\n"), HasSubstr("line 1: there is no option ''"));
  EXPECT_THAT(problem("[run]\nseed = 5\n"), HasSubstr("line 1: '[run]'"));
  EXPECT_THAT(problem("epochs = 3 # few\n"), HasSubstr("no usage error"));  // as --epochs "3 # few"
  EXPECT_THAT(problem(std::string("s\0e\0e\0d\0", 8)), HasSubstr("is not a text file"));
  EXPECT_THAT(problem("config = other\n"), HasSubstr("there is no option 'config'"));
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

TEST(CommandLine, HelpNamesTheDefaultsOfMethodsThatDiffer) {
  const std::vector<OptionDescription> all = all_run_options();
  const auto ratio = std::ranges::find(all, "growth-ratio", &OptionDescription::name);
  EXPECT_EQ(ratio->default_text, "0.25");
  EXPECT_THAT(ratio->help, HasSubstr("; default of method grow_return: 0.4"));
}

TEST(CommandLine, ListShowsWhatIsRegistered) {
  const std::string text = run_list();
  for (const char* name : {"gcg", "fixed_mask", "path_l2", "phew", "logistic", "resnet20",
                           "cifar10", "adamw", "cpu in fp32"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

/// The references of a table's rows.
template <typename Table>
void add_references(const Table& table, std::set<std::string>& references) {
  for (const auto& row : table) {
    // What this project makes itself has no work to cite.
    if (!row.reference.empty() && !row.reference.starts_with("this project")) {
      references.insert(std::string(row.reference));
    }
  }
}

TEST(Bibtex, HasAnEntryForEveryWorkThatATableCitesAndNoOther) {
  std::set<std::string> cited;
  add_references(method_table(), cited);
  add_references(score_table(), cited);
  add_references(seed_rule_table(), cited);
  add_references(allocation_table(), cited);
  add_references(network_table(), cited);
  add_references(data_source_table(), cited);
  add_references(optimiser_table(), cited);
  std::set<std::string> known;
  for (const Reference& reference : reference_table()) {
    known.insert(std::string(reference.text));
  }
  EXPECT_EQ(known, cited);
  for (const Reference& reference : related_works()) {
    EXPECT_FALSE(cited.contains(std::string(reference.text))) << reference.text;
  }
  std::set<std::string> keys;
  for (const std::span<const Reference> works : {reference_table(), related_works()}) {
    for (const Reference& reference : works) {
      EXPECT_TRUE(reference.bibtex.starts_with("@"));
      EXPECT_TRUE(
          keys.insert(std::string(reference.bibtex.substr(0, reference.bibtex.find(',')))).second);
      EXPECT_THAT(bibtex(), HasSubstr(std::string(reference.bibtex)));
    }
  }
  EXPECT_TRUE(parse({"--bibtex"}).bibtex);
}

}  // namespace
}  // namespace gcg
