// Who may work in a folder: locks of the system, and leases where those do nothing.
#include "base/folder_lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>

#include "base/temporary_folder.h"
#include "base/throws.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

TEST(FolderLock, IsExclusiveUntilItIsReleased) {
  const TemporaryFolder folder;
  {
    const FolderLock lock(folder.path());
    GCG_EXPECT_ERROR(FolderLock(folder.path()),
                     AllOf(HasSubstr(folder.path().string() +
                                     ": another process is working in this folder: process " +
                                     std::to_string(::getpid())),
                           HasSubstr("\n  remedy: wait")));
  }
  EXPECT_NO_THROW(FolderLock(folder.path()));
}

TEST(FolderLock, CanBeAskedForWithoutBeingTaken) {
  const TemporaryFolder folder;
  EXPECT_FALSE(lock_owner(folder.path()).has_value());
  EXPECT_FALSE(lock_owner(folder / "missing").has_value());
  {
    const FolderLock lock(folder.path());
    EXPECT_TRUE(lock_owner(folder.path()).has_value());
    EXPECT_TRUE(lock_owner(folder.path()).has_value());
    GCG_EXPECT_ERROR(FolderLock(folder.path()), HasSubstr("another process"));
  }
  EXPECT_FALSE(lock_owner(folder.path()).has_value());
  EXPECT_NO_THROW(FolderLock(folder.path()));
}

TEST(FolderLock, EndsWithTheProcessHoweverItEnds) {
  const TemporaryFolder folder;
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FolderLock lock(folder.path());
    const char byte = 1;
    if (::write(ready[1], &byte, 1) == 1) {
      ::pause();
    }
    ::_exit(1);
  }
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  GCG_EXPECT_ERROR(FolderLock(folder.path()), HasSubstr("another process"));
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_NO_THROW(FolderLock(folder.path()));
}

TEST(FolderLock, NeedsTheFolder) {
  const TemporaryFolder folder;
  GCG_EXPECT_ERROR(FolderLock(folder.path() / "missing"),
                   HasSubstr("cannot create: No such file or directory"));
}

TEST(FolderLock, ALeaseThatCannotBeReadIsAnErrorAndNotWaitedFor) {
  const TemporaryFolder folder;
  fs::create_directory(folder / ".lease.1");
  GCG_EXPECT_ERROR(FolderLock(folder.path()), HasSubstr(".lease.1: cannot read"));
}

TEST(FolderLock, ALeaseThatIsALinkToNothingIsAnErrorAndNotWaitedFor) {
  const TemporaryFolder folder;
  fs::create_symlink("nowhere", folder / ".lease.3");
  GCG_EXPECT_ERROR(FolderLock(folder.path()), HasSubstr(".lease.3: cannot read"));
}

TEST(FolderLock, TellsWhoHoldsIt) {
  const TemporaryFolder folder;
  EXPECT_EQ(lock_owner(folder.path()), std::nullopt);
  const FolderLock lock(folder.path());
  EXPECT_EQ(lock_owner(folder.path()), this_process());
}

TEST(FolderLock, LeavesNothingButItsFileBehind) {
  const TemporaryFolder folder;
  { const FolderLock lock(folder.path()); }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
  EXPECT_TRUE(fs::exists(folder / ".lock"));
}

TEST(FolderLock, WhereLocksDoNothingTheLeaseKeepsOthersOut) {
  const TemporaryFolder folder;
  const FolderLock lock(folder.path());
  // Another lock file: as if this one's lock had never reached the other process.
  fs::rename(folder / ".lock", folder / "gone");
  GCG_EXPECT_ERROR(FolderLock(folder.path()), HasSubstr("another process is working"));
  EXPECT_TRUE(lock_owner(folder.path()).has_value());
}

TEST(FolderLock, LocksOfTheSystemAreTriedWithTwoProcesses) {
  const TemporaryFolder folder;
  EXPECT_TRUE(locks_work(folder.path()));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// ---- Leases, with a clock that tests set.

struct Clock {
  double seconds = 1000;
  LeaseClock lease_clock{
      [this](const fs::path&) { return seconds; },
      [this](const fs::path& file) {
        const auto whole = static_cast<time_t>(seconds);
        const std::array<timespec, 2> times{timespec{whole, 0}, timespec{whole, 0}};
        ::utimensat(AT_FDCWD, file.c_str(), times.data(), 0);
      }};
};

Owner on_host(const std::string& host) { return {host, "system-of-" + host, 12, 34, ""}; }

TEST(Lease, OfAnotherHostIsLiveWhileItGivesSignsOfLife) {
  const TemporaryFolder folder;
  Clock clock;
  const auto first = take_lease(folder.path(), on_host("a"), clock.lease_clock);
  ASSERT_TRUE(first);
  EXPECT_FALSE(take_lease(folder.path(), on_host("b"), clock.lease_clock));
  clock.seconds += kLeaseSeconds - 1;
  EXPECT_TRUE(renew(*first, clock.lease_clock));
  clock.seconds += kLeaseSeconds - 1;
  EXPECT_FALSE(take_lease(folder.path(), on_host("b"), clock.lease_clock));
  EXPECT_EQ(lease_owner(folder.path(), on_host("b"), clock.lease_clock), on_host("a"));
  give_back(*first);
  EXPECT_TRUE(take_lease(folder.path(), on_host("b"), clock.lease_clock));
}

TEST(Lease, OfAHostThatIsSilentIsFollowedAndItsOwnerHearsSo) {
  const TemporaryFolder folder;
  Clock clock;
  const auto first = take_lease(folder.path(), on_host("a"), clock.lease_clock);
  clock.seconds += kLeaseSeconds;
  EXPECT_EQ(lease_owner(folder.path(), on_host("b"), clock.lease_clock), std::nullopt);
  const auto second = take_lease(folder.path(), on_host("b"), clock.lease_clock);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->number, first->number + 1);
  // The first one wakes up: it must write no more. A third one finds the second.
  EXPECT_FALSE(renew(*first, clock.lease_clock));
  EXPECT_TRUE(renew(*second, clock.lease_clock));
  EXPECT_FALSE(take_lease(folder.path(), on_host("c"), clock.lease_clock));
  // What it gives back late is not the second one's.
  give_back(*first);
  EXPECT_TRUE(renew(*second, clock.lease_clock));
}

