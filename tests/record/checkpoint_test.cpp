#include "record/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/temporary_folder.h"
#include "record/sample_record.h"
#include "record/write_bytes.h"

namespace gcg {
namespace {

using testing::TemporaryFolder;

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Checkpoint at_step(std::int64_t phase) {
  Checkpoint checkpoint = sample_checkpoint();
  checkpoint.position.phase = phase;
  return checkpoint;
}

/// Phase of the checkpoint that is read; -1: none. Stores what was noted.
std::int64_t phase_found(const TemporaryFolder& folder, std::string& note) {
  const auto checkpoint = read_checkpoint(folder.path(), note);
  return checkpoint ? checkpoint->position.phase : -1;
}

void damage(const fs::path& path) {
  std::vector<std::byte> bytes = read_file(path);
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_bytes(path, bytes);
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

TEST(Checkpoint, ComesBackToTheBit) {
  const TemporaryFolder folder;
  const Checkpoint checkpoint = sample_checkpoint();
  write_checkpoint(folder.path(), checkpoint);
  std::string note = "old";
  const auto again = read_checkpoint(folder.path(), note);
  ASSERT_TRUE(again);
  EXPECT_EQ(note, "");
  EXPECT_EQ(describe(again->record), describe(checkpoint.record));
  // The state holds -0, denormals and NaNs with a payload: compared as bytes.
  for (std::size_t l = 0; l < checkpoint.state.values.weights.size(); ++l) {
    expect_same_bits(again->state.values.weights[l], checkpoint.state.values.weights[l]);
    expect_same_bits(again->state.slots[0].values.weights[l],
                     checkpoint.state.slots[0].values.weights[l]);
  }
  EXPECT_EQ(describe(again->state), describe(checkpoint.state));
  EXPECT_TRUE(again->state.slots[0].values.norms[0].mean.empty());
  const auto& [phase, epoch, batch, loss, correct, samples] = again->position;
  EXPECT_EQ(phase, 2);
  EXPECT_EQ(epoch, 1);
  EXPECT_EQ(batch, 17);
  EXPECT_EQ(loss, 123.456);
  EXPECT_EQ(correct, 77);
  EXPECT_EQ(samples, 2176);
  EXPECT_EQ(again->method_state, checkpoint.method_state);
}

TEST(Checkpoint, KeepsAFinishedRunAndAnEmptyMethodState) {
  const TemporaryFolder folder;
  Checkpoint checkpoint = sample_checkpoint();
  checkpoint.record = sample_record();
  checkpoint.method_state.clear();
  write_checkpoint(folder.path(), checkpoint);
  std::string note;
  const auto again = read_checkpoint(folder.path(), note);
  ASSERT_TRUE(again && again->record.result);
  EXPECT_EQ(describe(again->record), describe(checkpoint.record));
  EXPECT_EQ(again->method_state, "");
}

TEST(Checkpoint, KeepsWhatAMethodRemembers) {
  const TemporaryFolder folder;
  Checkpoint checkpoint = sample_checkpoint();
  std::string note;
  write_checkpoint(folder.path(), checkpoint);
  EXPECT_EQ(read_checkpoint(folder.path(), note)->memory, MethodMemory{});
  checkpoint.memory.kept = checkpoint.state;
  for (const Layer& layer : checkpoint.record.network.layers) {
    checkpoint.memory.gradient_average.emplace_back(layer.connections(), 0.25F);
  }
  checkpoint.memory.gradient_average[0][1] = -3;
  write_checkpoint(folder.path(), checkpoint);
  const auto again = read_checkpoint(folder.path(), note);
  ASSERT_TRUE(again && again->memory.kept);
  EXPECT_EQ(describe(*again->memory.kept), describe(checkpoint.state));
  EXPECT_EQ(again->memory.gradient_average, checkpoint.memory.gradient_average);
}

TEST(Checkpoint, KeepsTokensAndAnySlotsByNameAndTheNumberOfUpdates) {
  const TemporaryFolder folder;
  Checkpoint checkpoint = sample_checkpoint();
  std::string note;
  write_checkpoint(folder.path(), checkpoint);
  EXPECT_EQ(read_checkpoint(folder.path(), note)->state.updates, 5);
  EXPECT_EQ(read_checkpoint(folder.path(), note)->state.values.tokens, TokenParameters{});

  TrainingState& state = checkpoint.state;
  state.values.tokens = {{1.0F, -0.5F}, {0.0F, 0.25F, 0.5F, 1.0F, 1.25F, 1.5F}};
  state.slots[0].values.tokens = {{2.0F, 3.0F}, {7.0F, 0.25F, 0.5F, 1.0F, 1.25F, 9.0F}};
  // In the order of the optimiser, which is not that of the names.
  state.slots.push_back({"a/later_name", state.slots[0].values});
  state.slots[1].values.biases[1][0] = 99.0F;
  state.updates = 12345678901;
  checkpoint.memory.kept = state;
  write_checkpoint(folder.path(), checkpoint);
  const auto again = read_checkpoint(folder.path(), note);
  ASSERT_TRUE(again && again->memory.kept);
  EXPECT_EQ(again->state.values.tokens, state.values.tokens);
  EXPECT_EQ(again->state.slots, state.slots);
  EXPECT_EQ(again->state.updates, state.updates);
  EXPECT_EQ(again->memory.kept->slots, state.slots);

  state.slots.clear();
  state.updates = 0;
  checkpoint.memory.kept.reset();
  write_checkpoint(folder.path(), checkpoint);
  EXPECT_TRUE(read_checkpoint(folder.path(), note)->state.slots.empty());

  state.values.tokens.positions.pop_back();
  EXPECT_THAT([&] { write_checkpoint(folder.path(), checkpoint); },
              ThrowsMessage<Error>(HasSubstr("5 values for 2 channels")));
}

TEST(Checkpoint, IsAbsentWhereNoneWasWritten) {
  const TemporaryFolder folder;
  std::string note;
  EXPECT_EQ(phase_found(folder, note), -1);
  EXPECT_FALSE(read_checkpoint(folder / "no such folder", note));
  EXPECT_EQ(note, "");
}

TEST(Checkpoint, EqualContentGivesEqualBytes) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), sample_checkpoint());
  write_checkpoint(folder.path(), sample_checkpoint());
  EXPECT_EQ(read_file(folder / "checkpoint.gcg"), read_file(folder / "checkpoint.previous.gcg"));
}

