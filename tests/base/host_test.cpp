#include "base/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/throws.h"
#include "base/variable.h"

namespace gcg {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST(Host, FactsOfTheBuildAreFilledIn) {
  const BuildFacts facts = build_facts();
  EXPECT_THAT(facts.version, MatchesRegex("[0-9]+[.][0-9]+[.][0-9]+"));
  EXPECT_THAT(facts.commit, AnyOf("unknown", MatchesRegex("[0-9a-f]{40}")));
  EXPECT_THAT(facts.compiler, AnyOf(StartsWith("GNU "), StartsWith("Clang ")));
  EXPECT_FALSE(facts.build_type.empty());
}

TEST(Host, FactsOfTheMachineAreFilledIn) {
  const HostFacts facts = host_facts();
  EXPECT_FALSE(facts.name.empty());
  EXPECT_FALSE(facts.processor.empty());
  EXPECT_THAT(facts.instructions, AnyOf("avx512", "avx2", "sse2", "other"));
  EXPECT_GE(facts.cores, 1);
  EXPECT_GT(facts.memory_bytes, 0);
  EXPECT_THAT(facts.system, StartsWith("Linux "));
}

TEST(Host, CoresToCountOnAreTheShareThatALauncherGives) {
  const testing::Variable share("GCG_CORES", std::nullopt);
  const std::int64_t all = own_cores();
  EXPECT_EQ(all, host_facts().cores);
  {
    const testing::Variable one("GCG_CORES", "1");
    EXPECT_EQ(own_cores(), 1);
  }
  {
    const testing::Variable more("GCG_CORES", "100000");
    EXPECT_EQ(own_cores(), all);
  }
  for (const char* wrong : {"", "0", "-1", "two", "1.5"}) {
    const testing::Variable none("GCG_CORES", wrong);
    GCG_EXPECT_ERROR((void)own_cores(), HasSubstr("GCG_CORES: '")) << wrong;
  }
}

TEST(Host, PeakMemoryIsThatOfThisProcessInBytes) {
  const std::int64_t before = peak_memory_bytes();
  EXPECT_GT(before, 1 << 20);
  EXPECT_LT(before, host_facts().memory_bytes);
  std::string block(64 << 20, 'x');
  EXPECT_EQ(block[block.size() / 2], 'x');
  EXPECT_GE(peak_memory_bytes(), before);
  EXPECT_GE(peak_memory_bytes(), 64 << 20);
}

}  // namespace
}  // namespace gcg
