#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <optional>

#include "base/folder_lock.h"
#include "base/temporary_files.h"
#include "base/temporary_folder.h"
#include "base/throws.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

TEST(MakeWritableFolder, SaysThatAFileOrALinkToNothingIsNoFolder) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  fs::create_symlink(folder / "nowhere", folder / "link");
  for (const char* name : {"file", "file/below", "link"}) {
    GCG_EXPECT_ERROR(make_writable_folder(folder / name), HasSubstr("that is no folder"));
  }
}

TEST(CheckReplaces, LetsNothingButAFileOfItsKindBeReplaced) {
  const TemporaryFolder folder;
  const fs::path path = folder / "file";
  check_replaces(path, "PK", "archive");  // nothing is there
  std::ofstream(path) << "";
  check_replaces(path, "PK", "archive");
  std::ofstream(path) << "PK and more";
  check_replaces(path, "PK", "archive");
  check_replaces("/dev/null", "PK", "archive");
  for (const char* text : {"P", "KP", "\x89HDF"}) {
    std::ofstream(path) << text;
    GCG_EXPECT_ERROR(check_replaces(path, "PK", "archive"),
                     HasSubstr("is there already and is no archive"));
  }
}

std::string text_of(const fs::path& path) {
  const std::vector<std::byte> content = read_file(path);
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// No file may grow beyond a size, as on a full disk.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, signal_);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  void (*signal_)(int);
  rlimit old_{};
};

TEST(File, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  const std::string content("zero \0 and line\n end \xff", 22);
  write_file_atomically(path, content);
  EXPECT_EQ(text_of(path), content);
  write_file_atomically(path, std::string_view());
  EXPECT_EQ(text_of(path), "");
}

TEST(File, ReplacesTheOldContentAndLeavesNothingElse) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  write_file_atomically(path, std::string_view("a long first version"));
  write_file_atomically(path, std::string_view("second"));
  EXPECT_EQ(text_of(path), "second");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("file"));
}

TEST(File, OneThatIsFlushedLaterHasItsNameAndContentAtOnce) {
  const TemporaryFolder folder;
  const std::string_view text = "whole";
  const std::function<void()> flush =
      write_file_to_flush(folder / "file", std::as_bytes(std::span(text.data(), text.size())));
  EXPECT_EQ(text_of(folder / "file"), "whole");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("file"));
  const std::function<void()> copy = flush;
  flush();
  copy();
  EXPECT_EQ(text_of(folder / "file"), "whole");
}

TEST(File, AReaderOfTheOldFileKeepsTheOldContent) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  write_file_atomically(path, std::string_view("old"));
  std::ifstream reader(path);
  write_file_atomically(path, std::string_view("new"));
  std::string seen;
  reader >> seen;
  EXPECT_EQ(seen, "old");
  EXPECT_EQ(text_of(path), "new");
}

TEST(File, AFileThatCannotBeWrittenWholeLeavesTheOldOne) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  write_file_atomically(path, std::string_view("old"));
  const std::string large(10000, 'x');
  {
    const SmallFiles limit(5000);
    GCG_EXPECT_ERROR(write_file_atomically(path, large),
                     AllOf(HasSubstr(path.string()), HasSubstr("cannot write: File too large")));
  }
  EXPECT_EQ(text_of(path), "old");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("file"));
  write_file_atomically(path, large);
  EXPECT_EQ(text_of(path), large);
}

TEST(File, AMissingFileOrFolderIsNamed) {
  const TemporaryFolder folder;
  const fs::path missing = folder.path() / "missing";
  GCG_EXPECT_ERROR(read_file(missing),
                   HasSubstr(missing.string() + ": cannot read: No such file or directory\n"
                                                "  remedy: check the path"));
  GCG_EXPECT_ERROR(write_file_atomically(missing / "file", std::string_view("text")),
                   AllOf(HasSubstr((missing / "file").string()),
                         HasSubstr("cannot create: No such file or directory")));
}

TEST(File, IsWrittenThroughLinks) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "elsewhere");
  const fs::path target = folder / "elsewhere/target";
  fs::create_symlink("elsewhere/target", folder / "link");  // leads nowhere yet
  fs::create_symlink("link", folder / "second");
  for (const char* text : {"first", "second"}) {
    write_file_atomically(folder / "second", std::string_view(text));
    EXPECT_EQ(text_of(target), text);
    EXPECT_TRUE(fs::is_symlink(folder / "second"));
    EXPECT_TRUE(fs::is_symlink(folder / "link"));
  }
  EXPECT_THAT(names_in(folder / "elsewhere"), ElementsAre("target"));
  fs::create_symlink("round", folder / "about");
  fs::create_symlink("about", folder / "round");
  GCG_EXPECT_ERROR(write_file_atomically(folder / "round", std::string_view("text")),
                   HasSubstr("round: is a link that leads nowhere"));
}

