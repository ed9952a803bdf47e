// Ranks that are connected as processes are, each in a thread here.
#include "world/world.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "backend/random_cases.h"
#include "backend/thread_ranks.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/throws.h"
#include "dense/tensor_exchange.h"
#include "dense/torch_executor.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kPatience = 1.5;

/// As in every program (run_program): LibTorch may write to a rank that has just closed its end.
class ClosedPipes : public ::testing::Environment {
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
};
const ::testing::Environment* const kClosedPipes =
    ::testing::AddGlobalTestEnvironment(new ClosedPipes);

/// Through shared memory, and through the network although the ranks are on one host.
class Worlds : public ::testing::TestWithParam<Exchange> {
 protected:
  /// Calls f(world) for every rank; gives what each of them threw, empty if nothing.
  static std::vector<std::string> in_ranks(std::int64_t size, const std::function<void(World&)>& f);
};

#ifdef GCG_WITHOUT_GLOO
const std::vector<Exchange> kExchanges{Exchange::nearest};

TEST(World, WithoutGlooANetworkIsRefused) {
  const std::unique_ptr<MeetingPlace> meeting = host_meeting_place();
  const RankPlace place{0, 1, 0, "127.0.0.1", meeting->port(), true};
  GCG_EXPECT_ERROR(join_world(place, kPatience, Exchange::network),
                   HasSubstr("without the headers of Gloo"));
}
#else
const std::vector<Exchange> kExchanges{Exchange::nearest, Exchange::network};
#endif

INSTANTIATE_TEST_SUITE_P(By, Worlds, ::testing::ValuesIn(kExchanges), [](const auto& by) {
  return by.param == Exchange::nearest ? "Memory" : "Network";
});

std::vector<std::string> Worlds::in_ranks(std::int64_t size, const std::function<void(World&)>& f) {
  const std::unique_ptr<MeetingPlace> meeting = host_meeting_place();
  std::vector<std::string> thrown(static_cast<std::size_t>(size));
  std::vector<std::jthread> threads;
  for (std::int64_t r = 0; r < size; ++r) {
    threads.emplace_back([&, r] {
      std::string& own = thrown[static_cast<std::size_t>(r)];
      try {
        const RankPlace place{r, size, r, "127.0.0.1", meeting->port(), true};
        const std::unique_ptr<World> world = join_world(place, kPatience, GetParam());
        f(*world);
        world->leave(World::kFinished);
      } catch (const RanksStopped&) {
        own = "stopped";
      } catch (const std::exception& error) {
        own = error.what();
      }
    });
  }
  threads.clear();
  return thrown;
}

/// Values whose sum depends on the order.
float value(std::int64_t rank, std::int64_t i) {
  return std::sin(static_cast<float>(1 + 17 * rank + i)) * (rank % 2 == 0 ? 1e4F : 1e-3F);
}

TEST_P(Worlds, SumsInTheOrderOfTheRanks) {
  for (const std::int64_t size : {2, 3, 4}) {
    for (const std::int64_t count : {1, 5, 1000, 16384, 16385, 300003}) {
      SCOPED_TRACE(fmt::format("{} ranks, {} values", size, count));
      std::vector<std::vector<float>> found(static_cast<std::size_t>(size));
      const auto failures = in_ranks(size, [&](World& world) {
        std::vector<float> values;
        for (std::int64_t i = 0; i < count; ++i) {
          values.push_back(value(world.rank(), i));
        }
        world.sum(values);
        found[static_cast<std::size_t>(world.rank())] = values;
      });
      EXPECT_THAT(failures, ::testing::Each(""));
      for (std::int64_t i = 0; i < count; ++i) {
        float expected = value(0, i);
        for (std::int64_t r = 1; r < size; ++r) {
          expected += value(r, i);
        }
        for (const std::vector<float>& values : found) {
          ASSERT_EQ(values[static_cast<std::size_t>(i)], expected) << i;
        }
      }
    }
  }
}

