#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace gcg {

/// A process as other hosts can know it.
struct Owner {
  std::string host;      ///< its name
  std::string system;    ///< this start of the system and its space of process numbers
  std::int64_t process;  ///< number within `system`
  std::int64_t started;  ///< when the process began, in the kernel's ticks: numbers are used again
  std::string job;       ///< of the scheduler, "12_3"; empty: none
  bool operator==(const Owner&) const = default;
};
Owner this_process();

/// Seconds between two signs of life of an owner, and after which silence makes a lease stale.
inline constexpr double kBeatSeconds = 10;
inline constexpr double kLeaseSeconds = 60;

/// The clock of the file system that a folder lies on: hosts' own clocks differ.
struct LeaseClock {
  std::function<double(const std::filesystem::path& folder)> now;  ///< seconds
  std::function<void(const std::filesystem::path& file)> beat;     ///< sets a file's time to now
};
const LeaseClock& file_system_clock();

/// A lease that is held: the file FOLDER/.lease.N, of which the one with the largest N counts.
struct Lease {
  std::filesystem::path file;
  std::int64_t number = 0;
  std::string text{};  ///< what the owner wrote: numbers come again after a lease was given back
};

/// Takes the lease of a folder where nobody lives who has it; nothing if somebody does or was
/// faster. A stale one is followed by the next number, which only one process can create. The owner
/// of a lease lives while its process does, where that can be seen from here (the same system),
/// else while the file's time is less than kLeaseSeconds old. Errors: a folder that cannot be
/// written.
std::optional<Lease> take_lease(const std::filesystem::path& folder, const Owner& owner,
                                const LeaseClock& clock);

/// A sign of life. False: the lease is lost, for it was silent too long and another process has
/// followed, also if that one has given it back since.
bool renew(const Lease& lease, const LeaseClock& clock);

/// Ends it, if it is not lost.
void give_back(const Lease& lease);

/// Who holds the lease of a folder and lives, seen from `asker`.
std::optional<Owner> lease_owner(const std::filesystem::path& folder, const Owner& asker,
                                 const LeaseClock& clock);

}  // namespace gcg
