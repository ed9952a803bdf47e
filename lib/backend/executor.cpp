#include "backend/executor.h"

#include <algorithm>

namespace gcg {

void Executor::average_gradients(const Batch& batch, float old) {
  const std::vector<std::vector<float>> newest = dense_gradients(batch);
  if (average_.empty()) {
    for (const std::vector<float>& layer : newest) {
      average_.emplace_back(layer.size(), 0.0F);
    }
  }
  for (std::size_t l = 0; l < average_.size(); ++l) {
    std::ranges::transform(average_[l], newest[l], average_[l].begin(),
                           [old](float a, float g) { return old * a + (1 - old) * g; });
  }
}

}  // namespace gcg