TEST_P(Worlds, GathersInTheOrderOfTheRanks) {
  const auto failures = in_ranks(4, [](World& world) {
    for (std::int64_t i = 0; i < 20; ++i) {
      const std::vector<std::int64_t> own{world.rank(), i, 10 * world.rank()};
      std::vector<std::int64_t> all(12);
      gather<std::int64_t>(world, own, all);
      for (std::int64_t r = 0; r < 4; ++r) {
        EXPECT_THAT(std::vector<std::int64_t>(all.begin() + 3 * r, all.begin() + 3 * r + 3),
                    ::testing::ElementsAre(r, i, 10 * r));
      }
      world.meet();
    }
    world.gather({}, {});
  });
  EXPECT_THAT(failures, ::testing::Each(""));
}

/// What a network gets of the ranks.
struct TensorsOf {
  explicit TensorsOf(Ranks& ranks)
      : of_ranks(ranks.tensors_on("cpu")), on_host(exchange_on_host(ranks)) {}
  TensorExchange& operator*() const { return of_ranks != nullptr ? *of_ranks : *on_host; }
  TensorExchange* of_ranks;
  std::unique_ptr<TensorExchange> on_host;
};

TEST_P(Worlds, TensorsGoThroughTheHostOnlyWhereItSharesMemory) {
  const auto failures = in_ranks(2, [](World& world) {
    EXPECT_EQ(world.tensors_on("cpu") == nullptr, GetParam() == Exchange::nearest);
    EXPECT_EQ(world.tensors_on("cpu"), world.tensors_on("cpu"));
  });
  EXPECT_THAT(failures, ::testing::Each(""));
}

TEST_P(Worlds, TensorsAreSummedAndGatheredInTheOrderOfTheRanks) {
  for (const std::int64_t size : {2, 3, 4}) {
    const auto failures = in_ranks(size, [&](World& world) {
      const TensorsOf tensors(world);
      for (const std::int64_t count : {1, 5, 16384, 16385, 100003}) {
        SCOPED_TRACE(fmt::format("{} ranks, {} values", size, count));
        std::vector<float> values;
        for (std::int64_t i = 0; i < count; ++i) {
          values.push_back(value(world.rank(), i));
        }
        const at::Tensor summed = at::tensor(values);
        (*tensors).sum(summed);
        world.sum(values);
        EXPECT_TRUE(summed.equal(at::tensor(values)));
      }
      const at::Tensor own = at::full({2, 3}, 0.1 + static_cast<double>(world.rank()), at::kDouble);
      const at::Tensor all = (*tensors).gather(own.t());
      EXPECT_EQ(all.sizes(), at::IntArrayRef({size, 3, 2}));
      for (std::int64_t r = 0; r < size; ++r) {
        const at::Tensor expected = at::full({3, 2}, 0.1 + static_cast<double>(r), at::kDouble);
        EXPECT_TRUE(all[r].equal(expected));
      }
    });
    EXPECT_THAT(failures, ::testing::Each(""));
  }
}

/// All that a rank of two has after some steps.
TrainingState trained_by(Ranks& ranks, const Network& network) {
  const auto executor = make_torch_executor(network, 1);
  executor->join(ranks, true);
  executor->write(random_state(network, 0.5, 20));
  for (std::uint64_t i = 0; i < 3; ++i) {
    const OwnedBatch whole = random_batch(network, 11, 21 + i);
    const Share share = share_of(11, ranks.rank(), ranks.size());
    const auto values = std::ssize(whole.images) / 11;
    const OwnedBatch own{
        {whole.images.begin() + share.begin * values, whole.images.begin() + share.end * values},
        {whole.labels.begin() + share.begin, whole.labels.begin() + share.end}};
    Batch batch = own;
    batch.of = 11;
    executor->forward_backward(batch);
    executor->step(sgd_step());
  }
  return executor->read();
}

