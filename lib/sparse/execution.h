#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "sparse/kernels.h"
#include "sparse/layer.h"
#include "sparse/operations.h"
#include "sparse/parallel.h"
#include "sparse/plan.h"
#include "sparse/sparse_executor.h"
#include "sparse/tiles.h"

namespace gcg::sparse {

/// A normalisation: what is trained, what runs along, and the moments of the batch at hand.
struct Norm {
  Trained scale;
  Trained shift;
  std::vector<float> running_mean;
  std::vector<float> running_variance;
  std::vector<double> mean;
  std::vector<double> variance;
  std::vector<GradientSums> sums;  ///< [blocks][stripes][channels], of the backward pass

  Tensor moments;  ///< of a layer normalisation, [blocks][2][positions]

  NormState state() { return {scale.value, shift.value, mean, variance}; }
  LayerNormState layer_state() { return {scale.value, shift.value, moments}; }
};

/// What a thread works in.
struct ThreadRoom {
  std::vector<Tensor> blocks;  ///< as the plan says
  /// Per such room, how many rows of the block at hand are expanded in it.
  std::vector<std::int64_t> expanded;
  Tensor stripe;                   ///< results in single precision that are to be kept in bf16
  Tensor lanes;                    ///< for weight gradients and those of layer normalisations
  Tensor tiles;                    ///< for weight gradients by tiles
  Tensor scores;                   ///< for attention
  std::array<Tensor, 3> attended;  ///< gradients of its inputs that are to be kept in bf16
};

/// Everything a network needs to be run.
struct Execution {
  Network network;
  const Kernels* kernels = nullptr;
  TileChoice tiles;
  std::int64_t threads = 1;
  Plan plan;
  std::vector<SparseLayer> layers;
  /// Per node, whether its value or gradient, if it lies in room for a block, does so in bf16: only
  /// layers that run by tiles read it.
  std::vector<bool> value_in_pairs;
  std::vector<bool> gradient_in_pairs;
  std::vector<Norm> norms;
  Trained class_token;
  Trained positions;  ///< of tokens, [channels][tokens]

  std::int64_t blocks = 0;  ///< that there is room for
  std::vector<Tensor> buffers;
  std::array<Tensor, 2> whole;  ///< two tensors that are expanded for the whole batch
  std::vector<ThreadRoom> rooms;
  std::vector<std::vector<PlaneMoments>> moments;  ///< per node that is normalised
  /// Weight gradients of the layers of a segment, each with its bias gradient behind it, by group
  /// of blocks; zero between segments.
  std::vector<std::vector<float>> partial;
  std::vector<std::int64_t> place;  ///< per layer of the segment at hand, its first in these sums
  std::vector<std::vector<float>> position_sums;  ///< gradient of the table, by group of blocks
  std::vector<float> by_input;  ///< weights of the layers of a segment, as their inputs need them
  std::vector<std::span<const float>> by_input_of;  ///< per layer of the segment at hand
  /// Gradient of a layer that runs as if it had all its weights, or by tiles.
  std::vector<float> all_weights;
  Tensor branch_factors;      ///< [drop_path nodes][blocks] of the batch at hand
  std::vector<float> logits;  ///< [samples][classes]
  std::vector<float> logit_gradient;
  std::vector<float> unused;  ///< where a pure pass leaves the gradients of a normalisation

