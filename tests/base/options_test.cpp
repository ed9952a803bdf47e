#include "base/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::StrEq;

struct Settings {
  double density = 0.05;
  double rate = 0.1;
  std::int64_t epochs = 2;
  std::uint64_t seed = 1;
  bool augment = true;
  std::string out = "runs";
  std::string rule = "path";
};

struct OptionsTest : ::testing::Test {
  OptionsTest() {
    list.group("Network");
    list.add("density", settings.density, kFraction, "share of present connections");
    list.group("Training");
    list.add("rate", settings.rate, kPositive, "learning rate");
    list.add("epochs", settings.epochs, Range{1, 1000}, "passes over the data");
    list.add("seed", settings.seed, "seed of every stream");
    list.add("augment", settings.augment, "crops and flips");
    list.add("out", settings.out, "folder of the run").cosmetic();
    list.add_choice("rule", settings.rule, {"path", "random"}, "growth rule");
  }

  Settings settings;
  OptionList list;
};

TEST_F(OptionsTest, SetChangesTheBoundMember) {
  list.set("density", "0.25");
  list.set("rate", "1e-3");
  list.set("epochs", "160");
  list.set("seed", "18446744073709551615");
  list.set("augment", "off");
  list.set("out", "some folder");
  list.set("rule", "random");
  EXPECT_EQ(settings.density, 0.25);
  EXPECT_EQ(settings.rate, 1e-3);
  EXPECT_EQ(settings.epochs, 160);
  EXPECT_EQ(settings.seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(settings.augment);
  EXPECT_EQ(settings.out, "some folder");
  EXPECT_EQ(settings.rule, "random");
}

TEST_F(OptionsTest, RememberDefaultAndGroupAndShowThePresentValue) {
  list.set("density", "0.250");
  const Option* density = list.find("density");
  ASSERT_NE(density, nullptr);
  EXPECT_EQ(density->default_text, "0.05");
  EXPECT_EQ(density->text(), "0.25");
  EXPECT_EQ(density->group, "Network");
  EXPECT_EQ(list.find("seed")->group, "Training");
  EXPECT_EQ(list.find("augment")->default_text, "on");
  EXPECT_EQ(list.find("rule")->help, "growth rule; one of: path, random");
  EXPECT_EQ(list.options().size(), 7U);
}

TEST_F(OptionsTest, RangesIncludeOrExcludeTheirBounds) {
  list.set("density", "1");
  EXPECT_EQ(settings.density, 1);
  list.set("epochs", "1");
  list.set("epochs", "1000");
  GCG_EXPECT_ERROR(list.set("density", "0"), StrEq("--density: '0' is not a number in (0, 1]\n"
                                                   "  remedy: --help says what the option means"));
  GCG_EXPECT_ERROR(list.set("density", "1.0001"), HasSubstr("'1.0001' is not a number in (0, 1]"));
  GCG_EXPECT_ERROR(list.set("rate", "-0.1"), HasSubstr("'-0.1' is not a number in (0, inf)"));
  GCG_EXPECT_ERROR(list.set("epochs", "0"), HasSubstr("'0' is not a whole number in [1, 1000]"));
  GCG_EXPECT_ERROR(list.set("epochs", "1001"), HasSubstr("--epochs: '1001'"));
}

TEST_F(OptionsTest, NotANumberIsOutsideOfEveryRange) {
  for (const char* text : {"nan", "NaN", "-nan", "nan(1)"}) {
    GCG_EXPECT_ERROR(list.set("density", text), HasSubstr("is not a number in (0, 1]"));
    GCG_EXPECT_ERROR(list.set("rate", text), HasSubstr("is not a number in"));
  }
  EXPECT_EQ(settings.density, 0.05);
}

TEST_F(OptionsTest, TextThatIsNotWhollyANumberIsRefused) {
  for (const char* text : {"", " 0.5", "0.5 ", "0.5x", "0,5", "half", "+0.5", "0x1p-1"}) {
    SCOPED_TRACE(text);
    GCG_EXPECT_ERROR(list.set("density", text), HasSubstr("--density: "));
  }
  for (const char* text : {"", "2.5", "1e2", "2 ", "99999999999999999999", "on"}) {
    SCOPED_TRACE(text);
    GCG_EXPECT_ERROR(list.set("epochs", text), HasSubstr("is not a whole number"));
  }
  for (const char* text : {"-1", "18446744073709551616", "1.0"}) {
    SCOPED_TRACE(text);
    GCG_EXPECT_ERROR(list.set("seed", text), HasSubstr("is not a whole number"));
  }
  EXPECT_EQ(settings.density, 0.05);
  EXPECT_EQ(settings.epochs, 2);
  EXPECT_EQ(settings.seed, 1U);
}

TEST_F(OptionsTest, SwitchesAreOnOrOff) {
  for (const char* text : {"true", "1", "ON", ""}) {
    GCG_EXPECT_ERROR(list.set("augment", text), HasSubstr("is neither 'on' nor 'off'"));
  }
  EXPECT_TRUE(settings.augment);
}

TEST_F(OptionsTest, ChoicesAreListedWhenNoneFits) {
  GCG_EXPECT_ERROR(list.set("rule", "paths"), StrEq("--rule: 'paths' is none of: path, random"));
  EXPECT_EQ(settings.rule, "path");
}

TEST_F(OptionsTest, UnknownNamesAreUsageErrors) {
  EXPECT_THAT([&] { list.set("densty", "0.5"); },
              ::testing::Throws<UsageError>(::testing::Property(
                  "what", &UsageError::what, StartsWith("--densty: there is no such option"))));
  EXPECT_EQ(list.find("densty"), nullptr);
}

TEST_F(OptionsTest, ANameDeclaredTwiceIsAnError) {
  double other = 0;
  GCG_EXPECT_ERROR(list.add("density", other, kPositive, "again"),
                   StrEq("--density: the option is declared twice"));
}

TEST_F(OptionsTest, AnOptionThatIsNotUsedTellsWhy) {
  double beta = 1;
  list.add("beta", beta, kNotNegative, "exponent of the law")
      .used_if([this] { return settings.rule == "path"; }, "the rule 'random' has no scores");
  EXPECT_EQ(list.find("beta")->unused(), "");
  list.set("rule", "random");
  EXPECT_EQ(list.find("beta")->unused(), "the rule 'random' has no scores");
  EXPECT_EQ(list.find("density")->unused(), "");
}

TEST_F(OptionsTest, AnOptionOfTheListCanBeRestrictedLater) {
  list.restrict(
      "epochs", [this] { return settings.augment; }, "nothing to augment");
  EXPECT_EQ(list.find("epochs")->unused(), "");
  list.set("augment", "off");
  EXPECT_EQ(list.find("epochs")->unused(), "nothing to augment");
  GCG_EXPECT_ERROR(list.restrict(
                       "epoch", [] { return true; }, ""),
                   HasSubstr("--epoch: there is no such option"));
}

TEST_F(OptionsTest, CosmeticOptionsAreNoPartOfARunsIdentity) {
  EXPECT_FALSE(list.find("out")->affects_result());
  EXPECT_TRUE(list.find("seed")->affects_result());
}

TEST_F(OptionsTest, AnOptionCanBeCosmeticUnderTheValuesOfOthers) {
  std::int64_t threads = 1;
  list.add("threads", threads, {1, 8}, "threads").cosmetic_if([this] {
    return settings.rule == "random";
  });
  list.set("threads", "2");
  EXPECT_TRUE(list.find("threads")->deviates());
  list.set("rule", "random");
  EXPECT_FALSE(list.find("threads")->affects_result());
  EXPECT_FALSE(list.find("threads")->deviates());
}

TEST_F(OptionsTest, AValueWhoseIdentityIsTheDefaultsIsNoDeviation) {
  std::string kind = "auto";
  list.add_choice("kind", kind, {"auto", "a", "b"}, "auto is a")
      .identified_by([&] { return kind == "auto" ? "a" : kind; }, "a");
  EXPECT_FALSE(list.find("kind")->deviates());
  list.set("kind", "a");
  EXPECT_FALSE(list.find("kind")->deviates());
  list.set("kind", "b");
  EXPECT_TRUE(list.find("kind")->deviates());
}

TEST(NumberText, IsTheShortestThatReadsBack) {
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(1), "1");
  EXPECT_EQ(number_text(1e-4), "0.0001");
  EXPECT_EQ(number_text(std::numeric_limits<double>::infinity()), "inf");
  for (const double value : {1.0 / 3, 1e300, 5e-324, 0.1 + 0.2}) {
    EXPECT_EQ(std::strtod(number_text(value).c_str(), nullptr), value);
  }
}

}  // namespace
}  // namespace gcg