bool same(const TrainingState& a, const TrainingState& b) {
  for (std::size_t k = 0; k < a.values.norms.size(); ++k) {
    if (a.values.norms[k].scale != b.values.norms[k].scale ||
        a.values.norms[k].mean != b.values.norms[k].mean ||
        a.values.norms[k].variance != b.values.norms[k].variance) {
      return false;
    }
  }
  return a.values.weights == b.values.weights && a.values.biases == b.values.biases;
}

TEST_P(Worlds, NetworksTrainToTheBitsOfOneProcessWithTwoThreads) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    TrainingState expected;
    testing::ThreadRanks(2).run([&](Ranks& ranks) {
      TrainingState state = trained_by(ranks, network);
      if (ranks.rank() == 0) {
        expected = std::move(state);
      }
    });
    const auto failures = in_ranks(2, [&](World& world) {
      EXPECT_TRUE(same(trained_by(world, network), expected)) << world.rank();
    });
    EXPECT_THAT(failures, ::testing::Each(""));
  }
}

TEST_P(Worlds, MeetWaitsLongerThanTheOthers) {
  const auto failures = in_ranks(2, [](World& world) {
    if (world.rank() == 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(2 * kPatience));
    }
    world.meet();
  });
  EXPECT_THAT(failures, ::testing::Each(""));
}

TEST_P(Worlds, TheWordsOfARankThatEndsReachTheOthersWhereverTheyWait) {
  for (const bool in_meeting : {false, true}) {
    SCOPED_TRACE(in_meeting);
    const double start = now_seconds();
    const auto failures = in_ranks(3, [&](World& world) {
      world.meet();
      if (world.rank() == 1) {
        world.leave("no more paper");
        throw Error("rank 1", "left");
      }
      std::vector<float> values(10);
      in_meeting ? world.meet() : world.sum(values);
    });
    for (const std::size_t r : {0, 2}) {
      EXPECT_THAT(failures[r], AllOf(HasSubstr("rank 1"), HasSubstr("no more paper")));
    }
    EXPECT_LT(now_seconds() - start, 20);
  }
}

TEST_P(Worlds, WhereOneWasStoppedTheOthersAreToo) {
  const auto failures = in_ranks(3, [](World& world) {
    if (world.rank() == 2) {
      world.leave(World::kStopped);
      throw RanksStopped();
    }
    std::vector<float> values(10);
    world.sum(values);
  });
  EXPECT_THAT(failures, ::testing::Each("stopped"));
}

TEST_P(Worlds, ARankThatIsSilentIsNamed) {
  const double start = now_seconds();
  const auto failures = in_ranks(3, [](World& world) {
    if (world.rank() == 1) {
      std::this_thread::sleep_for(std::chrono::duration<double>(kPatience + 8));
      return;
    }
    std::vector<float> values(10);
    world.sum(values);
  });
  for (const std::size_t r : {0, 2}) {
    EXPECT_THAT(failures[r], AllOf(HasSubstr("rank 1 of 3"), HasSubstr("not answered for 1.5 s")));
  }
  EXPECT_LT(now_seconds() - start, 30);
}

TEST_P(Worlds, WhoeverWaitsForATensorIsToldOfTheRankThatEndsOrIsSilent) {
  for (const bool silent : {false, true}) {
    SCOPED_TRACE(silent);
    const auto failures = in_ranks(3, [&](World& world) {
      const TensorsOf tensors(world);
      if (world.rank() == 1) {
        if (silent) {
          std::this_thread::sleep_for(std::chrono::duration<double>(kPatience + 8));
          return;
        }
        world.leave("no more paper");
        throw Error("rank 1", "left");
      }
      (*tensors).sum(at::full({20000}, 1.0F));
    });
    const std::string words = silent ? "not answered for 1.5 s" : "no more paper";
    for (const std::size_t r : {0, 2}) {
      EXPECT_THAT(failures[r], AllOf(HasSubstr("rank 1"), HasSubstr(words)));
    }
  }
}