  View value(std::int32_t node, std::int64_t thread = 0);
  View gradient(std::int32_t node, std::int64_t thread = 0);
  /// Of a drop_path node, [blocks].
  [[nodiscard]] std::span<const Position> factors_of(const Node& node, const Run& run) const {
    const auto blocks_of_run = static_cast<std::size_t>(run.blocks);
    return std::span(branch_factors)
        .subspan(static_cast<std::size_t>(node.drop) * blocks_of_run, blocks_of_run);
  }
};

/// A value or gradient in single precision: the tensor itself, or, if it is kept in bf16, the rows
/// above `bottom` of a block expanded.
View single(Execution& execution, const Run& run, TensorId tensor, Blocks part, std::int64_t bottom,
            std::int64_t thread);
/// Where results that belong to `kept` are made: there, or, if it is in bf16, in a stripe's room,
/// from which keep() takes them.
View target(Execution& execution, const View& kept, Stripe stripe, std::int64_t thread);
void keep(const Run& run, Blocks part, Stripe stripe, const View& made, bool accumulate,
          const View& kept);

/// Plans a network, without any weights. Errors name the layer or pool that the indexes cannot
/// hold.
Execution make_execution(const Network& network, std::int64_t threads, const Kernels& kernels,
                         Precision precision, const TileChoice& tiles);

/// Gives the layers their masks and weights, dense arrays, and chooses their kernels.
void write_layers(Execution& execution, const Mask& mask,
                  const std::vector<std::vector<float>>& weights);

/// Takes room for the largest batch so far. A smaller one uses the beginnings: the blocks of a
/// tensor do not depend on their number.
Run prepare(Execution& execution, std::int64_t samples);

/// What the branches of the batch at hand are multiplied by, as Batch::branch_factors.
void set_branch_factors(Execution& execution, const Run& run, std::span<const float> factors);

/// Blocks that are added up together in a weight gradient; a thread takes whole groups. Part of the
/// order of additions, for any number of threads.
inline constexpr std::int64_t kMostGroups = 16;
std::int64_t group_count(const Run& run);
Blocks group(const Run& run, std::int64_t g);

/// The batch's own moments, or the running ones.
enum class Moments : std::uint8_t { batch, running };
void forward(Execution& execution, const Run& run, std::span<const float> images, Moments moments);
/// Rows of its input, from the first one on, that a stripe of an operation's value is made of, at
/// least.
std::int64_t rows_read(const Node& node, Stripe stripe);
/// Sets a stripe of an operation's value for some blocks, `again` if it is known that the forward
/// pass did, and takes its moments if asked for. Operations whose segments are not cut are given
/// all rows.
void apply(Execution& execution, const Run& run, Blocks part, StripeOf stripe,
           const Instruction& instruction, std::int64_t thread, bool with_moments, bool again);

/// From the gradient of the logits on. Leaves its results in the layers and normalisations, or, if
/// not null, the gradients of all weights, present or absent, per layer in `all`, and nothing else.
void backward(Execution& execution, const Run& run, std::vector<std::vector<float>>* all);

/// Calls f(step, thread, group, blocks, stripe) for the steps of a segment, each stripe of every
/// block of the batch, or, for vectors, for all the blocks of a thread at once.
template <typename F>
void for_each_step(Execution& execution, const Run& run, const Segment& segment, F f) {
  const auto take_through = [&](std::int64_t thread, std::int64_t g, Blocks part) {
    const std::int64_t stripes = std::ssize(segment.stripes);
    std::ranges::fill(execution.rooms[static_cast<std::size_t>(thread)].expanded, 0);
    for (std::int64_t s = 0; s < stripes; ++s) {
      const std::vector<Stripe>& rows = segment.stripes[static_cast<std::size_t>(s)];
      for (std::size_t i = 0; i < segment.steps.size(); ++i) {
        if (rows[i].height() > 0) {
          f(segment.steps[i], thread, g, part, StripeOf{rows[i], s, stripes});
        }
      }
    }
  };
  in_parts(std::ssize(execution.rooms), group_count(run),
           [&](std::int64_t thread, std::int64_t begin, std::int64_t end) {
             if (segment.vectors) {
               take_through(thread, begin, {group(run, begin).begin, group(run, end - 1).end});
               return;
             }
             for (std::int64_t g = begin; g < end; ++g) {
               for (std::int64_t b = group(run, g).begin; b < group(run, g).end; ++b) {
                 take_through(thread, g, {b, b + 1});
               }
             }
           });
}

}  // namespace gcg::sparse
