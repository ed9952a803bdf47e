// What happens where memory runs out: LibTorch's allocator of the CPU is one with a limit here.
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/api/include/torch/version.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/random_cases.h"
#include "base/error.h"
#include "device/device_executor.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// An allocator of the CPU that fails where more than `limit` bytes would be in use at once, and
/// once, after `left` allocations.
class LimitedAllocator final : public c10::Allocator {
 public:
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  std::int64_t limit = kNone;
  std::int64_t left = kNone;
  std::int64_t used = 0;
  std::int64_t most = 0;

  /// It outlives every tensor.
  static LimitedAllocator& only() {
    static auto* const allocator = new LimitedAllocator;
    return *allocator;
  }

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 3)
  c10::DataPtr allocate(std::size_t bytes) override { return take(bytes); }
#else
  c10::DataPtr allocate(std::size_t bytes) const override { return take(bytes); }
#endif
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

 private:
  static constexpr std::size_t kAlignment = 64;

  static c10::DataPtr take(std::size_t bytes) {
    LimitedAllocator& own = only();
    const std::scoped_lock lock(own.mutex_);
    const auto wanted = static_cast<std::int64_t>(bytes);
    TORCH_CHECK(wanted <= own.limit - own.used && own.left-- != 0,
                "DefaultCPUAllocator: can't allocate memory");
    void* const memory =
        std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment);  // NOLINT
    own.sizes_[memory] = wanted;
    own.used += wanted;
    own.most = std::max(own.most, own.used);
    return {memory, memory, &give_back, c10::Device(c10::kCPU)};
  }
  static void give_back(void* memory) {
    LimitedAllocator& own = only();
    const std::scoped_lock lock(own.mutex_);
    own.used -= own.sizes_.at(memory);
    own.sizes_.erase(memory);
    std::free(memory);  // NOLINT
  }

  std::mutex mutex_;
  std::unordered_map<void*, std::int64_t> sizes_;
};

class OutOfMemory : public ::testing::Test {
 protected:
  static LimitedAllocator& memory() { return LimitedAllocator::only(); }
  void SetUp() override { c10::SetCPUAllocator(&memory(), 1); }
  void TearDown() override {
    memory().limit = LimitedAllocator::kNone;
    memory().left = LimitedAllocator::kNone;
    c10::SetCPUAllocator(c10::GetDefaultCPUAllocator(), 1);
  }

  /// The bytes that f() has in use at once, beside those that were in use before.
  template <typename F>
  static std::int64_t most_of(F f) {
    const std::int64_t before = memory().used;
    memory().most = before;
    f();
    return memory().most - before;
  }
  template <typename F>
  static std::string said_with(std::int64_t bytes, F f) {
    memory().limit = memory().used + bytes;
    std::string said;
    try {
      f();
    } catch (const Error& error) {
      said = error.what();
    }
    memory().limit = LimitedAllocator::kNone;
    return said;
  }

  /// One with far more activations than weights: what it needs follows the batch.
  static Network wide() { return build_network("resnet8", {{3, 16, 16}, 10, 4}); }
};

std::unique_ptr<Executor> executor_of(const Network& network) {
  auto executor = make_device_executor(network, 1, {"cpu"});
  TrainingState state = random_state(network, 0.5, 1);
  clear_slots(state);
  executor->write(state);
  return executor;
}

TEST_F(OutOfMemory, NamesABatchThatFitsAndThatBatchDoes) {
  const Network network = wide();
  const auto executor = executor_of(network);
  const OwnedBatch large = random_batch(network, 64, 1);
  const OwnedBatch small = random_batch(network, 16, 1);
  const TrainingState before = executor->read();
  // A quarter more: images that are tried are the device's own, and so are slots of any optimiser.
  const std::int64_t room = 5 * most_of([&] {
                              const auto other = executor_of(network);
                              other->forward_backward(small);
                              other->step(sgd_step());
                            }) /
                            4;
  EXPECT_THAT(said_with(room, [&] { executor->forward_backward(large); }),
              AllOf(HasSubstr("resnet8: forward_backward: out of memory with a batch of 64\n"),
                    HasSubstr("--batch-size 16 fits")));
  EXPECT_EQ(executor->read().values.weights, before.values.weights);
  EXPECT_EQ(said_with(room,
                      [&] {
                        executor->forward_backward(small);
                        executor->step(sgd_step());
                      }),
            "");
}

