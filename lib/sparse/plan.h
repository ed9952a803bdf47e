#pragma once

#include <cstdint>
#include <vector>

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
  std::int32_t node = 0;    ///< what is computed; of fused nodes the normalisation
  std::int32_t input = 0;   ///< first input of `node`
  std::int32_t other = -1;  ///< second input of an addition, alone or fused; -1: none
  bool relu = false;        ///< a fused ReLU ends the instruction
  std::int32_t output = 0;  ///< the node whose value results
  bool backward = false;    ///< something before or in it is trained
  /// In this order: first the other input gets its share, then the first.
  Contribution to_other = Contribution::none;
  Contribution to_input = Contribution::none;
};

/// A normalisation needs sums over the batch between the halves of its backward pass.
enum class Part : std::uint8_t { whole, first_half, second_half };

struct Step {
  std::int32_t instruction = 0;
  Part part = Part::whole;
  bool operator==(const Step&) const = default;
};

/// Steps that a block can be taken through without a look at the others.
struct Segment {
  std::vector<Step> steps;
  bool vectors = false;  ///< all tensors have one position: many blocks at once are faster
};

/// The order in which a network is run, its input left out, and where every tensor lies.
struct Plan {
  std::vector<Instruction> instructions;
  std::vector<Segment> forward;        ///< a normalisation's input is of an earlier segment
  std::vector<Segment> backward;       ///< weight gradients come after the segment of their layer
  std::vector<bool> normalised;        ///< per node: a normalisation reads it
  std::vector<Layout> layouts;         ///< per node
  std::vector<std::int32_t> value;     ///< per node: the buffer of its value, or -1
  std::vector<std::int32_t> gradient;  ///< per node: the buffer of its gradient, or -1
  std::vector<Layout> buffers;         ///< the layout of every buffer
};

/// Values get a buffer each (the backward pass reads them); gradients share buffers of equal shape,
/// each used again by the segments behind its last reader.
Plan make_plan(const Network& network);

}  // namespace gcg::sparse
