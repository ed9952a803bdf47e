#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/lease.h"

namespace gcg {

/// The folder is another process's; it may be free later.
class BusyError : public Error {
 public:
  using Error::Error;
};

/// An exclusive hold on a folder, by this process until destruction or its end, however it ends.
///
/// Two means together: a lock of the system on FOLDER/.lock, and a lease (base/lease.h) with a sign
/// of life every kBeatSeconds. Where locks do nothing, or do not reach other hosts, the lease alone
/// keeps others out; a process that was killed on another host is followed kLeaseSeconds later.
/// Throws a BusyError that names the folder and, if known, who holds it.
class FolderLock {
 public:
  /// `lost` is called from another thread if this process was silent so long that another one has
  /// taken the folder: it must write no more.
  explicit FolderLock(const std::filesystem::path& folder, std::function<void()> lost = {});
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Gives the lease back at once, for a process that ends without destructors.
  void give_back_lease() const;

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

/// Whether some process holds the FolderLock of the folder. Looks without taking it, so it disturbs
/// nobody. False where the folder was never locked.
bool is_locked(const std::filesystem::path& folder);

/// Who holds it, as far as the lease says; nothing where is_locked says no.
std::optional<Owner> lock_owner(const std::filesystem::path& folder);

/// Whether a lock that this process takes in the folder keeps a second process out; tried with two.
/// It cannot see whether locks reach other hosts.
bool locks_work(const std::filesystem::path& folder);

}  // namespace gcg
