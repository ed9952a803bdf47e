#pragma once

#include <cstdint>
#include <vector>

#include "sparse/layout.h"

namespace gcg::sparse {

// The inner loops. Every pointer is to floats of Positions, every offset and step counts floats. No
// kernel allocates, throws, or starts a thread. The order of additions of every result is part of a
// kernel's contract: it depends on shapes and structure alone, so that all kernels with a fused
// multiply-add give the same bits, whatever their vector width.

/// Positions of an output (or of a part of it) and the inputs that belong to them.
struct Grid {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t input_row = 0;
  std::int64_t input_column = 0;
  std::int64_t output_row = 0;
  std::int64_t output_column = 0;
};

/// Present weights by rows, and the inputs they multiply: `offset` from the position of the grid.
/// The taps of all rows are taken in `passes` runs, of row r in run p those from
/// cut[p * pitch + r] to cut[(p + 1) * pitch + r]: a run looks at few enough channels for their
/// part under a tile to stay in the first cache while row after row reads it. The order of the taps
/// of a row is the same for any number of runs.
struct Taps {
  const std::int32_t* cut = nullptr;
  std::int64_t rows = 0;
  std::int64_t pitch = 0;  ///< at least rows
  std::int64_t passes = 1;
  const std::int32_t* offset = nullptr;
  const float* value = nullptr;  ///< null where only offsets are asked for
};

/// Rows that have all their weights, `count` each, one behind the other: equal offsets for all.
struct AllTaps {
  std::int64_t rows = 0;
  std::int64_t count = 0;
  const std::int32_t* offset = nullptr;
  const float* value = nullptr;
};

/// What the sums of a gather start from.
struct GatherStart {
  bool accumulate = false;       ///< from what `output` holds
  const float* bias = nullptr;   ///< else from a value per row, if there are any; else from zero
  const float* lanes = nullptr;  ///< selects the lanes that get a bias
  bool fetch = false;            ///< `output` is not in the caches and worth asking for early
};

/// One channel of one block: `height` rows of `row` floats, `pitch` apart.
struct Plane {
  std::int64_t height = 0;
  std::int64_t row = 0;
  std::int64_t pitch = 0;
  std::int64_t next = 0;  ///< from a value to the same one of the next channel, to be fetched early
};

/// How a normalisation maps one channel: y = slope (x - mean) + shift.
struct ChannelNorm {
  float mean = 0;
  float slope = 0;
  float shift = 0;
};

/// How the gradient of a normalisation's output becomes that of its input:
/// slope g + centred (x - mean) + constant, in the lanes that hold samples.
struct ChannelNormGradient {
  ChannelNorm norm;
  bool relu = false;  ///< g only where slope (x - mean) + shift > 0
  float centred = 0;
  float constant = 0;
};

struct GradientSums {
  double gradient = 0;  ///< sum of g
  double centred = 0;   ///< sum of g (x - mean)
};

/// Where the results for two channels go: into planes of floats, or, if not null, into one of bf16.
struct TwoPlanes {
  float* even = nullptr;
  float* odd = nullptr;
  float* pairs = nullptr;
};

/// One channel of one block under a pooling.
struct PoolPlane {
  std::int64_t input_height = 0;
  std::int64_t input_width = 0;
  std::int64_t input_pitch = 0;
  std::int64_t output_height = 0;
  std::int64_t output_width = 0;
  std::int64_t output_pitch = 0;
  Window window;
};

/// Sums of products of positions, lane by lane: to[r][c] (+)= sum over k, in order, of
/// a[r][k] * b[c][k].
struct Products {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t depth = 0;
  std::int64_t a_row = 0;
  std::int64_t a_step = 0;
  std::int64_t b_row = 0;
  std::int64_t b_step = 0;
  std::int64_t to_row = 0;
  std::int64_t to_column = 0;
};

/// Positions side by side in every channel; channels are `plane` apart.
struct Columns {
  std::int64_t channels = 0;
  std::int64_t plane = 0;
  std::int64_t positions = 0;
};

/// A layer normalisation: y = scale (x - mean) slope + shift, scale and shift by channel, mean and
/// slope [positions][lanes].
struct LayerNorm {
  const float* scale = nullptr;
  const float* shift = nullptr;
  const float* mean = nullptr;
  const float* slope = nullptr;
};

/// The kernels of one instruction set. Lane selectors are 0 or all bits, one per lane.
struct Kernels {
  const char* name = nullptr;
  bool fused = false;  ///< a multiply-add rounds once: the same bits as every other fused one

