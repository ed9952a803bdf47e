// What a settings file and --set may say, and what is said of one that is wrong.
#include "study/scale.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

constexpr SettingsFile kShipped{"sizes.toml", R"([smoke]
network = "resnet8"
width = 4
epochs = 2
densities = [0.1, 1]
own = true
seeds = 1

[small]
network = "resnet8"
width = 8
epochs = 20
densities = [0.2]
own = false
seeds = 3
options = { weight-decay = 0.001 }

[small.imagenet]
network = "resnet50"
options = { batch-size = 256, cutout = true }
)"};

Scale shipped(const std::string& name, const std::vector<std::string>& changes = {}) {
  return read_scale(kShipped, name, changes, "cifar10");
}

/// A file of the user's with this text, read.
Scale own(const std::string& text, std::string_view data = "cifar10") {
  const TemporaryFolder folder;
  const std::string path = folder / "my.toml";
  std::ofstream(path) << text;
  return read_scale(kShipped, path, {}, data);
}

TEST(Scale, HasWhatItsTableSays) {
  EXPECT_THAT(scale_names(kShipped), ElementsAre("smoke", "small"));
  const Scale scale = shipped("smoke");
  EXPECT_EQ(scale.name, "smoke");
  EXPECT_TRUE(scale.is_shipped);
  EXPECT_EQ(scale.whole("epochs", 1, 10), 2);
  EXPECT_THAT(scale.numbers("densities", kFraction), ElementsAre(0.1, 1));
  EXPECT_TRUE(scale.flag("own"));
  EXPECT_EQ(scale.seeds(), 1);
  EXPECT_THAT(scale.options(),
              ElementsAre(std::pair("network", "resnet8"), std::pair("width", "4")));
  EXPECT_NO_THROW(scale.check_all_read("test"));
}

TEST(Scale, WhatDiffersOnADataSetWinsAndTheRestStays) {
  const auto options = read_scale(kShipped, "small", {}, "imagenet").options();
  EXPECT_EQ(options.at("network"), "resnet50");
  EXPECT_EQ(options.at("width"), "8");
  EXPECT_EQ(options.at("batch-size"), "256");
  EXPECT_EQ(options.at("cutout"), "on");
  EXPECT_EQ(options.at("weight-decay"), "0.001");
  EXPECT_EQ(shipped("small").options().contains("batch-size"), false);
}

TEST(Scale, AUsersFileIsOneTableThatMayBeginLikeAShippedScale) {
  const Scale scale = own("[vgg]\nlike = \"small\"\nnetwork = \"vgg16\"\n");
  EXPECT_EQ(scale.name, "vgg");
  EXPECT_FALSE(scale.is_shipped);
  EXPECT_EQ(scale.options().at("network"), "vgg16");
  EXPECT_EQ(scale.whole("epochs", 1, 100), 20);
  // Without `like` it has to say everything.
  GCG_EXPECT_ERROR(
      (void)own("[vgg]\nnetwork = \"vgg16\"\n").whole("epochs", 1, 100),
      AllOf(HasSubstr("my.toml, line 1: [vgg]: has no 'epochs'"), HasSubstr("like = \"small\"")));
}

TEST(Scale, AUsersFileIsRefusedWithItsLine) {
  const auto refused = [](const std::string& text, const std::string& complaint) {
    SCOPED_TRACE(text);
    GCG_EXPECT_ERROR((void)own(text), HasSubstr(complaint));
  };
  refused("[vgg]\nepochs = 0,5\n", "my.toml, line 2");
  refused("[vgg]\nepochs = 3\nepochs = 4\n", "my.toml, line 3");
  refused("epochs = 3\n", "one scale's table");
  refused("[a]\nepochs = 3\n[b]\nepochs = 4\n", "one scale's table");
  refused("", "is empty");
  refused("[small]\nepochs = 3\n", "my.toml, line 1: 'small' cannot be the name of your own scale");
  refused("[\"../x\"]\nepochs = 3\n", "cannot be the name of your own scale");
  refused("[vgg]\nlike = \"huge\"\n", "my.toml, line 2: like: 'huge' is none of: smoke, small");
  refused("[vgg]\nlike = 3\n", "my.toml, line 2: like: is not the name of a scale");
  refused("[vgg.mars]\nepochs = 3\n", "my.toml, line 1: 'mars' is none of");
  refused("[vgg]\nepochs = 2024-01-01\n", "my.toml, line 2: epochs: is not a word, number");
  EXPECT_THROW((void)read_scale(kShipped, "/nowhere/my.toml", {}, "cifar10"), UsageError);
  EXPECT_THROW((void)read_scale(kShipped, "huge", {}, "cifar10"), UsageError);
}

