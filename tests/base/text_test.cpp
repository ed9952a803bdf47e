#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

#include "base/shell.h"
#include "base/temporary_folder.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryFolder;

TEST(Text, IsReadWholeWithoutAByteOrderMark) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "\xEF\xBB\xBF"
                                 << "one\ntwo";
  EXPECT_EQ(read_text(folder / "file"), "one\ntwo");
  std::ofstream(folder / "wide") << std::string("a\0b\0", 4);
  GCG_EXPECT_ERROR(read_text(folder / "wide"), HasSubstr("is not a text file: byte 1 is 0"));
  GCG_EXPECT_ERROR(read_text(folder.path()), HasSubstr("is not a regular file"));
}

TEST(Text, HasLinesAndWords) {
  EXPECT_THAT(lines_of("a\r\n\nb c\n"), ElementsAre("a", "", "b c"));
  EXPECT_THAT(lines_of("a"), ElementsAre("a"));
  EXPECT_THAT(lines_of(""), IsEmpty());
  EXPECT_THAT(words_of(" fc1\t 0.5 x "), ElementsAre("fc1", "0.5", "x"));
  EXPECT_THAT(words_of(" \t"), IsEmpty());
  EXPECT_EQ(trimmed(" a b\t"), "a b");
}

TEST(WholeNumber, IsAllOfTheText) {
  EXPECT_EQ(whole_number_text<double>("0.5"), 0.5);
  EXPECT_EQ(whole_number_text<std::int64_t>("-7"), -7);
  for (const char* text : {"0,5", "0.5x", "", " 0.5", "0.5 ", "+1", "0x10", "1e999"}) {
    EXPECT_EQ(whole_number_text<double>(text), std::nullopt) << text;
  }
  EXPECT_EQ(whole_number_text<std::int64_t>("9223372036854775808"), std::nullopt);
  EXPECT_EQ(whole_number_text<std::int64_t>("1e3"), std::nullopt);
}

TEST(ShellWord, ReadsBackAsTheText) {
  EXPECT_EQ(shell_word("runs/a-b_1.0"), "runs/a-b_1.0");
  for (const std::string text : {"", "a b", "it's", "$HOME", "\"", "*", "a\nb", "~", "\\", "-n"}) {
    const auto [status, output] = testing::shell("printf %s " + shell_word(text));
    EXPECT_EQ(output, text == "-n" ? "-n" : text);
  }
}

TEST(ShellWord, OfBytesThatAreNotUtf8IsUtf8AndReadsBackAsThem) {
  EXPECT_EQ(shell_word("runs/\xff"), R"x("$(printf %b 'runs/\0377')")x");
  EXPECT_EQ(shell_word("r\xc3\xa9sultats"), "'r\xc3\xa9sultats'");
  for (const std::string text : {"\xff", "-\xe9", "it's \\ 100 % \x80\xc3\xa9", "\xc0\xaf",
                                 "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff\n\n",
                                 "\xfe"
                                 "0"}) {
    const std::string word = shell_word(text);
    EXPECT_TRUE(std::ranges::all_of(word, [](unsigned char c) { return c < 0x80; })) << word;
    EXPECT_EQ(testing::shell("printf %s " + word + "; printf .").output, text + ".");
  }
}

}  // namespace
}  // namespace gcg
