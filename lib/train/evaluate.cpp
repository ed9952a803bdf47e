#include "train/evaluate.h"

#include <algorithm>
#include <utility>

#include "base/index.h"

namespace gcg {

namespace {

// Small enough to stay in the cache of a core, large enough to keep it busy; no effect on results
// but for the rounding of sums.
constexpr std::size_t kBatchSize = 128;

/// Batches [begin, end) of those that the positions make.
struct Part {
  std::size_t begin = 0;
  std::size_t end = 0;
};

Part part_of(std::size_t batches, const Ranks* ranks, std::int64_t rank) {
  if (ranks == nullptr) {
    return {0, batches};
  }
  const auto bound = [&](std::int64_t r) { return batches * at(r) / at(ranks->size()); };
  return {bound(rank), bound(rank + 1)};
}

/// The samples of some batches.
template <typename T>
std::span<T> samples_of(std::span<T> all, Part part) {
  const std::size_t begin = std::min(all.size(), part.begin * kBatchSize);
  return all.subspan(begin, std::min(all.size(), part.end * kBatchSize) - begin);
}

/// What each rank made of `values`, whose parts f(rank) gives, on all of them.
template <typename T, typename F>
void spread(Ranks& ranks, std::span<T> values, F part) {
  std::size_t room = 0;
  for (std::int64_t r = 0; r < ranks.size(); ++r) {
    room = std::max(room, part(values, r).size());
  }
  std::vector<T> own(room);
  std::ranges::copy(part(values, ranks.rank()), own.begin());
  std::vector<T> all(room * at(ranks.size()));
  gather<T>(ranks, own, all);
  for (std::int64_t r = 0; r < ranks.size(); ++r) {
    const std::span<T> to = part(values, r);
    std::ranges::copy(std::span(all).subspan(at(r) * room, to.size()), to.begin());
  }
}

}  // namespace

BatchSums evaluate(Executor& executor, Loader& loader, const SampleMaker& samples,
                   std::span<const std::int64_t> positions, const PerSample& each,
                   Delivery delivery, Ranks* ranks) {
  const std::size_t batches = (positions.size() + kBatchSize - 1) / kBatchSize;
  const Part own = part_of(batches, ranks, ranks == nullptr ? 0 : ranks->rank());
  const std::span<const std::int64_t> mine = samples_of(positions, own);
  LoaderPlan plan{{mine.begin(), mine.end()}, kBatchSize, {}};
  plan.delivery = delivery;
  loader.begin(samples, std::move(plan));
  std::vector<BatchSums> sums(batches);
  for (std::size_t b = own.begin; b < own.end; ++b) {
    const auto part = [&](auto room) { return samples_of(room, {b, b + 1}); };
    executor.queue_evaluation(loader.next(), {part(each.classes), part(each.losses)});
  }
  std::ranges::copy(executor.settle_evaluation(),
                    sums.begin() + static_cast<std::ptrdiff_t>(own.begin));
  if (ranks != nullptr) {
    const auto batches_of = [&](std::span<BatchSums> all, std::int64_t rank) {
      const Part part = part_of(batches, ranks, rank);
      return all.subspan(part.begin, part.end - part.begin);
    };
    const auto part_of_samples = [&](auto all, std::int64_t rank) {
      return samples_of(all, part_of(batches, ranks, rank));
    };
    spread(*ranks, std::span(sums), batches_of);
    spread(*ranks, each.classes, part_of_samples);
    spread(*ranks, each.losses, part_of_samples);
  }
  BatchSums total;
  for (const BatchSums& batch : sums) {
    total.loss += batch.loss;
    total.correct += batch.correct;
    total.samples += batch.samples;
  }
  return total;
}

}  // namespace gcg