/// Rank 1 of 2 in a process of its own that comes and then does something else.
class OtherRank {
 public:
  explicit OtherRank(const std::function<void(World&)>& does) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    process_ = ::fork();  // before this process has threads
    if (process_ == 0) {
      std::uint16_t port = 0;
      if (::read(pipe[0], &port, sizeof port) == sizeof port) {
        const auto world = join_world({1, 2, 1, "127.0.0.1", port, true}, 60);
        does(*world);
      }
      ::_exit(1);
    }
    meeting_ = host_meeting_place();
    const std::uint16_t port = meeting_->port();
    EXPECT_EQ(::write(pipe[1], &port, sizeof port), std::int64_t{sizeof port});
    ::close(pipe[0]);
    ::close(pipe[1]);
  }
  ~OtherRank() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  OtherRank(const OtherRank&) = delete;
  OtherRank& operator=(const OtherRank&) = delete;
  [[nodiscard]] std::unique_ptr<World> joined_by_rank_0(double patience) const {
    return join_world({0, 2, 0, "127.0.0.1", meeting_->port(), true}, patience);
  }
  [[nodiscard]] std::uint16_t port() const { return meeting_->port(); }

 private:
  pid_t process_;
  std::unique_ptr<MeetingPlace> meeting_;
};

TEST(World, AProcessThatDiesWhileOthersWaitForItInAMeetingIsNamed) {
  const OtherRank other([](World&) { ::raise(SIGKILL); });
  const auto world = other.joined_by_rank_0(4 * kPatience);
  const double start = now_seconds();
  GCG_EXPECT_ERROR(world->meet(), AllOf(HasSubstr("rank 1 of 2"), HasSubstr("is gone")));
  EXPECT_LT(now_seconds() - start, 40);  // not 15 times the patience
}

TEST(World, AProcessThatLivesButHangsWhileOthersWaitForItInAMeetingIsNamed) {
  const OtherRank other([](World&) { ::pause(); });
  const auto world = other.joined_by_rank_0(4 * kPatience);
  const double start = now_seconds();
  GCG_EXPECT_ERROR(world->meet(), AllOf(HasSubstr("rank 1 of 2"), HasSubstr("not answered")));
  EXPECT_LT(now_seconds() - start, 40);
}