TEST(Checkpoint, TheOneBeforeIsKept) {
  const TemporaryFolder folder;
  for (std::int64_t phase = 1; phase <= 3; ++phase) {
    write_checkpoint(folder.path(), at_step(phase));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2);
  std::string note;
  EXPECT_EQ(phase_found(folder, note), 3);
  fs::remove(folder / "checkpoint.gcg");
  EXPECT_EQ(phase_found(folder, note), 2);
  EXPECT_THAT(note, HasSubstr("checkpoint.gcg: the file is missing"));
}

TEST(Checkpoint, ADamagedNewestOneIsReportedAndThePreviousOneUsed) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), at_step(1));
  write_checkpoint(folder.path(), at_step(2));
  const std::vector<std::byte> whole = read_file(folder / "checkpoint.gcg");
  std::string note;
  // Every byte of the header, and some of the payload.
  for (std::size_t at = 0; at < whole.size(); at += at < 64 ? 1 : 997) {
    SCOPED_TRACE(at);
    std::vector<std::byte> bytes = whole;
    bytes[at] ^= std::byte{0x40};
    write_bytes(folder / "checkpoint.gcg", bytes);
    EXPECT_EQ(phase_found(folder, note), 1);
    EXPECT_THAT(note, HasSubstr("checkpoint.gcg: "));
  }
  for (const auto& [size, reason] : {std::pair{std::size_t{0}, "the file is empty"},
                                     {std::size_t{1}, "within its header"},
                                     {std::size_t{55}, "within its header"},
                                     {std::size_t{56}, "the file holds 0 bytes of payload"},
                                     {whole.size() / 2, "its header says"},
                                     {whole.size() - 1, "its header says"}}) {
    SCOPED_TRACE(size);
    write_bytes(folder / "checkpoint.gcg", std::span(whole).first(size));
    EXPECT_EQ(phase_found(folder, note), 1);
    EXPECT_THAT(note, HasSubstr(reason));
  }
  std::vector<std::byte> longer = whole;
  longer.push_back({});
  write_bytes(folder / "checkpoint.gcg", longer);
  EXPECT_EQ(phase_found(folder, note), 1);
}

