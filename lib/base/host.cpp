#include "base/host.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <system_error>

#include "base/control_group.h"
#include "base/error.h"
#include "base/text.h"
#include "build_facts.h"

namespace gcg {

namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      const auto colon = line.find(": ");
      return colon == std::string::npos ? line : line.substr(colon + 2);
    }
  }
  return "unknown";
}

std::string vector_extension() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") != 0) {
    return "avx512";
  }
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    return "avx2";
  }
  return "sse2";
#else
  return "other";
#endif
}

#if defined(__x86_64__)

bool has_amx() {
  constexpr unsigned kBf16 = 1U << 22;
  constexpr unsigned kTiles = 1U << 24;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kBf16) != 0 && (d & kTiles) != 0;
}

/// Grants the tiles to all threads of the process, those to come as well.
int ask_for_amx() {
  constexpr long kRequest = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;     // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0 ? 0 : errno;
}

#else

bool has_amx() { return false; }
int ask_for_amx() { return ENOSYS; }

#endif

std::int64_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const std::int64_t allowed = sched_getaffinity(0, sizeof(set), &set) == 0
                                   ? CPU_COUNT(&set)
                                   : sysconf(_SC_NPROCESSORS_ONLN);
  const std::optional<double> time = group_limits().cores;
  return time ? std::clamp<std::int64_t>(static_cast<std::int64_t>(*time), 1, allowed) : allowed;
}

}  // namespace

BuildFacts build_facts() {
  return {GCG_BUILD_VERSION, GCG_BUILD_COMMIT, GCG_BUILD_DIRTY, GCG_BUILD_COMPILER, GCG_BUILD_TYPE};
}

HostFacts host_facts() {
  HostFacts facts;
  utsname names{};
  if (uname(&names) == 0) {
    facts.name = names.nodename;
    facts.system = std::string(names.sysname) + " " + names.release;
  }
  facts.processor = processor_name();
  facts.instructions = vector_extension();
  facts.cores = usable_cores();
  facts.memory_bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return facts;
}

std::int64_t own_cores() {
  const std::int64_t usable = std::max<std::int64_t>(1, usable_cores());
  const char* text = std::getenv("GCG_CORES");
  if (text == nullptr) {
    return usable;
  }
  const std::optional<std::int64_t> share = whole_number_text<std::int64_t>(text);
  if (!share || *share < 1) {
    throw UsageError("GCG_CORES", fmt::format("'{}' is no number of cores", text),
                     "give a whole number above 0, or unset it");
  }
  return std::min(*share, usable);
}

AmxFacts amx_facts_of(bool has_instructions, int (*ask)()) {
  if (!has_instructions) {
    return {false, "the processor has no AMX for bf16"};
  }
  const int refused = ask();
  return {refused == 0,
          refused == 0 ? "" : "Linux refuses AMX: " + std::generic_category().message(refused)};
}

const AmxFacts& amx_facts() {
  static const AmxFacts facts = amx_facts_of(has_amx(), ask_for_amx);
  return facts;
}

std::int64_t anonymous_memory_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("RssAnon:")) {
      return std::strtoll(line.c_str() + std::string_view("RssAnon:").size(), nullptr, 10) * 1024;
    }
  }
  return 0;
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace gcg
