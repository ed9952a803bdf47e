#include "base/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gcg {
namespace {

using ::testing::AnyOf;
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
