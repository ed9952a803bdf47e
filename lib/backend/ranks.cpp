#include "backend/ranks.h"

#include <vector>

#include "base/error.h"
#include "base/index.h"

namespace gcg {

void Executor::join(Ranks& /*ranks*/, bool /*sync_norms*/) {
  throw Error(network().name, "this way of execution runs in one process only",
              "leave --processes out");
}

void sum(Ranks& ranks, std::span<BatchSums> batches) {
  const std::size_t count = batches.size();
  std::vector<BatchSums> all(count * at(ranks.size()));
  gather<BatchSums>(ranks, batches, all);
  for (std::size_t b = 0; b < count; ++b) {
    batches[b] = {};
    for (std::size_t r = 0; r < at(ranks.size()); ++r) {
      const BatchSums& share = all[r * count + b];
      batches[b].loss += share.loss;
      batches[b].correct += share.correct;
      batches[b].samples += share.samples;
    }
  }
}

Share share_of(std::int64_t samples, std::int64_t rank, std::int64_t ranks) {
  if (samples < kLeastShare * ranks) {
    return {0, samples};
  }
  return {samples * rank / ranks, samples * (rank + 1) / ranks};
}

}  // namespace gcg