  /// output[r][y][x] = start + sum over the taps of row r, in order, of value * input; rows of the
  /// output are `output_plane` apart. The sparse forward and input-gradient pass.
  void (*gather)(const Taps& taps, const Grid& grid, const float* input, const GatherStart& start,
                 std::int64_t output_plane, float* output) = nullptr;
  /// The same sums in the same order: where all inputs are finite, a weight of zero adds nothing.
  void (*gather_all)(const AllTaps& taps, const Grid& grid, const float* input,
                     const GatherStart& start, std::int64_t output_plane, float* output) = nullptr;
  /// lanes[t][l] += gradient[r][y][x][l] * input[offset[t] + y][x][l] for every tap t of row r, one
  /// position after the other in the order of rows and columns. `gradient` takes the output's steps
  /// of the grid, its rows are `gradient_plane` apart. The first tap of the first row has the first
  /// lanes. The sparse weight-gradient pass.
  void (*correlate)(const Taps& taps, const Grid& grid, const float* input, const float* gradient,
                    std::int64_t gradient_plane, float* lanes) = nullptr;
  void (*correlate_all)(const AllTaps& taps, const Grid& grid, const float* input,
                        const float* gradient, std::int64_t gradient_plane, float* lanes) = nullptr;
  /// sums[t] += the lanes of t, summed as a tree: l and l + 8, l and l + 4, l and l + 2, the rest.
  void (*add_lanes)(const float* lanes, std::int64_t count, float* sums) = nullptr;

  /// Sum of all values; of the squares of x - mean in the selected lanes. Rows are added in single
  /// precision by lane, lanes in double precision.
  double (*sum)(const Plane& plane, const float* x) = nullptr;
  double (*squares)(const Plane& plane, const float* x, float mean, const float* lanes) = nullptr;
  /// y = slope (x - mean) + shift (+ other if not null), then ReLU if asked for; zero in lanes that
  /// are not selected.
  void (*normalise)(const Plane& plane, const ChannelNorm& norm, const float* x, const float* other,
                    bool relu, const float* lanes, float* y) = nullptr;
  /// `output`, if not null, is the result of a ReLU: g becomes zero where it is not positive. Else
  /// the `relu` of the norm says whether there is one, g stays as it is.
  GradientSums (*norm_gradient_sums)(const Plane& plane, const ChannelNormGradient& norm,
                                     const float* x, const float* output, float* g) = nullptr;
  void (*norm_gradient)(const Plane& plane, const ChannelNormGradient& norm, const float* x,
                        const float* g, const float* lanes, bool accumulate, float* to) = nullptr;

  void (*relu)(const Plane& plane, const float* x, float* y) = nullptr;
  /// to (+)= g where y > 0. `to` may be g.
  void (*relu_gradient)(const Plane& plane, const float* y, const float* g, bool accumulate,
                        float* to) = nullptr;
  void (*add)(const Plane& plane, const float* a, const float* b, float* to) = nullptr;

  // Two channels in bf16, pair by pair: a float of a tensor in bf16 holds a value of the even
  // channel in its lower half and one of the odd channel in its upper half. All arithmetic is in
  // single precision, results are rounded to the nearest, ties to even. A last channel without a
  // partner is its own: `odd` is `even`, and what the upper halves hold means nothing.

