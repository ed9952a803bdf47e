#include "base/error.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace gcg {
namespace {

TEST(Error, SaysWhereWhatAndWhatToDo) {
  const Error error("stem.conv", "has no outputs", "give it some");
  EXPECT_STREQ(error.what(), "stem.conv: has no outputs\n  remedy: give it some");
}

TEST(Error, HasOneLineWithoutRemedy) {
  EXPECT_STREQ(Error("seed", "is negative").what(), "seed: is negative");
}

TEST(Error, UsageErrorsCanBeToldFromOthers) {
  const UsageError usage("--seed", "is negative");
  EXPECT_STREQ(usage.what(), "--seed: is negative");
  EXPECT_THROW(throw UsageError("--seed", "is negative"), Error);
  static_assert(!std::is_base_of_v<UsageError, Error>);
}

}  // namespace
}  // namespace gcg
