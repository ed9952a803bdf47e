#include "base/json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/throws.h"

namespace gcg {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Json, IsReadAsItWasWritten) {
  const json value{{"name", "a"}, {"numbers", {1, 2.5}}, {"none", nullptr}};
  EXPECT_EQ(json_text(value), R"({"name":"a","none":null,"numbers":[1,2.5]})");
  EXPECT_EQ(json_text({{"a", 1}}, 1), "{\n \"a\": 1\n}");
  EXPECT_EQ(parse_json(json_text(value), "a.json"), value);
}

TEST(Json, WrittenIsAlwaysUtf8) { EXPECT_EQ(json_text("a\xFF"), "\"a\uFFFD\""); }

TEST(Json, ErrorsNameTheFileTheByteAndTheRemedy) {
  GCG_EXPECT_ERROR((void)parse_json("{\"a\": 1,, 2}", "a.json", "write it anew"),
                   AllOf(HasSubstr("a.json: byte 9: not JSON"), HasSubstr("write it anew")));
  GCG_EXPECT_ERROR((void)parse_json("", "a.json"), HasSubstr("a.json: byte 1: not JSON"));
  GCG_EXPECT_ERROR((void)parse_json("{} {}", "a.json"), HasSubstr("a.json: byte 4: not JSON"));
  GCG_EXPECT_ERROR((void)parse_json("[1e999]", "a.json"), HasSubstr("a.json: not JSON"));
}

TEST(JsonInteger, IsTheNumberThatIsWritten) {
  const auto read = [](const char* text) { return json_integer(json::parse(text), "f", "n"); };
  EXPECT_EQ(read("0"), 0);
  EXPECT_EQ(read("-7"), -7);
  EXPECT_EQ(read("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(read("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(json_integer<std::uint64_t>(json::parse("18446744073709551615"), "f", "n"), UINT64_MAX);
  EXPECT_THAT(json_integers(json::parse("[1, -2, 3]"), "f", "n"), ElementsAre(1, -2, 3));
}

TEST(JsonInteger, IsNotMadeOfAnythingElse) {
  // Each with what json::get makes of it: 1, 1, undefined, undefined, -1, 1.
  for (const auto& [text, shown] : {std::pair{"1.5", "1.5"},
                                    {"1.0", "1.0"},
                                    {"1e300", "1e+300"},
                                    {"-9223372036854775809", "-9.223372036854776e+18"},
                                    {"18446744073709551615", "18446744073709551615"},
                                    {"true", "boolean"},
                                    {"null", "null"},
                                    {"\"1\"", "string"},
                                    {"[1]", "array"},
                                    {"{}", "object"}}) {
    GCG_EXPECT_ERROR(
        (void)json_integer(json::parse(text), "a.json", "epochs", "write it anew"),
        AllOf(HasSubstr(fmt::format("a.json: epochs is {}, not a whole number", shown)),
              HasSubstr("write it anew")));
    GCG_EXPECT_ERROR((void)json_integers(json::array({1, json::parse(text)}), "a.json", "epochs"),
                     HasSubstr(fmt::format("a.json: epochs is {}, not a whole number", shown)));
  }
  GCG_EXPECT_ERROR((void)json_integer<std::uint64_t>(json(-1), "a.json", "seed"),
                   HasSubstr("a.json: seed is -1, not a whole number from 0 to"));
  GCG_EXPECT_ERROR((void)json_integers(json(1), "a.json", "counts"),
                   HasSubstr("a.json: counts is number, not an array"));
}

}  // namespace
}  // namespace gcg
