#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "backend/ranks.h"
#include "sparse/index.h"
#include "sparse/kernels.h"
#include "sparse/layer.h"
#include "sparse/layout.h"
#include "sparse/plan.h"

namespace gcg::sparse {

// Every operation of a network on the tensors of a batch, or of some of its blocks: a thread takes
// a block through several operations while it is in the caches. Only weight and bias gradients are
// of the whole batch and cut over threads themselves, by output rows. The bits of a result do not
// depend on the number of threads: sums over the batch are never cut.

/// A tensor and the layout of its blocks; or room for one block, that every block is kept in for as
/// long as a thread works on it; or room for a stripe of one block, in the first rows.
struct View {
  Layout layout;
  float* data = nullptr;
  bool one_block = false;
  bool bf16 = false;     ///< in pairs of channels; a tensor of the batch
  std::int64_t top = 0;  ///< the first row there is

  /// In bf16 of the pair that a channel belongs to.
  [[nodiscard]] float* at(std::int64_t block, std::int64_t channel, std::int64_t y = 0,
                          std::int64_t x = 0) const {
    const std::int64_t size = bf16 ? layout.pair_block() : layout.block();
    return data + kLanes * ((one_block ? 0 : block * size) +
                            layout.at(bf16 ? channel / 2 : channel, y - top, x));
  }
};

/// With what a batch is run, or a rank's share of one.
class Run {
 public:
  Run(const Kernels& kernels, std::int64_t threads, std::int64_t samples);

  const Kernels* kernels;
  std::int64_t threads;
  std::int64_t samples;
  std::int64_t blocks;
  /// Those that a normalisation of the batch runs over all shares with; null: it is over `samples`.
  Ranks* ranks = nullptr;
  std::int64_t whole = samples;  ///< samples that it runs over

  /// Selects the lanes of a block that hold samples.
  [[nodiscard]] const float* lanes(std::int64_t block) const {
    return block + 1 < blocks ? all_.lanes.data() : last_.lanes.data();
  }
  [[nodiscard]] bool last_is_full() const { return samples % kLanes == 0; }

