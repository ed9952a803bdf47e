#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "backend/state.h"
#include "graph/network.h"
#include "record/network_file.h"

namespace gcg {

/// A network's values and masks as the content of an .npz file, with names as in PyTorch:
/// LAYER.weight and LAYER.mask (Boolean), [outputs, inputs, height, width] or, for linear layers,
/// [outputs, inputs]; LAYER.bias if there is one; NORM.weight, NORM.bias, NORM.running_mean,
/// NORM.running_var (batch norm); for transformers TOKENS.class_token [channels] and
/// TOKENS.positions [channels, tokens]; and the layer graph as network.json, which says which run
/// and stage it is from. The network must have its nodes (parse_network).
std::vector<std::byte> export_content(const Network& network, const TrainingState& state,
                                      const NetworkOrigin& origin = {});

/// Reads the mask from such a file, or from any .npz file with an array LAYER.mask of zeros and
/// ones (Boolean or unsigned bytes) for every layer; other arrays are ignored. Errors name file and
/// layer: a missing layer, one that the network lacks, another shape, another value.
Mask read_npz_mask(const std::filesystem::path& path, const Network& network);

}  // namespace gcg
