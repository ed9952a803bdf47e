#include "study/support_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gcg {
namespace {

using ::testing::HasSubstr;

TEST(SupportTable, HasARowForEveryKindOfThing) {
  EXPECT_THAT(support_table(), HasSubstr("| convolution | yes | yes | yes | yes |\n"));
  EXPECT_THAT(support_table(), HasSubstr("| optimiser sgd | yes | yes | yes | yes |\n"));
  EXPECT_THAT(support_table(), HasSubstr("| precision tf32 | | | | yes |\n"));
}

}  // namespace
}  // namespace gcg