 private:
  Position all_;
  Position last_;
};

/// The blocks an operation is to work on.
struct Blocks {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

inline Stripe all_rows(const Layout& layout) { return {0, layout.shape.height}; }

/// Rows of a plane; `next` is the same channel, or pair of them, of the next one.
inline Plane plane_of(const Layout& layout, Stripe rows) {
  return {rows.height(), layout.shape.width * kLanes, layout.pitch() * kLanes,
          layout.plane() * kLanes};
}

/// Calls f(channel, its partner) for every pair of channels: of a last odd one it is itself.
template <typename F>
void for_each_pair(const Layout& layout, F f) {
  for (std::int64_t c = 0; c < layout.shape.channels; c += 2) {
    f(c, std::min(c + 1, layout.shape.channels - 1));
  }
}

/// Plain images [samples][channels][height][width] into blocks.
void pack(const Run& run, Blocks part, std::span<const float> images, const View& to);

/// Back again, as many samples as there is room for.
void unpack(const View& from, std::span<float> images);

/// Convolution or linear layer.
void convolve(const Run& run, Blocks part, Stripe stripe, const SparseLayer& layer,
              const View& input, const View& output);
/// `by_input`: as SparseLayer::order_by_input leaves it.
void convolve_input_gradient(const Run& run, Blocks part, Stripe stripe, const SparseLayer& layer,
                             std::span<const float> by_input, const View& gradient, bool accumulate,
                             const View& to);

/// Which weights a gradient is wanted for, and how many values that makes.
enum class Weights : std::uint8_t { present, all };
std::int64_t weight_count(const SparseLayer& layer, Weights which);
/// Output rows with nearly equal shares of the weights.
struct OutputRows {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
OutputRows share_of_rows(const SparseLayer& layer, Weights which, std::int64_t part,
                         std::int64_t parts);
/// Adds the weight gradient over a stripe of the output's gradient in the blocks of a part to
/// `sums`, which has one value per weight of the layer; only those of the output rows are touched.
/// Lanes are summed apart over all positions, in the order of blocks, rows and columns, then as a
/// tree, in room for lane_count() positions.
void convolve_weight_gradient(const Run& run, Blocks part, Stripe stripe, const SparseLayer& layer,
                              Weights which, OutputRows rows, const View& input,
                              const View& gradient, std::span<Position> lanes,
                              std::span<float> sums);
std::int64_t lane_count(const Layer& layer);
/// Of present weights, out of those of all.
void select_present(const LayerMask& mask, std::span<const float> all, std::span<float> present);
void bias_gradient(const Run& run, const View& gradient, std::span<float> result);
/// Adds that of a stripe of some blocks to `sums`, of as many outputs as there are.
void add_bias_gradient(const Run& run, Blocks part, Stripe stripe, const View& gradient,
                       std::span<float> sums);

/// A normalisation of a batch: what the backward half needs of the forward half.
struct NormState {
  std::span<const float> scale;
  std::span<const float> shift;
  std::span<double> mean;      ///< of the batch, or the running one
  std::span<double> variance;  ///< biased
};

/// Of a stripe of one channel in one block: how many values, their sum, and the sum of their
/// squared distances from their own mean.
struct PlaneMoments {
  double count = 0;
  double sum = 0;
  double squares = 0;
};

/// Stripe `s` of the planes of some blocks: moments [blocks][stripes][channels].
struct StripeOf {
  Stripe rows;
  std::int64_t s = 0;
  std::int64_t stripes = 1;
  [[nodiscard]] std::size_t at(std::int64_t block, std::int64_t channel,
                               std::int64_t channels) const {
    return static_cast<std::size_t>((block * stripes + s) * channels + channel);
  }
};

void plane_moments(const Run& run, Blocks part, StripeOf stripe, const View& input,
                   std::span<PlaneMoments> planes);
/// Mean and variance of the batch from those of all stripes of all its planes (Chan et al. 1979,
/// "Updating formulae and a pairwise algorithm for computing sample variances"), of a share's and
/// then of all ranks'.
void batch_moments(const Run& run, std::int64_t stripes, std::span<const PlaneMoments> planes,
                   const NormState& norm);
/// output = norm(input) + other (if it has data), ReLU.
/// Input and other are in bf16 or not, alike; an output in single precision may follow from both.
void normalise(const Run& run, Blocks part, Stripe stripe, const NormState& norm, const View& input,
               const View& other, bool relu, const View& output);

/// The tensors around a normalisation, its addition and its ReLU in a backward pass: all in bf16,
/// or all but the input's gradient, or none.
struct NormBackward {
  View input;
  View output;    ///< values; used if there is a ReLU behind an addition
  View gradient;  ///< of the output
  bool addition = false;
  bool relu = false;
  View other_gradient;
  Contribution to_other = Contribution::none;
  View input_gradient;
  Contribution to_input = Contribution::none;
};

/// The first half: sums [blocks][stripes][channels]. Takes a ReLU behind an addition out of the
/// gradient.
void normalise_gradient_sums(const Run& run, Blocks part, StripeOf stripe, const NormState& norm,
                             const NormBackward& tensors, std::span<GradientSums> planes);
/// In between, with the sums of all stripes of all blocks: the first channel's become those of the
/// batch, per channel, and from them follow the gradients of scale and shift, in a share its part
/// of them.
void batch_gradient_sums(const Run& run, std::int64_t stripes, const NormState& norm,
                         std::span<GradientSums> planes, std::span<float> scale_gradient,
                         std::span<float> shift_gradient);
/// The second half: the gradients of the inputs from the sums of the batch.
void normalise_backward(const Run& run, Blocks part, Stripe stripe, const NormState& norm,
                        const NormBackward& tensors, std::span<const GradientSums> sums);

/// Rows of a tensor in bf16 into one in single precision and back, in room for a block or a stripe.
void expand(const Run& run, std::int64_t block, Stripe rows, const View& from, const View& to);
void compress(const Run& run, std::int64_t block, Stripe rows, const View& from, bool accumulate,
              const View& to);

void relu(const Run& run, Blocks part, const View& input, const View& output);
void relu_backward(const Run& run, Blocks part, const View& output, const View& gradient,
                   bool accumulate, const View& to);
/// These two in bf16 as well, all their tensors alike.
void add(const Run& run, Blocks part, const View& a, const View& b, const View& to);
void copy(const Run& run, Blocks part, const View& from, const View& to);

void max_pool(const Run& run, Blocks part, const Window& window, const View& input,
              const View& output);
void max_pool_backward(const Run& run, Blocks part, const Window& window, const View& input,
                       const View& gradient, bool accumulate, const View& to);
void average_pool(const Run& run, Blocks part, const Window& window, const View& input,
                  const View& output);
/// A global pooling is an average pooling with this window.
inline Window whole(const Shape& input) { return {input.height, input.width, 1, 0}; }
void average_pool_backward(const Run& run, Blocks part, const Window& window, const View& gradient,
                           bool accumulate, const View& to);

/// Of planes whose rows lie side by side, one row.
Plane flat_plane(const Layout& layout, Stripe rows);

void gelu(const Run& run, Blocks part, Stripe stripe, const View& input, const View& output);
void gelu_backward(const Run& run, Blocks part, Stripe stripe, const View& input,
                   const View& gradient, bool accumulate, const View& to);

/// Every sample by its factor, [blocks]: what a drop_path node does in both directions.
void scale_samples(Blocks part, Stripe stripe, std::span<const Position> factors, const View& from,
                   bool accumulate, const View& to);

/// A layer normalisation: what is trained of it, and [blocks][2][positions], the mean and the slope
/// of every position, which the backward pass and a normalisation made again read.
struct LayerNormState {
  std::span<const float> scale;
  std::span<const float> shift;
  std::span<Position> moments;
};
void layer_moments(const Run& run, Blocks part, Stripe stripe, const LayerNormState& norm,
                   const View& input);
void layer_normalise(const Run& run, Blocks part, Stripe stripe, const LayerNormState& norm,
                     const View& input, const View& output);
/// Adds the gradients of shift and scale to `sums`, [channels][2], lane by lane.
void layer_norm_backward(const Run& run, Blocks part, Stripe stripe, const LayerNormState& norm,
                         const View& input, const View& gradient, bool accumulate, const View& to,
                         std::span<Position> sums);

/// An image as tokens behind a class token, [channels]; to all of them the position table,
/// [channels][tokens], is added.
void make_tokens(const Run& run, Blocks part, std::span<const float> class_token,
                 std::span<const float> positions, const View& input, const View& output);
void make_tokens_backward(const Run& run, Blocks part, const View& gradient, bool accumulate,
                          const View& to);
/// Adds the gradient of the position table, whose first column is that of the class token too.
void position_gradient(const Run& run, Blocks part, const View& gradient, std::span<float> sums);

void first_token(Blocks part, const View& input, const View& output);
void first_token_backward(const Run& run, Blocks part, const View& gradient, bool accumulate,
                          const View& to);

/// Attention by `heads` heads of equal width. Tokens that look at all others are taken some at a
/// time, so that their scores stay in a second cache; the backward pass computes them again.
/// `room`: as many positions as attention_room() says.
struct AttentionInputs {
  View query;
  View key;
  View value;
};
std::int64_t attention_room(std::int64_t tokens);
void attention(const Run& run, Blocks part, std::int64_t heads, const AttentionInputs& inputs,
               std::span<Position> room, const View& output);
/// Adds to the gradients of the inputs, which may be one tensor.
void attention_backward(const Run& run, Blocks part, std::int64_t heads,
                        const AttentionInputs& inputs, const View& gradient,
                        std::span<Position> room, const AttentionInputs& to);
/// Zero in all channels and rows.
void clear(Blocks part, const View& tensor);

/// [channels][height][width] to features and back.
void flatten(const Run& run, Blocks part, const View& input, const View& output);
void flatten_backward(const Run& run, Blocks part, const View& gradient, bool accumulate,
                      const View& to);

}  // namespace gcg::sparse