TEST(Checkpoint, ANewestOneThatCannotBeReadIsReportedAndThePreviousOneUsed) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), at_step(1));
  write_checkpoint(folder.path(), at_step(2));
  const fs::path newest = folder / "checkpoint.gcg";
  std::string note;
  fs::remove(newest);
  fs::create_symlink(newest, newest);
  EXPECT_EQ(phase_found(folder, note), 1);
  EXPECT_THAT(note, HasSubstr("checkpoint.gcg: cannot look for it: "));
  fs::remove(newest);
  fs::create_directory(newest);
  EXPECT_EQ(phase_found(folder, note), 1);
  EXPECT_THAT(note, HasSubstr("checkpoint.gcg: is not a regular file"));
  fs::remove(folder / "checkpoint.previous.gcg");
  EXPECT_THAT([&] { read_checkpoint(folder.path(), note); },
              ThrowsMessage<Error>(AllOf(HasSubstr("no checkpoint is intact"),
                                         HasSubstr("checkpoint.gcg: is not a regular file"))));
}

TEST(Checkpoint, NoneWholeIsAnError) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), at_step(1));
  damage(folder / "checkpoint.gcg");
  std::string note;
  EXPECT_THAT(
      [&] { read_checkpoint(folder.path(), note); },
      ThrowsMessage<Error>(AllOf(HasSubstr("no checkpoint is intact"),
                                 HasSubstr("checkpoint.gcg: its checksum does not match"),
                                 HasSubstr("checkpoint.previous.gcg: the file is missing"))));
  write_checkpoint(folder.path(), at_step(2));
  write_checkpoint(folder.path(), at_step(3));
  damage(folder / "checkpoint.gcg");
  damage(folder / "checkpoint.previous.gcg");
  EXPECT_THAT(
      [&] { read_checkpoint(folder.path(), note); },
      ThrowsMessage<Error>(HasSubstr("checkpoint.previous.gcg: its checksum does not match")));
}

TEST(Checkpoint, AnotherVersionIsAnErrorNotDamage) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), at_step(1));
  write_checkpoint(folder.path(), at_step(2));
  // As a later version would write it: with its own checksum.
  std::vector<std::byte> bytes = read_file(folder / "checkpoint.gcg");
  bytes[40] = std::byte{9};
  const Digest digest = sha256(std::span<const std::byte>(bytes).subspan(40));
  std::memcpy(bytes.data() + 8, digest.data(), digest.size());
  write_bytes(folder / "checkpoint.gcg", bytes);
  std::string note;
  EXPECT_THAT([&] { read_checkpoint(folder.path(), note); },
              ThrowsMessage<Error>(
                  HasSubstr("checkpoint.gcg: is a checkpoint of version 9, this program reads 3")));
}

TEST(Checkpoint, WritingOverADamagedOneNeverLosesTheWholeOne) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), at_step(1));
  write_checkpoint(folder.path(), at_step(2));
  damage(folder / "checkpoint.gcg");
  write_checkpoint(folder.path(), at_step(3));
  std::string note;
  EXPECT_EQ(phase_found(folder, note), 3);
}

TEST(Checkpoint, EveryMomentOfAWriteLeavesAWholeOne) {
  // The states a crash can leave behind: the old file has its second name; the new one is in place;
  // the old one is the previous one. Each is followed by the write of the resumed run.
  const TemporaryFolder folder;
  std::string note;
  write_checkpoint(folder.path(), at_step(1));
  fs::create_hard_link(folder / "checkpoint.gcg", folder / "checkpoint.kept.tmp");
  EXPECT_EQ(phase_found(folder, note), 1);
  write_checkpoint(folder.path(), at_step(2));
  EXPECT_EQ(phase_found(folder, note), 2);
  EXPECT_FALSE(fs::exists(folder / "checkpoint.kept.tmp"));

  fs::rename(folder / "checkpoint.previous.gcg", folder / "checkpoint.kept.tmp");
  EXPECT_EQ(phase_found(folder, note), 2);
  write_checkpoint(folder.path(), at_step(3));
  fs::remove(folder / "checkpoint.gcg");
  EXPECT_EQ(phase_found(folder, note), 2);
}

TEST(Checkpoint, AWriteThatFailsLeavesBothOldOnes) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), at_step(1));
  write_checkpoint(folder.path(), at_step(2));
  // A disk that is full after 1000 bytes.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(write_checkpoint(folder.path(), at_step(3)), Error);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  std::string note;
  EXPECT_EQ(phase_found(folder, note), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2);
  fs::remove(folder / "checkpoint.gcg");
  EXPECT_EQ(phase_found(folder, note), 1);
}

TEST(Checkpoint, IntoAMissingFolderIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { write_checkpoint(folder / "none", sample_checkpoint()); },
              ThrowsMessage<Error>(HasSubstr("none")));
}

}  // namespace
}  // namespace gcg
