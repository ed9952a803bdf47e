#include "record/stage_payload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "record/sample_record.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Checkpoint full_checkpoint() {
  Checkpoint checkpoint = sample_checkpoint();
  checkpoint.memory.kept = checkpoint.state;
  checkpoint.memory.kept->updates = 12;
  for (const Layer& layer : checkpoint.record.network.layers) {
    checkpoint.memory.gradient_average.emplace_back(layer.connections(), 0.25F);
  }
  return checkpoint;
}

/// Of the bits: the sample has values that are not numbers.
std::string text_of(const Checkpoint& checkpoint) {
  return describe(checkpoint.state) + describe(*checkpoint.memory.kept);
}

StageState read(std::span<const std::byte> payload) {
  return read_stage_payload("stage.gcg", payload);
}

TEST(StagePayload, ComesBackToTheBit) {
  const Checkpoint written = full_checkpoint();
  const std::vector<std::byte> payload = stage_payload(7, written);
  const auto [stage, found] = read(payload);
  EXPECT_EQ(stage, 7);
  EXPECT_EQ(text_of(found), text_of(written));
  EXPECT_EQ(found.memory.gradient_average, written.memory.gradient_average);
  EXPECT_EQ(found.method_state, written.method_state);
  EXPECT_EQ(found.position.batch_in_epoch, written.position.batch_in_epoch);
  EXPECT_EQ(found.position.loss_sum, written.position.loss_sum);
  EXPECT_EQ(found.record.identity.hash, written.record.identity.hash);
  EXPECT_EQ(found.record.identity.seed, written.record.identity.seed);
  EXPECT_EQ(found.record.identity.command, written.record.identity.command);
  EXPECT_EQ(found.record.warnings, written.record.warnings);
  EXPECT_EQ(found.record.cost.training_flops, written.record.cost.training_flops);
  EXPECT_EQ(found.record.cost.epochs, written.record.cost.epochs);
  EXPECT_EQ(found.record.network.norm_count, written.record.network.norm_count);
  EXPECT_TRUE(found.record.trajectory.empty());
  // Nothing is left out: what was read makes the same bytes again.
  EXPECT_EQ(stage_payload(7, found), payload);
}

TEST(StagePayload, HoldsPresentConnectionsAlone) {
  Checkpoint checkpoint = sample_checkpoint();
  const std::size_t before = stage_payload(0, checkpoint).size();
  LayerMask& mask = checkpoint.state.mask.layers[0];
  const std::int64_t removed = mask.count();
  mask = LayerMask(mask.size());
  clear_absent(checkpoint.state);
  const std::size_t arrays = 1 + checkpoint.state.slots.size();
  EXPECT_EQ(before - stage_payload(0, checkpoint).size(),
            static_cast<std::size_t>(removed) * arrays * sizeof(float));
}

TEST(StagePayload, AnAbsentWeightThatIsNotZeroIsNotLostButAnError) {
  for (const float value : {1.0F, -0.0F}) {
    Checkpoint checkpoint = sample_checkpoint();
    checkpoint.state.mask.layers[0].reset(0);
    clear_absent(checkpoint.state);
    checkpoint.state.values.weights[0][0] = value;
    EXPECT_THAT([&] { (void)stage_payload(0, checkpoint); },
                ThrowsMessage<Error>(HasSubstr("an absent connection is not +0")));
  }
}

TEST(StagePayload, OfAnyOtherLengthIsAnError) {
  std::vector<std::byte> payload = stage_payload(7, full_checkpoint());
  for (std::size_t size = 0; size < payload.size(); size += 1 + size / 50) {
    EXPECT_THROW((void)read(std::span(payload).first(size)), Error) << size;
  }
  payload.emplace_back();
  EXPECT_THAT([&] { (void)read(payload); },
              ThrowsMessage<Error>(HasSubstr("1 bytes follow its end")));
}

TEST(StagePayload, LayersThatCannotBeAreRefusedWithFileAndPosition) {
  Checkpoint checkpoint = sample_checkpoint();
  std::vector<Layer>& layers = checkpoint.record.network.layers;
  layers[1].name = layers[0].name;
  const std::vector<std::byte> payload = stage_payload(0, checkpoint);
  EXPECT_THAT([&] { (void)read(payload); },
              ThrowsMessage<Error>(AllOf(HasSubstr("stage.gcg: payload, byte "),
                                         HasSubstr("is empty or not unique"))));
}

// A checksum stands before it; but anyone can compute one.
TEST(StagePayload, OfAnyContentIsReadOrRefused) {
  const std::vector<std::byte> payload = stage_payload(7, full_checkpoint());
  constexpr std::uint64_t seed = 20261130;
  RandomStream stream(seed, "payload", 0);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::byte> changed = payload;
    for (std::uint64_t n = 1 + stream.below(3); n > 0; --n) {
      changed[stream.below(changed.size())] = static_cast<std::byte>(stream.below(256));
    }
    try {
      (void)read(changed);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 30) << "seed " << seed;
}

TEST(StagePayload, CountsThatNoMemoryHoldsAreRefusedBeforeAnyIsTaken) {
  const std::vector<std::byte> payload = stage_payload(7, full_checkpoint());
  for (std::size_t at = 0; at + 8 <= payload.size(); at += 8) {
    std::vector<std::byte> changed = payload;
    for (std::size_t i = 0; i < 8; ++i) {
      changed[at + i] = i == 7 ? std::byte{0x7f} : std::byte{0xff};
    }
    try {
      (void)read(changed);
    } catch (const Error&) {
      continue;  // anything else, as of memory that cannot be had, fails the test
    }
  }
}

}  // namespace
}  // namespace gcg
