// What the executor of a rank has to do.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "backend/comparisons.h"
#include "backend/conformance.h"
#include "backend/random_cases.h"
#include "backend/thread_ranks.h"
#include "base/throws.h"

namespace gcg {

namespace {

using ::testing::HasSubstr;
using Networks = std::vector<Network>;

/// The share of a batch that a rank trains.
struct OwnedShare {
  OwnedBatch batch;
  std::int64_t of = 0;
  operator Batch() const {
    Batch share = batch;
    share.of = of;
    return share;
  }
};
OwnedShare share_of_batch(const OwnedBatch& whole, const Ranks& ranks) {
  const std::int64_t samples = std::ssize(whole.labels);
  const Share share = share_of(samples, ranks.rank(), ranks.size());
  const auto values = std::ssize(whole.images) / samples;
  const auto from = whole.images.begin();
  std::vector<float> factors;
  for (auto node = whole.branch_factors.begin(); node != whole.branch_factors.end();
       node += samples) {
    factors.insert(factors.end(), node + share.begin, node + share.end);
  }
  return {{{from + share.begin * values, from + share.end * values},
           {whole.labels.begin() + share.begin, whole.labels.begin() + share.end},
           whole.label_smoothing,
           {whole.second_labels.begin() + share.begin, whole.second_labels.begin() + share.end},
           whole.second_share,
           factors},
          share.size() < samples ? samples : 0};
}

/// What a rank has after some steps.
struct Trained {
  TrainingState state;
  Parameters gradients;
  std::vector<std::vector<float>> dense;
  std::vector<BatchSums> sums;
};

/// Of every rank: batches of sizes that cannot be shared out evenly, one of them not at all.
std::vector<Trained> train_in_ranks(const ExecutorFactory& make, const Network& network,
                                    std::int64_t size, bool sync_norms, int steps) {
  std::vector<Trained> trained(static_cast<std::size_t>(size));
  testing::ThreadRanks(size).run([&](Ranks& ranks) {
    const auto executor = make(network);
    executor->join(ranks, sync_norms);
    executor->write(random_state(network, 0.5, 20));
    Trained& own = trained[static_cast<std::size_t>(ranks.rank())];
    for (int i = 0; i < steps; ++i) {
      const std::int64_t samples = std::vector<std::int64_t>{37, 19, 2 * size - 1}[i % 3];
      const OwnedBatch whole = soft_batch(network, samples, 21 + static_cast<std::uint64_t>(i));
      own.sums.push_back(executor->forward_backward(share_of_batch(whole, ranks)));
      own.gradients = executor->gradients();
      executor->step(sgd_step());
    }
    own.dense = executor->dense_gradients(share_of_batch(soft_batch(network, 23, 5), ranks));
    own.state = executor->read();
    expect_mask_invariant(*executor);
  });
  return trained;
}

bool same_training(const Trained& a, const Trained& b) {
  return same_bits(a.state, b.state) && same_bits(a.gradients, b.gradients) &&
         same_bits(a.dense, b.dense) && std::ranges::equal(a.sums, b.sums, same);
}

void ranks_have_the_same_bits_in_every_repetition(const ExecutorFactory& make,
                                                  const Networks& networks) {
  for (const Network& network : networks) {
    for (const auto& [size, sync_norms] : {std::pair(2, true), {2, false}, {4, true}}) {
      SCOPED_TRACE(fmt::format("{}, {} ranks, {}", network.name, size, sync_norms));
      const std::vector<Trained> first = train_in_ranks(make, network, size, sync_norms, 3);
      const std::vector<Trained> again = train_in_ranks(make, network, size, sync_norms, 3);
      for (std::size_t r = 0; r < first.size(); ++r) {
        EXPECT_TRUE(same_training(first[r], first[0])) << "rank " << r;
        EXPECT_TRUE(same_training(again[r], first[0])) << "again, rank " << r;
      }
    }
  }
}

void shares_train_as_the_whole_batch(const ExecutorFactory& make, const Networks& networks) {
  for (const Network& network : networks) {
    const auto alone = make(network);
    alone->write(random_state(network, 0.5, 20));
    const BatchSums sums = alone->forward_backward(soft_batch(network, 37, 21));
    const Parameters gradients = alone->gradients();
    alone->step(sgd_step());
    const auto dense = alone->dense_gradients(soft_batch(network, 23, 5));
    const TrainingState state = alone->read();
    for (const std::int64_t size : {2, 4}) {
      SCOPED_TRACE(fmt::format("{}, {} ranks", network.name, size));
      const Trained found = train_in_ranks(make, network, size, true, 1).back();
      expect_near(found.sums[0], sums);
      expect_near(network, found.gradients, gradients, kGradientTolerance);
      // Weights, and the running statistics that every normalisation moved.
      expect_near(network, found.state.values, state.values, 1e-4);
      for (std::size_t l = 0; l < dense.size(); ++l) {
        expect_near(found.dense[l], dense[l], kGradientTolerance, network.layers[l].name);
      }
    }
  }
}

void norms_of_shares_are_others(const ExecutorFactory& make, const Networks& networks) {
  const auto found = std::ranges::find_if(networks, [](const Network& one) {
    return std::ranges::find(one.nodes, Operation::batch_norm, &Node::operation) != one.nodes.end();
  });
  ASSERT_NE(found, networks.end());
  const Network& network = *found;
  const Trained together = train_in_ranks(make, network, 2, true, 1).front();
  const Trained apart = train_in_ranks(make, network, 2, false, 1).front();
  EXPECT_FALSE(same_bits(together.gradients, apart.gradients));
  // Means over equal shares are that of the whole, variances are not.
  EXPECT_NE(together.state.values.norms[0].variance, apart.state.values.norms[0].variance);
}

void a_share_without_ranks_is_refused(const ExecutorFactory& make, const Networks& networks) {
  const auto executor = make(networks.back());
  executor->write(random_state(networks.back(), 0.5, 1));
  const OwnedShare share{random_batch(networks.back(), 6, 2), 12};
  GCG_EXPECT_ERROR(executor->forward_backward(share), HasSubstr("no share of 12"));
}

#define GCG_CASE(function) \
  ConformanceCase { #function, function }
/// Those of any precision first.
constexpr std::size_t kRankCasesOfAnyPrecision = 3;
constexpr std::array kRankCases{
    GCG_CASE(ranks_have_the_same_bits_in_every_repetition),
    GCG_CASE(norms_of_shares_are_others),
    GCG_CASE(a_share_without_ranks_is_refused),
    GCG_CASE(shares_train_as_the_whole_batch),
};
#undef GCG_CASE

}  // namespace

std::span<const ConformanceCase> rank_cases() { return kRankCases; }

std::span<const ConformanceCase> rank_cases_of_any_precision() {
  return rank_cases().first(kRankCasesOfAnyPrecision);
}

}  // namespace gcg
