#include "world/shared_memory.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <thread>

#include "base/progress.h"
#include "base/random.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

/// Ranks that have opened one another's parts.
std::vector<std::unique_ptr<SharedMemory>> connected(std::int64_t ranks, double patience) {
  std::vector<std::unique_ptr<SharedMemory>> all;
  std::vector<std::string> addresses;
  for (std::int64_t r = 0; r < ranks; ++r) {
    all.push_back(std::make_unique<SharedMemory>(r, ranks, patience));
    addresses.push_back(all.back()->address());
  }
  for (const auto& rank : all) {
    EXPECT_TRUE(rank->open(addresses));
  }
  return all;
}

void at_once(std::int64_t ranks, const std::function<void(std::size_t)>& f) {
  std::vector<std::jthread> threads;
  for (std::int64_t r = 0; r < ranks; ++r) {
    threads.emplace_back(f, static_cast<std::size_t>(r));
  }
}

Bytes bytes_of(std::size_t rank, std::size_t round, std::size_t count) {
  RandomStream random(rank, "bytes", round);
  Bytes bytes(count);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.next_u32());
  }
  return bytes;
}

Bytes part_of(const Bytes& bytes, std::size_t part, std::size_t parts) {
  const auto size = static_cast<std::ptrdiff_t>(bytes.size() / parts);
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(part) * size;
  return {begin, begin + size};
}

/// Sizes around those of the pieces that messages are cut into.
constexpr std::array<std::size_t, 7> kSizes{1, 7, 262143, 262144, 262145, 524289, 1000000};

TEST(SharedMemory, GathersMessagesOfAnySize) {
  for (const std::int64_t ranks : {2, 3, 5}) {
    const auto all = connected(ranks, 60);
    at_once(ranks, [&](std::size_t r) {
      for (std::size_t round = 0; round < kSizes.size(); ++round) {
        const std::size_t size = kSizes[round];
        Bytes found(size * static_cast<std::size_t>(ranks));
        all[r]->gather(bytes_of(r, round, size), found);
        for (std::size_t other = 0; other < all.size(); ++other) {
          ASSERT_EQ(part_of(found, other, all.size()), bytes_of(other, round, size)) << size;
        }
      }
    });
  }
}

TEST(SharedMemory, ExchangesPartsOfAnySize) {
  for (const std::int64_t ranks : {2, 3, 5}) {
    const auto all = connected(ranks, 60);
    at_once(ranks, [&](std::size_t r) {
      for (std::size_t round = 0; round < kSizes.size(); ++round) {
        const std::size_t size = kSizes[round] * all.size();
        Bytes found(size);
        all[r]->exchange(bytes_of(r, round, size), found);
        for (std::size_t other = 0; other < all.size(); ++other) {
          ASSERT_EQ(part_of(found, other, all.size()),
                    part_of(bytes_of(other, round, size), r, all.size()))
              << size;
        }
      }
    });
  }
}

TEST(SharedMemory, ALateRankIsWaitedForAndNobodyOvertakesIt) {
  const auto all = connected(2, 60);
  at_once(2, [&](std::size_t r) {
    for (std::int64_t round = 0; round < 2000; ++round) {
      if (r == 1 && round % 500 == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(80));
      }
      std::array<std::int64_t, 2> found{};
      const std::int64_t own = 10 * round + static_cast<std::int64_t>(r);
      all[r]->gather(std::as_bytes(std::span(&own, 1)), std::as_writable_bytes(std::span(found)));
      ASSERT_THAT(found, ::testing::ElementsAre(10 * round, 10 * round + 1));
    }
  });
}

std::string failure_of(SharedMemory& rank) {
  const std::byte own{1};
  std::array<std::byte, 2> all{};
  const double start = now_seconds();
  try {
    rank.gather({&own, 1}, all);
  } catch (const std::runtime_error& error) {
    EXPECT_LT(now_seconds() - start, 10);
    return error.what();
  }
  return "";
}

TEST(SharedMemory, ARankThatLetGoIsNamed) {
  auto all = connected(2, 60);
  all[1].reset();
  EXPECT_THAT(failure_of(*all[0]), HasSubstr("rank 1 has let go"));
}

TEST(SharedMemory, ASilentRankIsNamed) {
  const auto all = connected(2, 0.3);
  EXPECT_THAT(failure_of(*all[0]), HasSubstr("rank 1 is silent"));
}

/// What a process writes to the pipe `from`, up to a line's end.
std::string line_from(int from) {
  std::string line;
  for (char c = 0; ::read(from, &c, 1) == 1 && c != '\n';) {
    line.push_back(c);
  }
  return line;
}

TEST(SharedMemory, JoinsProcessesAndAKilledOneIsNamed) {
  std::array<int, 2> to_child{};
  std::array<int, 2> to_parent{};
  ASSERT_EQ(::pipe(to_child.data()) + ::pipe(to_parent.data()), 0);
  const auto tell = [](int to, std::string text) {
    text += '\n';
    return ::write(to, text.data(), text.size()) == std::ssize(text);
  };
  const pid_t child = ::fork();
  if (child == 0) {
    SharedMemory memory(1, 2, 60);
    const bool told = tell(to_parent[1], memory.address());
    const std::array<std::string, 2> addresses{line_from(to_child[0]), memory.address()};
    if (told && memory.open(addresses)) {
      const std::byte own{8};
      std::array<std::byte, 2> all{};
      memory.gather({&own, 1}, all);
    }
    ::raise(SIGKILL);
  }
  SharedMemory memory(0, 2, 60);
  const std::array<std::string, 2> addresses{memory.address(), line_from(to_parent[0])};
  ASSERT_TRUE(tell(to_child[1], memory.address()));
  ASSERT_TRUE(memory.open(addresses));
  const std::byte own{7};
  std::array<std::byte, 2> all{};
  memory.gather({&own, 1}, all);
  EXPECT_THAT(all, ::testing::ElementsAre(std::byte{7}, std::byte{8}));
  // Not waited for yet: the lock is what tells.
  EXPECT_THAT(failure_of(memory), HasSubstr("rank 1 has let go"));
  ::waitpid(child, nullptr, 0);
  for (const int end : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) {
    ::close(end);
  }
}

TEST(SharedMemory, AnAddressOfAnotherHostIsNotOpened) {
  SharedMemory memory(0, 2, 60);
  const SharedMemory other(1, 2, 60);
  const auto opens = [&](std::string address) {
    const std::array<std::string, 2> addresses{memory.address(), std::move(address)};
    return memory.open(addresses);
  };
  EXPECT_TRUE(opens(other.address()));
  const std::string address = other.address();
  const std::string place = address.substr(0, address.rfind(' '));
  EXPECT_FALSE(opens(place + " 12345"));                   // the same place, another file
  EXPECT_FALSE(opens(fmt::format("{} 0 1", ::getpid())));  // a file of another kind
  EXPECT_FALSE(opens("4194305 3 1"));                      // no such process
  for (const char* text : {"", "x", "1", "1 2", "-1 2 3"}) {
    EXPECT_FALSE(opens(text)) << text;
  }
}

}  // namespace
}  // namespace gcg