/// Many weights: what has room without the slots of the first update has none with them.
TEST_F(OutOfMemory, CountsTheSlotsThatTheFirstUpdateAdds) {
  const Network network = build_network("mlp", {{1000}, 10, 500});
  const auto executor = executor_of(network);
  const auto batch = [&](std::int64_t samples) { return random_batch(network, samples, 1); };
  const auto train = [&](std::int64_t samples) { executor->forward_backward(batch(samples)); };
  const std::int64_t room =
      9 * most_of([&] { executor_of(network)->forward_backward(batch(1024)); }) / 8;
  const std::string said = said_with(room, [&] { train(4096); });
  ASSERT_THAT(said, HasSubstr("--batch-size "));
  const std::int64_t named = std::stoll(said.substr(said.find("--batch-size ") + 13));
  EXPECT_LT(named, 1024);
  EXPECT_EQ(said_with(room,
                      [&] {
                        train(named);
                        executor->step(default_step("adamw"));
                      }),
            "");
}

TEST_F(OutOfMemory, NoBatchIsNamedForAnEvaluationWhoseBatchNobodyChooses) {
  const Network network = wide();
  const auto executor = executor_of(network);
  const OwnedBatch large = random_batch(network, 64, 1);
  const std::int64_t room = most_of([&] { executor->evaluate(random_batch(network, 8, 1), {}); });
  EXPECT_THAT(said_with(room, [&] { executor->evaluate(large, {}); }),
              AllOf(HasSubstr("resnet8: evaluate: out of memory with a batch of 64\n"),
                    HasSubstr("take a smaller network"), Not(HasSubstr("batch-size")),
                    Not(HasSubstr("smaller batch"))));
}

/// Whichever allocation of a call fails: its message names network and call.
TEST_F(OutOfMemory, IsExplainedInWhateverCallItIs) {
  const Network network = build_network("mlp", {{4}, 3, 5});
  const OwnedBatch batch = random_batch(network, 4, 1);
  const auto executor_with_average = [&] {
    auto executor = executor_of(network);
    executor->average_gradients(batch, 0.5F);
    executor->forward_backward(batch);
    (void)executor->queue(batch);
    return executor;
  };
  const std::vector<std::vector<float>> average = executor_with_average()->gradient_average();
  const std::vector<std::pair<std::string, std::function<void(Executor&)>>> calls{
      {"the start on cpu", [&](Executor&) { (void)make_device_executor(network, 1, {"cpu"}); }},
      {"write", [&](Executor& e) { e.write(random_state(network, 0.5, 1)); }},
      {"read", [&](Executor& e) { (void)e.read(); }},
      {"forward_backward", [&](Executor& e) { e.forward_backward(batch); }},
      {"gradients", [&](Executor& e) { (void)e.gradients(); }},
      {"queue", [&](Executor& e) { (void)e.queue(batch); }},
      {"settle", [&](Executor& e) { (void)e.settle(); }},
      {"step", [&](Executor& e) { e.step(sgd_step()); }},
      {"evaluate", [&](Executor& e) { e.evaluate(batch, {}); }},
      {"evaluate", [&](Executor& e) { e.queue_evaluation(batch, {}), e.settle_evaluation(); }},
      {"dense_gradients", [&](Executor& e) { (void)e.dense_gradients(batch); }},
      {"average_gradients", [&](Executor& e) { e.average_gradients(batch, 0.5F); }},
      {"gradient_average", [&](Executor& e) { (void)e.gradient_average(); }},
      {"set_gradient_average", [&](Executor& e) { e.set_gradient_average(average); }}};
  for (const auto& [name, call] : calls) {
    std::int64_t failed = -1;
    std::string said;
    do {
      const auto executor = executor_with_average();
      memory().left = ++failed;
      said = said_with(LimitedAllocator::kNone / 2, [&, &call = call] { call(*executor); });
      memory().left = LimitedAllocator::kNone;
      if (!said.empty()) {
        EXPECT_THAT(said, ::testing::StartsWith("mlp: " + name + ": out of memory"));
      }
    } while (!said.empty());
  }
}

}  // namespace
}  // namespace gcg
