#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// One call of the executor: a node, or a normalisation together with the addition and the ReLU
/// behind it. Numbers are indexes of nodes.
struct Instruction {
  std::int32_t node = 0;    ///< what is computed; of fused nodes the normalisation
  std::int32_t input = 0;   ///< first input of `node`
  std::int32_t other = -1;  ///< second input of an addition, alone or fused; -1 if there is none.
                            ///< Attention has its three inputs in its node
  bool relu = false;        ///< a fused ReLU ends the instruction
  std::int32_t output = 0;  ///< the node whose value results
  bool in_place =
      false;  ///< may overwrite `input`: no other instruction and no derivative needs it
  std::vector<std::int32_t> last_reads;  ///< values that nobody reads after this instruction
  bool operator==(const Instruction&) const = default;
};

/// The order in which a network is run, its input left out. A normalisation takes up the ReLU
/// behind it, or the addition and the ReLU behind that, where nothing else reads the values in
/// between.
std::vector<Instruction> make_plan(const Network& network);

}  // namespace gcg
