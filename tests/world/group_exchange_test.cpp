// What no GPU is needed for: exchanges that are queued, by a group that plays one.
#include "world/group_exchange.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "base/progress.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// A call that is queued: done or failed when its device says so.
class QueuedCall final : public c10d::Work {
 public:
  bool isCompleted() override {
    if (fails) {
      finish(std::make_exception_ptr(std::runtime_error("the cable is out")));
    }
    return done || fails;
  }
  bool wait(std::chrono::milliseconds /*timeout*/) override { return true; }

  std::atomic<bool> done = false;
  std::atomic<bool> fails = false;
};

/// Of two ranks; nothing arrives.
class PlayedGroup final : public Group {
 public:
  PlayedGroup() : Group(0, 2) {}
  c10::intrusive_ptr<c10d::Work> allgather(std::vector<std::vector<at::Tensor>>& /*to*/,
                                           std::vector<at::Tensor>& /*from*/,
                                           const c10d::AllgatherOptions& /*options*/) override {
    calls.push_back(c10::make_intrusive<QueuedCall>());
    return calls.back();
  }

  std::vector<c10::intrusive_ptr<QueuedCall>> calls;
};

class QueuedExchange : public ::testing::Test {
 protected:
  void exchange() { exchange_.gather(at::full({3}, 1.0)); }
  /// Until the device is let go; false: it is not.
  bool let_go(double seconds) const {
    for (const double limit = now_seconds() + seconds; !aborted_ && now_seconds() < limit;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return aborted_;
  }
  void expect_failure(const std::string& words) {
    try {
      exchange_.check();
      ADD_FAILURE();
    } catch (const std::exception& error) {
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
    EXPECT_ANY_THROW(exchange());
  }

  std::atomic<bool> ended_ = false;
  std::atomic<bool> aborted_ = false;
  c10::intrusive_ptr<PlayedGroup> group_ = c10::make_intrusive<PlayedGroup>();
  GroupExchange exchange_{group_,
                          {2.0, [this] { return ended_.load(); }, [this] { aborted_ = true; }}};
};

TEST_F(QueuedExchange, NobodyWaitsForIt) {
  for (int i = 0; i < 100; ++i) {
    exchange();
  }
  exchange_.check();
}

TEST_F(QueuedExchange, OneThatGetsOnMayTakeLong) {
  for (int i = 0; i < 4; ++i) {
    exchange();
  }
  for (const auto& call : group_->calls) {
    EXPECT_FALSE(let_go(1.2));
    call->done = true;
  }
  EXPECT_FALSE(let_go(2.5));
  exchange_.check();
}

TEST_F(QueuedExchange, OneThatDoesNotGetOnIsGivenUp) {
  exchange();
  exchange();
  group_->calls[0]->done = true;
  const double start = now_seconds();
  EXPECT_TRUE(let_go(10));
  EXPECT_GT(now_seconds() - start, 1.5);
  expect_failure("did not get on with an exchange for 2 s");
}

TEST_F(QueuedExchange, WhereARankHasEndedItIsGivenUpSoon) {
  exchange();
  ended_ = true;
  EXPECT_TRUE(let_go(1.5));
  expect_failure("for 0.5 s");
}

TEST_F(QueuedExchange, WhereARankHasEndedAndNothingIsQueuedAllIsWell) {
  exchange();
  group_->calls[0]->done = true;
  ended_ = true;
  EXPECT_FALSE(let_go(1));
  exchange_.check();
}

TEST_F(QueuedExchange, OneThatFailsOnTheDeviceIsTold) {
  exchange();
  group_->calls[0]->fails = true;
  EXPECT_TRUE(let_go(1.5));
  expect_failure("the cable is out");
}

TEST_F(QueuedExchange, ClosedItLetsTheDeviceGo) {
  exchange();
  exchange_.close();
  EXPECT_TRUE(aborted_);
  EXPECT_ANY_THROW(exchange());
}

}  // namespace
}  // namespace gcg
