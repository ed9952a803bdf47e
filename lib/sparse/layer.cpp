#include "sparse/layer.h"

#include <algorithm>
#include <utility>

namespace gcg::sparse {

double density_of(const LayerMask& mask) {
  return static_cast<double>(mask.count()) / static_cast<double>(mask.size());
}

void Trained::write(std::vector<float> values) {
  value = std::move(values);
  gradient.assign(value.size(), 0.0F);
  slots.clear();
}

void SparseLayer::write(const LayerMask& now, std::span<const float> values) {
  write_as(density_of(now) >= kRunsAllFrom ? Form::all : Form::index, now, values);
}

void SparseLayer::write_as(Form form, const LayerMask& now, std::span<const float> values) {
  mask = now;
  runs_all = form == Form::all;
  // Only what the kernels in use read, and no more room than that.
  tiles.reset();
  if (form == Form::tiles) {
    tiles = std::make_unique<TileLayer>(make_tiles(place, mask, has_input_gradient));
  }
  all = runs_all ? all_index(place, has_input_gradient) : AllIndex{};
  if (runs_all || (runs_tiles() && sums_by_block)) {
    index = {};
  } else {
    build_index(place, mask, has_input_gradient && !runs_tiles(), index);
  }
  weight = {};
  weight.write(present(values));
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
  if (runs_tiles()) {
    fill_tiles(weight.value, *tiles);
  }
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

std::vector<float> SparseLayer::present(std::span<const float> dense) const {
  std::vector<float> result;
  result.reserve(static_cast<std::size_t>(mask.count()));
  mask.for_each_present(
      [&](std::int64_t i) { result.push_back(dense[static_cast<std::size_t>(i)]); });
  return result;
}

std::vector<float> SparseLayer::dense(std::span<const float> values) const {
  std::vector<float> result(static_cast<std::size_t>(mask.size()), 0.0F);
  std::size_t next = 0;
  mask.for_each_present(
      [&](std::int64_t i) { result[static_cast<std::size_t>(i)] = values[next++]; });
  return result;
}

}  // namespace gcg::sparse
