#include "base/control_group.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/host.h"
#include "base/temporary_folder.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kGiB = 1LL << 30;

/// A made-up /proc and /sys.
struct System {
  testing::TemporaryFolder root;
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((root.path() / path).parent_path());
    std::ofstream(root.path() / path) << text;
  }
  [[nodiscard]] GroupLimits limits() const { return group_limits(root.path()); }
};

TEST(ControlGroup, Version2CountsTheLeastOfAllGroupsAroundTheProcess) {
  const System system;
  system.write("proc/self/cgroup", "0::/job_1/step_0\n");
  system.write("proc/self/mountinfo",
               "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw\n");
  system.write("sys/fs/cgroup/job_1/memory.max", std::to_string(4 * kGiB));
  system.write("sys/fs/cgroup/job_1/memory.current", std::to_string(3 * kGiB));
  system.write("sys/fs/cgroup/job_1/memory.stat",
               "anon 2147483648\ninactive_file 536870912\nactive_file 536870912\n");
  system.write("sys/fs/cgroup/job_1/cpu.max", "max 100000\n");
  system.write("sys/fs/cgroup/job_1/step_0/memory.max", "max\n");
  system.write("sys/fs/cgroup/job_1/step_0/cpu.max", "150000 100000\n");
  const GroupLimits limits = system.limits();
  EXPECT_EQ(limits.memory_bytes, 4 * kGiB);
  EXPECT_EQ(limits.free_memory_bytes, 2 * kGiB);  // 1 is free, 1 holds pages of files
  EXPECT_EQ(limits.cores, 1.5);
}

TEST(ControlGroup, Version1HasAMountForEveryController) {
  const System system;
  system.write("proc/self/cgroup", "4:memory:/job\n2:cpu,cpuacct:/job\n0::/\n");
  system.write("proc/self/mountinfo",
               "32 31 0:29 / /sys/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
               "35 31 0:32 / /sys/memory rw - cgroup cgroup rw,memory\n");
  system.write("sys/memory/memory.limit_in_bytes", "9223372036854771712\n");  // none
  system.write("sys/memory/job/memory.limit_in_bytes", std::to_string(2 * kGiB));
  system.write("sys/memory/job/memory.usage_in_bytes", std::to_string(kGiB));
  system.write("sys/memory/job/memory.stat", "active_file 7\ntotal_active_file 1024\n");
  system.write("sys/cpu/job/cpu.cfs_quota_us", "300000");
  system.write("sys/cpu/job/cpu.cfs_period_us", "100000");
  const GroupLimits limits = system.limits();
  EXPECT_EQ(limits.memory_bytes, 2 * kGiB);
  EXPECT_EQ(limits.free_memory_bytes, kGiB + 1024);
  EXPECT_EQ(limits.cores, 3);
}

TEST(ControlGroup, CountsWhatWasKilledForMemoryInItsInnermostGroup) {
  const System system;
  EXPECT_EQ(memory_kills(system.root.path()), std::nullopt);
  system.write("proc/self/cgroup", "0::/job_1/step_0\n");
  system.write("proc/self/mountinfo",
               "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(memory_kills(system.root.path()), std::nullopt);
  system.write("sys/fs/cgroup/job_1/memory.events", "low 0\noom 9\noom_kill 7\n");
  system.write("sys/fs/cgroup/job_1/step_0/memory.events", "low 0\noom 3\noom_kill 2\n");
  EXPECT_EQ(memory_kills(system.root.path()), 2);
  system.write("proc/self/cgroup", "4:memory:/job\n0::/\n");
  system.write("proc/self/mountinfo", "35 31 0:32 / /sys/memory rw - cgroup cgroup rw,memory\n");
  system.write("sys/memory/job/memory.oom_control",
               "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
  EXPECT_EQ(memory_kills(system.root.path()), 5);
}

TEST(ControlGroup, AContainerSeesItsOwnGroupAtTheTop) {
  const System system;
  system.write("proc/self/cgroup", "0::/docker/abc\n");
  system.write("proc/self/mountinfo",
               "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n");
  system.write("sys/fs/cgroup/memory.max", std::to_string(kGiB));
  EXPECT_EQ(system.limits().memory_bytes, kGiB);
  EXPECT_EQ(system.limits().free_memory_bytes, std::nullopt);  // not told what is used
}

TEST(ControlGroup, WhatCannotBeReadLimitsNothing) {
  const System system;
  EXPECT_EQ(system.limits().memory_bytes, std::nullopt);
  EXPECT_EQ(system.limits().cores, std::nullopt);
  system.write("proc/self/cgroup", "nonsense\n0::/gone\n");
  system.write("proc/self/mountinfo", "30 23 0:26 / /sys/none rw - cgroup2 cgroup2 rw\n31\n");
  EXPECT_EQ(system.limits().memory_bytes, std::nullopt);
}

TEST(ControlGroup, ThisHostHasACore) { EXPECT_GE(host_facts().cores, 1); }

}  // namespace
}  // namespace gcg
