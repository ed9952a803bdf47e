#include "train/evaluate.h"

#include <algorithm>
#include <utility>

namespace gcg {

BatchSums evaluate(Executor& executor, Loader& loader, const SampleMaker& samples,
                   std::span<const std::int64_t> positions, const PerSample& each, bool held) {
  // Small enough to stay in the cache of a core, large enough to keep it busy; no effect on results
  // but for the rounding of sums.
  constexpr std::size_t batch_size = 128;
  LoaderPlan plan{{positions.begin(), positions.end()}, batch_size, {}};
  plan.held = held;
  loader.begin(samples, std::move(plan));
  BatchSums sums;
  for (std::size_t begin = 0; begin < positions.size(); begin += batch_size) {
    const std::size_t count = std::min(batch_size, positions.size() - begin);
    const auto part = [&](auto room) { return room.empty() ? room : room.subspan(begin, count); };
    const BatchSums batch =
        executor.evaluate(loader.next(), {part(each.classes), part(each.losses)});
    sums.loss += batch.loss;
    sums.correct += batch.correct;
    sums.samples += batch.samples;
  }
  return sums;
}

}  // namespace gcg