TEST(File, WhatIsNoRegularFileIsNotReplaced) {
  const TemporaryFolder folder;
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("/dev/null", folder / "device");
  for (const fs::path& path : {pipe, folder / "device", folder.path(), fs::path("/dev/null")}) {
    GCG_EXPECT_ERROR(write_file_atomically(path, std::string_view("text")),
                     HasSubstr(path.string() + ": is not a regular file and is not replaced"));
  }
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  GCG_EXPECT_ERROR(write_file_atomically("", std::string_view("text")),
                   HasSubstr("its name is empty"));
}

TEST(File, HasThePermissionsThatTheUmaskLeaves) {
  const TemporaryFolder folder;
  const auto mode = [](const fs::path& path) { return fs::status(path).permissions(); };
  const mode_t before = ::umask(0002);
  write_file_atomically(folder / "group", std::string_view("text"));
  { const FolderLock lock(folder.path()); }
  ::umask(0077);
  write_file_atomically(folder / "own", std::string_view("text"));
  ::umask(before);
  EXPECT_EQ(mode(folder / "group"), fs::perms(0664));
  EXPECT_EQ(mode(folder / ".lock"), fs::perms(0664));
  EXPECT_EQ(mode(folder / "own"), fs::perms(0600));
}

TEST(File, OnlyRegularFilesAreRead) {
  const TemporaryFolder folder;
  GCG_EXPECT_ERROR(read_file(""), HasSubstr("file to read: its name is empty"));
  GCG_EXPECT_ERROR(read_file(folder.path()),
                   HasSubstr(folder.path().string() + ": is not a regular file"));
  GCG_EXPECT_ERROR(read_file("/dev/null"), HasSubstr("/dev/null: is not a regular file"));
}

TEST(File, AMissingPermissionIsNamedWithARemedy) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root may write everywhere";
  }
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  GCG_EXPECT_ERROR(
      write_file_atomically(folder.path() / "file", std::string_view("text")),
      AllOf(HasSubstr("Permission denied"), HasSubstr("remedy: choose a folder you may write to")));
  GCG_EXPECT_ERROR(make_writable_folder(folder.path()),
                   HasSubstr("cannot write to the folder: Permission denied"));
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(TemporaryFiles, AreRemovedBelowAFolderAndProbesOnceTheyAreOld) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "run");
  for (const char* name : {"run/a.h5.tmp", ".write-probe.7", ".clock.host.1", "run/.clock.host.2",
                           ".lock-probe.host.3", ".lease.1.host.4.5.tmp", ".lease.2.host.6.7.tmp",
                           ".lease.3", "run.h5", "clock"}) {
    std::ofstream(folder / name) << "x";
  }
  const auto now = fs::file_time_type::clock::now();
  for (const char* name : {"run/.clock.host.2", ".lock-probe.host.3", ".lease.1.host.4.5.tmp",
                           ".lease.3", "run.h5", "clock"}) {
    fs::last_write_time(folder / name, now - std::chrono::hours(2));
  }
  remove_temporary_files(folder.path());
  std::vector<std::string> left;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    left.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(
      left, ::testing::UnorderedElementsAre("run", ".clock.host.1", ".lease.3", "run.h5", "clock"));
}

TEST(TemporaryFiles, OldOnesRightInAFolderGoWithoutItsLock) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "run");
  const auto now = fs::file_time_type::clock::now();
  for (const char* name :
       {".clock.begin.host.1", ".clock.begin.host.2", ".clock.begin.host.3.tmp",
        ".lock-probe.host.4", "run/.clock.host.5", "study.json.tmp", "study.json.host.6.tmp",
        "study.json.new.host.7.tmp", ".write-probe.host.8", "notes.2026.tmp"}) {
    std::ofstream(folder / name) << "x";
    if (std::string_view(name) != ".clock.begin.host.1" &&
        std::string_view(name) != "study.json.new.host.7.tmp") {
      fs::last_write_time(folder / name, now - std::chrono::hours(2));
    }
  }
  remove_old_files(folder.path());
  std::vector<std::string> left;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    left.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(left, ::testing::UnorderedElementsAre(".clock.begin.host.1", "run", ".clock.host.5",
                                                    "study.json.tmp", "notes.2026.tmp",
                                                    "study.json.new.host.7.tmp"));
}

TEST(WritableFolder, IsCreatedWithItsParentsAndLeftEmpty) {
  const TemporaryFolder folder;
  const fs::path inner = folder.path() / "a" / "b";
  make_writable_folder(inner);
  make_writable_folder(inner);
  EXPECT_TRUE(fs::is_directory(inner));
  EXPECT_TRUE(fs::is_empty(inner));
}

TEST(WritableFolder, AFileInItsPlaceIsAnError) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "file";
  write_file_atomically(file, std::string_view("text"));
  GCG_EXPECT_ERROR(make_writable_folder(file / "inner"),
                   AllOf(HasSubstr(file.string()), HasSubstr("that is no folder")));
  GCG_EXPECT_ERROR(make_writable_folder(file), HasSubstr(file.string()));
}

}  // namespace
}  // namespace gcg
