#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/lease.h"

namespace gcg {

/// Another process holds the folder; it may be free later.
class BusyError : public Error {
 public:
  using Error::Error;
};

/// An exclusive hold on a folder, until destruction or until the process ends, however it ends.
///
/// It combines two means: a system lock on FOLDER/.lock, and a lease (base/lease.h) that is renewed
/// every kBeatSeconds. Where locks do nothing or do not reach other hosts, the lease alone keeps
/// others out; if the holder is killed on another host, the folder is free after kLeaseSeconds.
/// Throws a BusyError that names the folder and, if known, who holds it.
class FolderLock {
 public:
  /// `lost` is called from another thread if this process did not renew its lease for so long that
  /// another one took the folder: from then on it must not write there.
  explicit FolderLock(const std::filesystem::path& folder, std::function<void()> lost = {});
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Gives the lease back now; for a process that will end without running destructors.
  void give_back_lease() const;

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

/// Who holds the FolderLock of the folder, as far as the lease says; nothing if no process does, or
/// none ever did. Looks without taking the lock, so it disturbs nobody.
std::optional<Owner> lock_owner(const std::filesystem::path& folder);

/// Whether a lock taken in the folder keeps a second process out: tried with two processes here.
/// This cannot show whether locks reach other hosts.
bool locks_work(const std::filesystem::path& folder);

}  // namespace gcg
