#include "base/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

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
    SCOPED_TRACE(wrong);
    GCG_EXPECT_ERROR((void)own_cores(), HasSubstr("GCG_CORES: '"));
  }
}

TEST(Amx, IsNotAskedForWhereTheProcessorHasNone) {
  const AmxFacts facts = amx_facts_of(false, [] {
    ADD_FAILURE() << "asked";
    return 0;
  });
  EXPECT_FALSE(facts.usable);
  EXPECT_EQ(facts.reason, "the processor has no AMX for bf16");
}

TEST(Amx, ARefusalIsAFactWithItsReason) {
  const AmxFacts refused = amx_facts_of(true, [] { return EINVAL; });
  EXPECT_FALSE(refused.usable);
  EXPECT_EQ(refused.reason, "Linux refuses AMX: Invalid argument");
  const AmxFacts granted = amx_facts_of(true, [] { return 0; });
  EXPECT_TRUE(granted.usable);
  EXPECT_EQ(granted.reason, "");
}

TEST(Amx, OfThisProcessorIsWhatTheKernelSaysOfIt) {
  std::ifstream file("/proc/cpuinfo");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const bool listed = text.find(" amx_bf16") != std::string::npos;
  EXPECT_TRUE(listed || !amx_facts().usable);
  EXPECT_EQ(amx_facts().usable, amx_facts().reason.empty());
  EXPECT_EQ(&amx_facts(), &amx_facts()) << "asked once";
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
