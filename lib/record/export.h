#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "backend/state.h"
#include "graph/network.h"
#include "record/network_file.h"

namespace gcg {

/// A network's values and masks as the content of an .npz file, under the names that PyTorch gives
/// them: LAYER.weight and LAYER.mask (Boolean), [outputs, inputs, height, width] or, for a linear
/// layer, [outputs, inputs]; LAYER.bias where there is one; NORM.weight, NORM.bias,
/// NORM.running_mean, NORM.running_var (batch norm); TOKENS.class_token [channels] and
/// TOKENS.positions [channels, tokens] of a transformer; and the layer graph as network.json. The
/// network must have its nodes (parse_network). network.json says of which run and stage it is.
std::vector<std::byte> export_content(const Network& network, const TrainingState& state,
                                      const NetworkOrigin& origin = {});

/// The mask in such a file, or in any .npz file with an array LAYER.mask of zeros and ones (Boolean
/// or unsigned bytes) for every layer; other arrays are passed over. Errors name file and layer: a
/// missing layer, one the network does not have, another shape, another value.
Mask read_npz_mask(const std::filesystem::path& path, const Network& network);

}  // namespace gcg