TEST(Lease, ANumberThatComesAgainIsNoEarlierOwners) {
  const TemporaryFolder folder;
  Clock clock;
  const auto first = take_lease(folder.path(), on_host("a"), clock.lease_clock);
  clock.seconds += kLeaseSeconds;
  // While it sleeps a second one follows, ends, and a third begins to count anew.
  give_back(*take_lease(folder.path(), on_host("b"), clock.lease_clock));
  const auto third = take_lease(folder.path(), on_host("c"), clock.lease_clock);
  ASSERT_EQ(third->number, first->number);
  EXPECT_FALSE(renew(*first, clock.lease_clock));
  give_back(*first);
  EXPECT_TRUE(renew(*third, clock.lease_clock));
}

TEST(Lease, OnTheSameSystemTheProcessItselfCounts) {
  const TemporaryFolder folder;
  Clock clock;
  ASSERT_TRUE(take_lease(folder.path(), this_process(), clock.lease_clock));
  clock.seconds += 100 * kLeaseSeconds;
  EXPECT_EQ(lease_owner(folder.path(), this_process(), clock.lease_clock), this_process());

  // A process number that is used again is another process.
  const TemporaryFolder other;
  Owner earlier = this_process();
  --earlier.started;
  ASSERT_TRUE(take_lease(other.path(), earlier, clock.lease_clock));
  EXPECT_EQ(lease_owner(other.path(), this_process(), clock.lease_clock), std::nullopt);
  EXPECT_TRUE(take_lease(other.path(), this_process(), clock.lease_clock));
}

TEST(Lease, OfManyThatFollowAStaleOneExactlyOneGetsIt) {
  for (int round = 0; round < 20; ++round) {
    const TemporaryFolder folder;
    Clock clock;
    ASSERT_TRUE(take_lease(folder.path(), on_host("dead"), clock.lease_clock));
    clock.seconds += kLeaseSeconds;
    std::array<pid_t, 8> children{};
    for (std::size_t i = 0; i < children.size(); ++i) {
      children[i] = ::fork();
      if (children[i] == 0) {
        const auto lease = take_lease(folder.path(), on_host(std::to_string(i)), clock.lease_clock);
        ::_exit(lease ? 1 : 0);
      }
    }
    int got = 0;
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      got += WEXITSTATUS(status);
    }
    EXPECT_EQ(got, 1);
  }
}

TEST(Lease, ANewLeaseThatLooksUnreadableIsLiveByItsAge) {
  const TemporaryFolder folder;
  Clock clock;
  std::ofstream(folder / ".lease.7") << "";  // between its creation and its text
  clock.lease_clock.beat(folder / ".lease.7");
  EXPECT_FALSE(take_lease(folder.path(), on_host("a"), clock.lease_clock));
  clock.seconds += kLeaseSeconds;
  EXPECT_EQ(take_lease(folder.path(), on_host("a"), clock.lease_clock)->number, 8);
}

TEST(Lease, TheFileSystemsOwnClockGoesOn) {
  const TemporaryFolder folder;
  const LeaseClock& clock = file_system_clock();
  const double before = clock.now(folder.path());
  const auto lease = take_lease(folder.path(), on_host("a"), clock);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease_owner(folder.path(), on_host("b"), clock), on_host("a"));
  EXPECT_GE(clock.now(folder.path()), before);
  // Silent for a minute by the time that the file system keeps.
  const std::array<timespec, 2> times{timespec{0, 0}, timespec{0, 0}};
  ::utimensat(AT_FDCWD, lease->file.c_str(), times.data(), 0);
  EXPECT_EQ(lease_owner(folder.path(), on_host("b"), clock), std::nullopt);
  EXPECT_TRUE(renew(*lease, clock));
  EXPECT_EQ(lease_owner(folder.path(), on_host("b"), clock), on_host("a"));
}

}  // namespace
}  // namespace gcg