  void (*expand_bf16)(const Plane& plane, const float* pairs, float* even, float* odd) = nullptr;
  void (*compress_bf16)(const Plane& plane, const float* even, const float* odd, bool accumulate,
                        float* pairs) = nullptr;
  /// As normalise, norm_gradient_sums, norm_gradient and add, with two norms and two sums; only
  /// results in bf16 can be added to what is there.
  void (*normalise_bf16)(const Plane& plane, const ChannelNorm* norms, const float* x,
                         const float* other, bool relu, const float* lanes,
                         const TwoPlanes& y) = nullptr;
  void (*norm_gradient_sums_bf16)(const Plane& plane, const ChannelNormGradient* norms,
                                  const float* x, const float* output, float* g,
                                  GradientSums* sums) = nullptr;
  void (*norm_gradient_bf16)(const Plane& plane, const ChannelNormGradient* norms, const float* x,
                             const float* g, const float* lanes, bool accumulate,
                             const TwoPlanes& to) = nullptr;
  void (*add_bf16)(const Plane& plane, const float* a, const float* b, float* to) = nullptr;

  // Tiles of 16 rows of 16 words of 32 bits, each a pair in bf16 or a number in single precision.

  /// Of two positions of a pair of channels: the words of each channel, with the first position in
  /// their lower halves and the second one in their upper halves.
  void (*pair_positions)(const float* first, const float* second, float* even,
                         float* odd) = nullptr;
  void (*transpose_tile)(const float* from, float* to) = nullptr;
  /// c[m][n] += sum over k < depth of the products of both halves of a[m][k] and b[k][n], as the
  /// instruction TDPBF16PS does it: lower and upper halves are summed apart from zero on in the
  /// order of k by fused multiply-adds, the second sum is added to the first, the total to c. What
  /// is read or made below the normal numbers is a zero of its sign.
  void (*multiply_tiles)(std::int64_t depth, const float* a, const float* b, float* c) = nullptr;

  /// The first of the largest values of each window; a NaN wins.
  void (*max_pool)(const PoolPlane& plane, const float* x, float* y) = nullptr;
  void (*max_pool_gradient)(const PoolPlane& plane, const float* x, const float* g,
                            float* to) = nullptr;  ///< adds to `to`
  /// Sum over the window divided by its size.
  void (*average_pool)(const PoolPlane& plane, const float* x, float* y) = nullptr;
  void (*average_pool_gradient)(const PoolPlane& plane, const float* g,
                                float* to) = nullptr;  ///< adds to `to`

  void (*multiply)(const Products& of, const float* a, const float* b, bool accumulate,
                   float* to) = nullptr;
  /// x[row][i] becomes e^(scale x[row][i]) over the sum of these of its row, lane by lane;
  /// scale > 0. Exponentials as exponential.h says, sums in four parts.
  void (*softmax)(std::int64_t rows, std::int64_t count, float scale, float* x) = nullptr;
  /// With y what softmax made and g its gradient: g becomes the gradient of x.
  void (*softmax_gradient)(std::int64_t rows, std::int64_t count, float scale, const float* y,
                           float* g) = nullptr;
  /// x times the normal distribution function of x (see exponential.h), and its derivative times g,
  /// written or added to `to`, which may be g.
  void (*gelu)(const Plane& plane, const float* x, float* y) = nullptr;
  void (*gelu_gradient)(const Plane& plane, const float* x, const float* g, bool accumulate,
                        float* to) = nullptr;
  /// Mean over the channels, and 1 / sqrt(biased variance + epsilon), of every position and lane.
  void (*layer_moments)(const Columns& of, float epsilon, const float* x, float* mean,
                        float* slope) = nullptr;
  /// Zero in lanes that are not selected.
  void (*layer_normalise)(const Columns& of, const LayerNorm& norm, const float* x,
                          const float* lanes, float* y) = nullptr;
  /// The gradient of x, written or added to `to`, which may be g; to sums[channels][2] it adds
  /// those of shift and scale, lane by lane.
  void (*layer_norm_gradient)(const Columns& of, const LayerNorm& norm, const float* x,
                              const float* g, bool accumulate, float* to, float* sums) = nullptr;
};

/// Plain C++, one number after the other: what the others are held against.
const Kernels& reference_kernels();

/// Every instruction set this processor has, the fastest first; the reference is not among them.
std::vector<const Kernels*> vector_kernels();

/// What executors use: the first of vector_kernels(), the reference where there is none.
const Kernels& fastest_kernels();

}  // namespace gcg::sparse
