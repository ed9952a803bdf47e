// What users are told of the mistakes that they make most (messages.txt, to be read), and that no
// program takes a number that it cannot hold.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <wordexp.h>

#include <fstream>
#include <set>

#include "base/error.h"
#include "base/extremes.h"
#include "base/shell.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "run/execute.h"
#include "study/command_line.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::TemporaryFolder;

struct Case {
  std::string command;
  std::string told;  ///< every line of it
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const std::string text = read_text(GCG_MESSAGES);
  for (const std::string_view line : lines_of(text)) {
    if (line.starts_with("$ ")) {
      all.push_back({std::string(line.substr(2)), ""});
    } else if (!line.empty() && !line.starts_with('#')) {
      all.back().told += fmt::format("{}\n", line);
    }
  }
  return all;
}

/// The folder that the commands are given in, as messages.txt describes it.
void lay_out(const TemporaryFolder& folder) {
  std::ofstream(folder / "empty.npz").flush();
  std::ofstream(folder / "run.ini") << "epochs 3\n";
  std::ofstream(folder / "typo.ini") << "sead = 3\n";
  std::ofstream(folder / "mine.toml") << "[mine]\nlike = \"smoke\"\nstage-epochs = 0,5\n";
  std::filesystem::create_directory(folder / "folder");
}

/// In this process: starting LibTorch for every line takes too long.
std::string told_by_gcg_run(const std::string& arguments) {
  wordexp_t words{};
  EXPECT_EQ(::wordexp(arguments.c_str(), &words, WRDE_NOCMD), 0) << arguments;
  std::string told;
  try {
    const RunCommand command =
        parse_run_command(std::span<const char* const>(words.we_wordv, words.we_wordc));
    const auto plan = make_run_plan(command.given);
    (void)execute(*plan);
  } catch (const std::exception& error) {
    told = fmt::format("gcg_run: {}\n", error.what());
  }
  ::wordfree(&words);
  return told;
}

Outcome in_folder(const TemporaryFolder& folder, const std::string& command) {
  return testing::shell(fmt::format("cd {} && unset GCG_DATA && PATH={}:{}:$PATH && {}",
                                    folder.path().string(), GCG_PROGRAMS, GCG_DATA_PROGRAMS,
                                    command));
}

TEST(Messages, AreTheseOfTheMistakesThatUsersMakeMost) {
  const TemporaryFolder folder;
  lay_out(folder);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  ::unsetenv("GCG_DATA");
  std::set<std::string> seen;
  for (const Case& c : cases()) {
    const bool own = c.command.starts_with("gcg_run ");
    const std::string told =
        own ? told_by_gcg_run(c.command.substr(8)) : in_folder(folder, c.command).output;
    EXPECT_EQ(told, c.told) << "$ " << c.command;
    EXPECT_TRUE(seen.insert(c.command).second) << c.command;
  }
  std::filesystem::current_path(before);
  EXPECT_GE(seen.size(), 60U);
}

TEST(Messages, EveryNumberOfTheOtherProgramsIsRefusedWithItsRangeIfItIsOutside) {
  const TemporaryFolder folder;
  lay_out(folder);
  struct Number {
    std::string command, option, range;
    std::set<std::string> taken{};  ///< of the extreme texts
  };
  const std::string prepare = "gcg_data_prepare --data imagenet --from folder";
  const std::string check = "gcg_data_check --manifest nowhere --data ";
  const std::set<std::string> seeds{"9223372036854775807", "9223372036854775808",
                                    "18446744073709551615"};
  for (const auto& [command, option, range, taken] :
       std::vector<Number>{{"gcg_export folder", "stage", "[-1, 1000000]"},
                           {prepare, "short-side", "[0, 4096]"},
                           {prepare, "quality", "[1, 100]"},
                           {prepare, "threads", "[1, 1024]"},
                           {check + "procedural", "threads", "[1, 1024]"},
                           {check + "procedural", "data-images", "[10, 1000000]"},
                           {check + "procedural", "data-test-images", "[10, 1000000]"},
                           {check + "procedural", "difficulty", "[0, 1]", {"1e-300"}},
                           {check + "procedural", "data-seed", "[0, 18446744073709551615]", seeds},
                           {check + "teacher", "teacher-density", "[0.04, 1]"},
                           {check + "teacher", "teacher-seed", "[0, 18446744073709551615]", seeds},
                           {check + "imagenet", "image-edge", "[8, 1024]"}}) {
    for (const std::string text : testing::kExtremes) {
      SCOPED_TRACE(fmt::format("{} --{} '{}'", command, option, text));
      const Outcome outcome = in_folder(folder, fmt::format("{} --{} '{}'", command, option, text));
      if (taken.contains(text)) {
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.output, HasSubstr("nowhere"));
        continue;
      }
      EXPECT_EQ(outcome.status, 2) << outcome.output;
      EXPECT_THAT(outcome.output, HasSubstr(fmt::format("--{}: ", option)));
      EXPECT_THAT(outcome.output, HasSubstr("number in " + range));
    }
  }
}

}  // namespace
}  // namespace gcg
