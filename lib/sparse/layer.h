#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "sparse/index.h"
#include "sparse/tile_layer.h"

namespace gcg::sparse {

/// Numbers that training changes, with what belongs to them.
struct Trained {
  std::vector<float> value;
  std::vector<float> gradient;
  std::vector<std::vector<float>>
      slots;  ///< of the optimiser, in its order; none before its first update

  /// Takes over values; the gradient becomes zero and the slots go.
  void write(std::vector<float> values);
};

/// A convolution or linear layer of which only the present weights exist. Where most of them are
/// present, kernels that do without an index of each are faster: they see the layer as if it had
/// all its weights, absent ones being zero, and give the same bits for finite numbers.
struct SparseLayer {
  LayerPlace place;
  bool has_input_gradient = true;
  LayerMask mask;
  LayerIndex index;
  Trained weight;  ///< in the order of the index
  Trained bias;

  bool runs_all = false;                         ///< whether the kernels for all taps are in use
  AllIndex all;                                  ///< by input only if runs_all
  std::vector<float> all_values;                 ///< [outputs][fan_in], if runs_all
  std::vector<std::vector<float>> all_by_input;  ///< per phase, [inputs][outputs x taps]

  std::unique_ptr<TileLayer> tiles;  ///< where kernels of tiles are in use, with their own bits
  bool sums_by_block = true;  ///< for the weight gradient too; else it is that of present weights

  /// Rebuilds the structure for a mask; values are a dense array. The weight has no slots then.
  void write(const LayerMask& now, std::span<const float> values);
  /// The same with the choice of kernels made by the caller.
  enum class Form : std::uint8_t { index, all, tiles };
  void write_as(Form form, const LayerMask& now, std::span<const float> values);
  /// How many values the index's order by input has: none where the kernels for all taps are in
  /// use.
  [[nodiscard]] std::size_t by_input_count() const { return index.source.size(); }
  /// The weights in that order.
  void order_by_input(std::span<float> to) const;
  [[nodiscard]] bool runs_tiles() const { return tiles != nullptr; }
  /// To be called whenever weights have changed.
  void spread();
  /// What a dense array has at the present connections, and back, with +0 where absent.
  [[nodiscard]] std::vector<float> present(std::span<const float> dense) const;
  [[nodiscard]] std::vector<float> dense(std::span<const float> values) const;
};

/// The rule by which a layer runs as if it had all its weights: from this density on. As the bits
/// are the same it decides on time alone; calibrated by the kernel benchmark.
inline constexpr double kRunsAllFrom = 0.6;

/// The rule by which a convolution between tensors in bf16 runs by tiles, where these are in use:
/// from this density on. A prototype on a Xeon with AMX took 67 ms for a step of ResNet-20 by tiles
/// at every density, and by the kernels above 59, 72 and 97 ms at .02, .05 and .10.
inline constexpr double kTilesFrom = 0.04;

double density_of(const LayerMask& mask);

}  // namespace gcg::sparse