TEST(Scale, ValuesAreOfTheRightTypeAndInRangeAndReadWhole) {
  const auto with = [](const std::string& line) { return own("[a]\n" + line + "\n"); };
  GCG_EXPECT_ERROR((void)with("x = 3.0").whole("x", 1, 9),
                   HasSubstr("line 2: x: 3 is not a whole"));
  GCG_EXPECT_ERROR((void)with("x = \"3\"").whole("x", 1, 9), HasSubstr("is not a whole number"));
  GCG_EXPECT_ERROR((void)with("x = 10").whole("x", 1, 9),
                   HasSubstr("10 is not a whole number in [1, 9]"));
  GCG_EXPECT_ERROR((void)with("x = 0").number("x", kPositive),
                   HasSubstr("not a number in (0, inf)"));
  GCG_EXPECT_ERROR((void)with("x = nan").number("x", kNotNegative), HasSubstr("nan is not"));
  GCG_EXPECT_ERROR((void)with("x = 1").flag("x"), HasSubstr("neither true nor false"));
  GCG_EXPECT_ERROR((void)with("x = 1").numbers("x", kFraction), HasSubstr("is no list"));
  GCG_EXPECT_ERROR((void)with("x = [1]").number("x", kFraction), HasSubstr("is a list"));
  GCG_EXPECT_ERROR((void)with("x = []").numbers("x", kFraction), HasSubstr("is empty"));
  EXPECT_TRUE(with("x = []").numbers("x", kFraction, true).empty());
  GCG_EXPECT_ERROR((void)with("x = [1, 1.0]").numbers("x", kFraction), HasSubstr("has 1 twice"));
  GCG_EXPECT_ERROR((void)with("x = [[1]]").numbers("x", kFraction),
                   HasSubstr("is not a word, number"));
  GCG_EXPECT_ERROR((void)with("x = \"rose\"").word("x", {"path", "rosa"}),
                   HasSubstr("there is no 'rose'\n  remedy: did you mean 'rosa'?"));
  EXPECT_EQ(with("x = 1").number("x", kFraction), 1);  // a whole number is a number
}

TEST(Scale, ASettingThatNobodyReadsIsNoneOfTheExperiment) {
  const Scale scale = own("[a]\nepochs = 3\nepoch = 4\n");
  (void)scale.whole("epochs", 1, 9);
  GCG_EXPECT_ERROR(scale.check_all_read("growth_rules"),
                   AllOf(HasSubstr("my.toml, line 3: epoch: growth_rules has no such setting"),
                         HasSubstr("did you mean 'epochs'?")));
}

TEST(Scale, SingleSettingsCanBeChanged) {
  const Scale scale = shipped("small", {"network=vgg16", "epochs=30", "densities=[0.1, 0.2]"});
  EXPECT_EQ(scale.options().at("network"), "vgg16");
  EXPECT_EQ(scale.whole("epochs", 1, 100), 30);
  EXPECT_THAT(scale.numbers("densities", kFraction), ElementsAre(0.1, 0.2));
  EXPECT_EQ(shipped("small", {"options.optimiser=adamw"}).options().at("optimiser"), "adamw");
  GCG_EXPECT_ERROR((void)shipped("small", {"epochs=3x"}).whole("epochs", 1, 100),
                   HasSubstr("--set epochs: 3x is not a whole number"));
  GCG_EXPECT_ERROR((void)shipped("small", {"epochs"}), HasSubstr("is not SETTING=VALUE"));
  GCG_EXPECT_ERROR((void)shipped("small", {"epochs=3", "epochs=4"}), HasSubstr("given twice"));
  GCG_EXPECT_ERROR((void)shipped("small", {"options.seed=3"}).options(),
                   HasSubstr("no option that a scale can set"));
}

TEST(Scale, AChangeIsReadWholeOrRefused) {
  // TOML takes a comment, or another line, for no part of the value.
  for (const std::string value : {"3#0", "3 # few", "3\n", "3\r\n", "[0.1]#, 0.2]", "true#1", "a#b",
                                  "'a'#b", "\"a\\\"\"#b", "3\nwidth = 8"}) {
    SCOPED_TRACE(value);
    GCG_EXPECT_ERROR((void)shipped("small", {"epochs=" + value}),
                     AllOf(HasSubstr("--set epochs"), HasSubstr("outside of quotes")));
  }
  const auto word = [](const std::string& value) {
    return shipped("small", {"x=" + value}).word("x", {"a#b", "a'#b", "a", "it's"});
  };
  EXPECT_EQ(word("\"a#b\""), "a#b");
  EXPECT_EQ(word("'a#b'"), "a#b");
  EXPECT_EQ(word("\"a'#b\""), "a'#b");
  EXPECT_EQ(word("it's"), "it's");
  EXPECT_EQ(word("a"), "a");
}

TEST(Scale, ChangesMakeANameOfTheirOwn) {
  EXPECT_EQ(shipped("small", {"network=vgg16", "epochs=30"}).name, "small+epochs=30+network=vgg16");
  EXPECT_EQ(shipped("small", {"densities=[0.1, 0.2]"}).name, "small+densities=0.1,0.2");
  // What a file name cannot have is left out; such names end with a digest.
  const std::string one = shipped("small", {"curves=['a b']"}).name;
  const std::string other = shipped("small", {"curves=['ab']"}).name;
  EXPECT_THAT(one, ::testing::MatchesRegex("small\\+curves=ab-[0-9a-f]{8}"));
  EXPECT_EQ(other, "small+curves=ab");
  EXPECT_LT(shipped("small", {"curves=" + std::string(500, 'a')}).name.size(), 120U);
}

}  // namespace
}  // namespace gcg
