#pragma once

#include <cstdint>
#include <string>

namespace gcg {

/// Facts about the build, fixed when the program was compiled.
struct BuildFacts {
  std::string version;     ///< of the project: "0.1.0"
  std::string commit;      ///< 40 hexadecimal digits, or "unknown" outside of a git checkout
  bool dirty = false;      ///< the checkout had uncommitted changes
  std::string compiler;    ///< "GNU 12.2.0"
  std::string build_type;  ///< "Release", ...
};

/// Facts about the machine that the process runs on.
struct HostFacts {
  std::string name;
  std::string processor;     ///< model name reported by the kernel
  std::string instructions;  ///< widest vector extension: "avx512", "avx2", "sse2" or "other"
  std::int64_t cores = 0;    ///< usable by this process: its affinity mask and control groups
  std::int64_t memory_bytes = 0;
  std::string system;  ///< kernel name and release
};

BuildFacts build_facts();
HostFacts host_facts();

/// Cores that this process may count on, at least 1: those it may use, or the share of them that
/// GCG_CORES in its environment gives it, as a launcher sets it for runs side by side. UsageError:
/// GCG_CORES is no whole number above 0.
std::int64_t own_cores();

/// Resident memory of this process now that no file stands behind: what it takes from others.
std::int64_t anonymous_memory_bytes();

/// Largest resident memory of this process so far, bytes.
std::int64_t peak_memory_bytes();

}  // namespace gcg