TEST(World, WhereOneStopsInTheMiddleOfACallToTheStoreTheOthersEndAndSaySo) {
  const OtherRank other([](World&) { ::pause(); });
  const auto world = other.joined_by_rank_0(2 * kPatience);
  // The first byte of a call, and no more: the store waits for the rest and serves nobody.
  const int caller = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(other.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(caller, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::write(caller, "", 1), 1);
  ::usleep(200000);
  const double start = now_seconds();
  GCG_EXPECT_ERROR(world->meet(),
                   AllOf(HasSubstr("rank 0 of 2"), HasSubstr("in the middle of a call")));
  EXPECT_LT(now_seconds() - start, 40);
  ::close(caller);
}

TEST(World, AProcessThatWorksIsWaitedForInAMeeting) {
  constexpr double kLong = 12;  // twice as long as silence would be forgiven
  const OtherRank other([](World& world) {
    const double start = now_seconds();
    for (double now = start; now < start + kLong; now = now_seconds()) {
      if (std::fmod(now - start, 0.2) > 0.05) {
        ::usleep(10000);  // works a quarter of its time
      }
    }
    world.meet();
    world.leave(World::kFinished);
  });
  const auto world = other.joined_by_rank_0(4 * kPatience);
  const double start = now_seconds();
  world->meet();
  EXPECT_GT(now_seconds() - start, kLong / 2);
}

/// Rank 0 in a process of its own that hosts the store and in the middle of the world does
/// something else.
class OtherHost {
 public:
  OtherHost(std::int64_t size, Exchange exchange, const std::function<void()>& does) {
    port_ = host_meeting_place()->port();  // free again
    process_ = ::fork();
    if (process_ == 0) {
      const auto world = join_world({0, size, 0, "127.0.0.1", port_, false}, 60, exchange);
      std::vector<float> values{1};
      world->sum(values);
      does();
      ::_exit(1);
    }
  }
  ~OtherHost() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  OtherHost(const OtherHost&) = delete;
  OtherHost& operator=(const OtherHost&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_;
  pid_t process_;
};

TEST_P(Worlds, AFrozenHostOfTheStoreEndsTheOthersToo) {
  for (const bool in_meeting : {false, true}) {
    SCOPED_TRACE(in_meeting);
    const OtherHost host(2, GetParam(), [] { ::raise(SIGSTOP); });
    const double start = now_seconds();
    {
      const auto world =
          join_world({1, 2, 1, "127.0.0.1", host.port(), false}, 4 * kPatience, GetParam());
      std::vector<float> values{1};
      world->sum(values);
      GCG_EXPECT_ERROR(in_meeting ? world->meet() : world->sum(values),
                       AllOf(HasSubstr("rank 0 of 2"), HasSubstr("is gone")));
    }
    EXPECT_LT(now_seconds() - start, 40);
  }
}

TEST(World, AHostThatHangsIsNamedAlthoughItsStoreAnswersThoseThatWait) {
  const OtherHost host(5, Exchange::nearest, [] { ::pause(); });
  const double start = now_seconds();
  std::vector<std::jthread> threads;
  for (std::int64_t r = 1; r < 5; ++r) {
    threads.emplace_back([&host, r] {
      const auto world = join_world({r, 5, r, "127.0.0.1", host.port(), false}, 4 * kPatience);
      std::vector<float> values{1};
      world->sum(values);
      GCG_EXPECT_ERROR(world->meet(), AllOf(HasSubstr("rank 0 of 5"), HasSubstr("not answered")));
    });
  }
  threads.clear();
  EXPECT_LT(now_seconds() - start, 40);
}

TEST(World, WhereTheSystemGivesNoSharedMemoryTheNetworkIsTaken) {
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit { 100000, before.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::unique_ptr<MeetingPlace> meeting = host_meeting_place();
  std::vector<float> sums(2);
  {
    std::vector<std::jthread> threads;
    for (std::int64_t r = 0; r < 2; ++r) {
      threads.emplace_back([&, r] {
        const auto world = join_world({r, 2, r, "127.0.0.1", meeting->port(), true}, 20);
        std::vector<float> values{static_cast<float>(1 + r)};
        world->sum(values);
        sums[static_cast<std::size_t>(r)] = values[0];
        world->leave(World::kFinished);
      });
    }
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(sums, ::testing::Each(3.0F));
}

TEST(World, ARankThatDoesNotComeIsNamed) {
  const std::unique_ptr<MeetingPlace> meeting = host_meeting_place();
  const RankPlace place{0, 2, 0, "127.0.0.1", meeting->port(), true};
  try {
    join_world(place, kPatience);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("rank 1"), HasSubstr("did not come within 1.5 s")));
  }
}

TEST(World, RankZeroHostsWhereTheLauncherDoesNot) {
  const std::uint16_t port = host_meeting_place()->port();  // free again
  std::vector<std::jthread> threads;
  std::vector<float> sums(2);
  for (std::int64_t r = 0; r < 2; ++r) {
    threads.emplace_back([&, r] {
      const std::unique_ptr<World> world = join_world({r, 2, r, "127.0.0.1", port, false}, 10);
      std::vector<float> values{static_cast<float>(1 + r)};
      world->sum(values);
      sums[static_cast<std::size_t>(r)] = values[0];
      world->leave(World::kFinished);
    });
  }
  threads.clear();
  EXPECT_THAT(sums, ::testing::Each(3.0F));
}

}  // namespace
}  // namespace gcg
