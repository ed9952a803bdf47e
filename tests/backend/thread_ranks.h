#pragma once

#include <algorithm>
#include <atomic>
#include <barrier>
#include <exception>
#include <thread>
#include <vector>

#include "backend/ranks.h"
#include "base/error.h"

namespace gcg::testing {

/// Ranks that are threads of this process: what runs between processes, without any.
class ThreadRanks {
 public:
  explicit ThreadRanks(std::int64_t size)
      : own_(static_cast<std::size_t>(size)), all_here_(static_cast<std::ptrdiff_t>(size)) {}

  /// Calls f(ranks) in a thread for each rank and comes back when all have; throws on what the
  /// first one that failed by itself threw. The others are told that it is gone.
  template <typename F>
  void run(F f) {
    std::vector<std::exception_ptr> failures(own_.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t r = 0; r < own_.size(); ++r) {
        threads.emplace_back([&, r] {
          Rank rank(*this, static_cast<std::int64_t>(r));
          try {
            f(static_cast<Ranks&>(rank));
          } catch (const Gone&) {
          } catch (...) {
            failures[r] = std::current_exception();
            gone_ = true;
          }
          all_here_.arrive_and_drop();
        });
      }
    }
    for (const std::exception_ptr& failure : failures) {
      if (failure) {
        std::rethrow_exception(failure);
      }
    }
  }

 private:
  struct Gone : Error {
    Gone() : Error("another rank", "is gone") {}
  };

  class Rank final : public Ranks {
   public:
    Rank(ThreadRanks& all, std::int64_t rank) : all_(all), rank_(rank) {}
    std::int64_t rank() const override { return rank_; }
    std::int64_t size() const override { return std::ssize(all_.own_); }
    void gather(std::span<const std::byte> own, std::span<std::byte> all) override {
      all_.own_[static_cast<std::size_t>(rank_)] = own;
      meet();
      auto to = all.begin();
      for (const std::span<const std::byte> from : all_.own_) {
        to = std::ranges::copy(from, to).out;
      }
      meet();
    }
    void sum(std::span<float> values) override {
      std::vector<float> all(values.size() * all_.own_.size());
      gcg::gather<float>(*this, values, all);
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = all[i];
        for (std::size_t r = 1; r < all_.own_.size(); ++r) {
          values[i] += all[r * values.size() + i];
        }
      }
    }
    void meet() override {
      all_.all_here_.arrive_and_wait();
      if (all_.gone_) {
        throw Gone();
      }
    }

   private:
    ThreadRanks& all_;
    std::int64_t rank_;
  };

  std::vector<std::span<const std::byte>> own_;
  std::barrier<> all_here_;
  std::atomic<bool> gone_ = false;
};

}  // namespace gcg::testing
