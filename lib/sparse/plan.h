#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "backend/precision.h"
#include "graph/network.h"
#include "sparse/layout.h"

namespace gcg::sparse {

/// What the backward half of an instruction does to the gradient of one of its inputs.
enum class Contribution : std::uint8_t {
  none,        ///< nobody needs it
  write,       ///< the first one
  accumulate,  ///< adds to what later nodes left
  in_place,    ///< the first one, in the memory of the output's gradient
};

/// A node, or a normalisation together with the ReLU behind it or the addition and the ReLU behind
/// it. Numbers are indexes of nodes.
struct Instruction {
  std::int32_t node = 0;   ///< what is computed; of fused nodes the normalisation
  std::int32_t input = 0;  ///< first input of `node`
  /// Second input of an addition, alone or fused, or of an attention; -1: none.
  std::int32_t other = -1;
  bool relu = false;        ///< a fused ReLU ends the instruction
  std::int32_t output = 0;  ///< the node whose value results
  bool backward = false;    ///< something before or in it is trained
  std::int32_t third = -1;  ///< third input, of an attention
  /// In this order: first the third input gets its share, then the other, then the first.
  Contribution to_third = Contribution::none;
  Contribution to_other = Contribution::none;
  Contribution to_input = Contribution::none;
  bool operator==(const Instruction&) const = default;
};

/// A network's instructions in the order in which they are run, the input left out; the backward
/// half is not planned yet. Nodes are fused where nothing else reads the values in between. A fused
/// node stands where its last one stood: all it reads is there by then. Where both inputs of an
/// addition are normalisations, the later one takes it up.
std::vector<Instruction> fuse(const Network& network);

/// Whether an instruction works on every token by itself.
bool by_token(const Network& network, const Instruction& instruction);

/// What a step does of its instruction.
enum class Part : std::uint8_t {
  forward,
  backward,     ///< the gradients of its inputs
  weights,      ///< the weight gradient, block by block
  again,        ///< forward once more: its value was not kept
  first_half,   ///< a normalisation needs sums over the batch
  second_half,  ///< between the halves of its backward pass
};

struct Step {
  std::int32_t instruction = 0;
  Part part = Part::forward;
  bool operator==(const Step&) const = default;
};

/// Rows of the planes that an operation writes, or, of a sum, that it adds up.
struct Stripe {
  std::int64_t top = 0;
  std::int64_t bottom = 0;
  [[nodiscard]] std::int64_t height() const { return bottom - top; }
  bool operator==(const Stripe&) const = default;
};

/// Steps that a block can be taken through without a look at the others, stripe by stripe: as many
/// rows at a time as a second cache holds of a few tensors.
struct Segment {
  std::vector<Step> steps;
  bool vectors = false;  ///< all tensors have one position: many blocks at once are faster
  std::vector<std::vector<Stripe>> stripes;  ///< [stripes][steps]
};

/// Where a tensor lies: in a buffer for the whole batch, or, if no other segment reads it, in room
/// for one block that every thread has for itself and that stays in its cache.
struct Room {
  enum class Kind : std::uint8_t { none, batch, block };
  Kind kind = Kind::none;
  std::int32_t index = -1;
  bool operator==(const Room&) const = default;
};

/// A value or a gradient of a node.
struct TensorId {
  std::int32_t node = -1;
  bool gradient = false;
  auto operator<=>(const TensorId&) const = default;
};

/// A tensor of the batch.
struct Buffer {
  Layout layout;
  bool bf16 = false;
  [[nodiscard]] std::int64_t block() const { return bf16 ? layout.pair_block() : layout.block(); }
  bool operator==(const Buffer&) const = default;
};

/// The order in which a network is run, its input left out, and where every tensor lies.
///
/// Time goes into moving tensors before anything else, so few are kept. Of a convolution and the
/// normalisation and ReLU behind it only what the convolution made is: the normalised values are
/// made block by block where the next convolution reads them, and once more where its weight
/// gradient does; the gradient of the convolution's output lives only between the normalisation's
/// backward pass and the convolution's.
struct Plan {
  std::vector<Instruction> instructions;
  std::vector<Segment> forward;  ///< a normalisation's input is of an earlier segment
  std::vector<Segment> backward;
  std::vector<bool> normalised;             ///< per node: a normalisation reads it
  std::vector<std::int64_t> value_stripes;  ///< per node: stripes in which its value is made
  std::vector<std::int64_t> sum_stripes;    ///< per normalisation: those of its gradient's sums
  std::vector<bool> weights_by_block;  ///< per layer: else the weight gradient follows its segment
  std::vector<bool> takes_tiles;       ///< per layer: a convolution between tensors in bf16
  std::vector<Layout> layouts;         ///< per node
  std::vector<Room> value;             ///< per node
  std::vector<Room> gradient;          ///< per node
  /// Per node, where a block of its value or gradient is expanded if it is kept in bf16 and a step
  /// reads it in single precision.
  std::vector<Room> expanded_value;
  std::vector<Room> expanded_gradient;
  std::vector<Buffer> buffers;
  /// Positions of a block of the largest tensor in bf16 that is expanded for the whole batch: there
  /// is room for two such.
  std::int64_t whole = 0;
  std::vector<Layout> blocks;  ///< the layout of the room of a thread
};

/// Values get a buffer each (the backward pass reads them); gradients share buffers of equal shape,
/// each used again by the steps behind its last reader.
///
/// In bf16 what is kept for the batch is, but for the images and for vectors.
Plan make_plan(const Network& network, Precision precision);

/// Of the tensors of a batch.
std::int64_t batch_bytes(const Plan& plan, std::int64_t samples);

}  // namespace gcg::sparse
