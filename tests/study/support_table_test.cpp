// docs/gpus.md holds the table that the rows of the backends make: it is pasted, never typed.
#include "study/support_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace gcg {
namespace {

using ::testing::HasSubstr;

TEST(SupportTable, StandsInThePageAsItIs) {
  std::ifstream file(GCG_GPUS_PAGE);
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_TRUE(page.str().find(support_table()) != std::string::npos) << "docs/gpus.md has to hold\n"
                                                                     << support_table();
}

TEST(SupportTable, HasARowForEveryKindOfThing) {
  EXPECT_THAT(support_table(), HasSubstr("| convolution | yes | yes | yes | yes |\n"));
  EXPECT_THAT(support_table(), HasSubstr("| optimiser sgd | yes | yes | yes | yes |\n"));
  EXPECT_THAT(support_table(), HasSubstr("| precision tf32 | | | | yes |\n"));
}

}  // namespace
}  // namespace gcg
