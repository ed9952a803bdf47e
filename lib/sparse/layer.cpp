#include "sparse/layer.h"

#include <algorithm>

namespace gcg::sparse {

void Trained::write(std::span<const float> values, std::span<const float> slots) {
  value.assign(values.begin(), values.end());
  momentum.assign(slots.begin(), slots.end());
  gradient.assign(values.size(), 0.0F);
}

void Trained::step(const SgdStep& step) {
  const float rate = static_cast<float>(step.learning_rate);
  const float decay = static_cast<float>(step.weight_decay);
  const float keep = static_cast<float>(step.momentum);
  // x + 0 * m would not be x for an m that is not finite: the two forms are written out.
  if (step.nesterov) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const float g = gradient[i] + decay * value[i];
      momentum[i] = keep * momentum[i] + g;
      value[i] -= rate * (g + keep * momentum[i]);
    }
  } else {
    for (std::size_t i = 0; i < value.size(); ++i) {
      momentum[i] = keep * momentum[i] + (gradient[i] + decay * value[i]);
      value[i] -= rate * momentum[i];
    }
  }
}

void SparseLayer::write(const LayerMask& present, std::span<const float> values,
                        std::span<const float> slots) {
  const double density = static_cast<double>(present.count()) / static_cast<double>(present.size());
  write_as(density >= kRunsAllFrom, present, values, slots);
}

void SparseLayer::write_as(bool all_taps, const LayerMask& present, std::span<const float> values,
                           std::span<const float> slots) {
  mask = present;
  runs_all = all_taps;
  // Only what the kernels in use read, and no more room than that.
  if (runs_all) {
    index = {};
    all = all_index(place, has_input_gradient);
  } else {
    all = {};
    build_index(place, mask, has_input_gradient, index);
  }
  const std::size_t count = static_cast<std::size_t>(mask.count());
  weight = {};
  weight.value.reserve(count);
  weight.momentum.reserve(count);
  mask.for_each_present([&](std::int64_t i) {
    weight.value.push_back(values[static_cast<std::size_t>(i)]);
    weight.momentum.push_back(slots[static_cast<std::size_t>(i)]);
  });
  weight.gradient.assign(count, 0.0F);
  all_values.assign(runs_all ? values.size() : 0, 0.0F);
  all_by_input.assign(all.inputs.size(), {});
  for (std::size_t p = 0; p < all_by_input.size(); ++p) {
    all_by_input[p].resize(all.inputs[p].source.size() *
                           static_cast<std::size_t>(place.layer.inputs));
  }
  spread();
}

void SparseLayer::order_by_input(std::span<float> to) const {
  std::ranges::transform(index.source, to.begin(), [&](std::int32_t source) {
    return weight.value[static_cast<std::size_t>(source)];
  });
}

void SparseLayer::spread() {
  if (!runs_all) {
    return;
  }
  std::size_t next = 0;
  mask.for_each_present(
      [&](std::int64_t i) { all_values[static_cast<std::size_t>(i)] = weight.value[next++]; });
  const std::size_t taps = static_cast<std::size_t>(place.layer.taps());
  for (std::size_t p = 0; p < all_by_input.size(); ++p) {
    auto to = all_by_input[p].begin();
    for (std::size_t i = 0; i < static_cast<std::size_t>(place.layer.inputs); ++i) {
      for (const std::int32_t source : all.inputs[p].source) {
        *to++ = all_values[static_cast<std::size_t>(source) + i * taps];
      }
    }
  }
}

std::vector<float> SparseLayer::dense(std::span<const float> present) const {
  std::vector<float> result(static_cast<std::size_t>(mask.size()), 0.0F);
  std::size_t next = 0;
  mask.for_each_present(
      [&](std::int64_t i) { result[static_cast<std::size_t>(i)] = present[next++]; });
  return result;
}

}  // namespace gcg::sparse
