#include "base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>
#include <memory>

namespace gcg {
namespace {

using ::testing::MatchesRegex;
using ::testing::StrEq;

struct ClosedFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, ClosedFile>;

std::string content(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    text += static_cast<char>(c);
  }
  return text;
}

TEST(DurationText, HasTwoUnitsAtMost) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(48.4), "48 s");
  EXPECT_EQ(duration_text(59.6), "1 min 00 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
  EXPECT_EQ(duration_text(-1), "?");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::quiet_NaN()), "?");
}

TEST(Clock, NeverGoesBack) {
  const double before = now_seconds();
  EXPECT_GE(now_seconds(), before);
}

TEST(ProgressLine, PrintsFullLinesIntoAFileWithTheTimeLeft) {
  const File file(std::tmpfile());
  {
    ProgressLine line(file.get(), 0);
    line.show("epoch 1", 0.25);
    line.show("epoch 2", 0.5);
    line.end();
  }
  EXPECT_THAT(content(file.get()), MatchesRegex("epoch 1\nepoch 2   50 %  [0-9]+ s left\n"));
}

TEST(ProgressLine, IsRareInAFile) {
  const File file(std::tmpfile());
  {
    ProgressLine line(file.get(), 1000);
    line.show("epoch 1", 0);
    line.show("epoch 2", 0.5);
    line.say("done");
  }
  EXPECT_THAT(content(file.get()), StrEq("epoch 1\ndone\n"));
}

}  // namespace
}  // namespace gcg
