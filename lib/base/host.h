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

/// Whether this process may multiply tiles of bf16 by the processor's instructions (AMX).
struct AmxFacts {
  bool usable = false;
  std::string reason;  ///< why not
};

/// Linux wants to be asked for the memory that tiles take in a signal frame: once, at the first
/// call; later ones give its answer.
const AmxFacts& amx_facts();
/// What they are made of: whether the processor has the instructions, and what asking gives, 0 or
/// an errno. It is not asked without the instructions.
AmxFacts amx_facts_of(bool has_instructions, int (*ask)());

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
