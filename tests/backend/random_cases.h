#pragma once

#include <cstdint>
#include <vector>

#include "backend/executor.h"
#include "graph/network.h"

namespace gcg {

/// Small networks that together hold every operation in every combination an executor may trip
/// over: strides, paddings and kernels that do not fit evenly, branches that join, tensors with
/// several readers, vectors with normalisation, outputs of every kind; and small versions of the
/// real networks.
std::vector<Network> small_networks();

/// The same with the operations of transformers.
std::vector<Network> small_transformers();

/// All of them.
std::vector<Network> all_small_networks();

/// A state with nothing at its default: about `density` of the connections present, scales around
/// 1, random shifts, biases, running statistics and momentum of SGD.
TrainingState random_state(const Network& network, double density, std::uint64_t seed);

/// A step of SGD; one of any optimiser, its options at their defaults.
OptimiserStep sgd_step(double learning_rate = 0.1, double momentum = 0.9, bool nesterov = true,
                       double weight_decay = 1e-4);
OptimiserStep default_step(std::string_view optimiser, double learning_rate = 0.01);

/// A small network in which an operation has an input and a trained layer before it.
Network network_with(Operation operation);

/// Every operation there is.
std::vector<Operation> all_operations();

/// A batch that owns its memory: images standard normal, labels uniform.
struct OwnedBatch {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  double label_smoothing = 0;
  std::vector<std::int32_t> second_labels{};
  double second_share = 0;
  std::vector<float> branch_factors{};
  operator Batch() const {
    Batch batch{images, labels};
    batch.label_smoothing = label_smoothing;
    batch.second_labels = second_labels;
    batch.second_share = second_share;
    batch.branch_factors = branch_factors;
    return batch;
  }
};
OwnedBatch random_batch(const Network& network, std::int64_t samples, std::uint64_t seed);

/// The same images and labels with all that training may do to a batch: smoothed labels, second
/// ones, branches that are dropped in a third of the samples.
OwnedBatch soft_batch(const Network& network, std::int64_t samples, std::uint64_t seed);

/// Whether a batch of that size gives every normalisation of the network two values or more.
bool has_variance(const Network& network, std::int64_t samples);

}  // namespace gcg
