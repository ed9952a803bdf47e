#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace gcg {

/// Identifies a process across hosts.
struct Owner {
  std::string host;      ///< host name
  std::string system;    ///< boot id and process namespace
  std::int64_t process;  ///< process number within `system`
  std::int64_t started;  ///< start time in kernel ticks, because process numbers are reused
  std::string job;       ///< job of the scheduler ("12_3"); empty: none
  bool operator==(const Owner&) const = default;
};
Owner this_process();

/// Seconds between two signs of life (renewals); seconds of silence after which a lease is stale.
inline constexpr double kBeatSeconds = 10;
inline constexpr double kLeaseSeconds = 60;

/// The clock of the file system that holds a folder; the hosts' own clocks may disagree.
struct LeaseClock {
  std::function<double(const std::filesystem::path& folder)> now;  ///< seconds
  std::function<void(const std::filesystem::path& file)> beat;     ///< sets a file's time to now()
};
const LeaseClock& file_system_clock();

/// A lease that this process took: the file FOLDER/.lease.N. The largest N in the folder counts.
struct Lease {
  std::filesystem::path file;
  std::int64_t number = 0;
  std::string text{};  ///< what the owner wrote: numbers are reused after a lease is given back
};

/// Takes the lease of a folder; nothing if a living process holds it or another one was faster. A
/// stale lease is replaced by the next number, which only one process can create. An owner on the
/// same system (boot and process namespace) lives as long as its process exists; any other owner
/// counts as living while the time of its file is less than kLeaseSeconds old. Errors: the folder
/// cannot be written.
std::optional<Lease> take_lease(const std::filesystem::path& folder, const Owner& owner,
                                const LeaseClock& clock);

/// Gives a sign of life. False if the lease is lost: this process was silent for so long that
/// another one took over, even if that one has given the lease back since.
bool renew(const Lease& lease, const LeaseClock& clock);

/// Gives the lease back by removing its file, unless it is lost.
void give_back(const Lease& lease);

/// The living holder of a folder's lease as seen by `asker`; nothing if there is none.
std::optional<Owner> lease_owner(const std::filesystem::path& folder, const Owner& asker,
                                 const LeaseClock& clock);

}  // namespace gcg
