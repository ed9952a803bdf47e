#include "train/cost.h"

namespace gcg {

namespace {

double sparse_forward(const Network& network, const Mask& mask) {
  return forward_flops(network, mask.counts());
}

double dense_forward(const Network& network) {
  return forward_flops(network, layer_sizes(network));
}

}  // namespace

double training_flops(const Network& network, const Mask& mask, std::int64_t samples) {
  return 3 * sparse_forward(network, mask) * static_cast<double>(samples);
}

double dense_gradient_flops(const Network& network, const Mask& mask, std::int64_t samples) {
  return (2 * sparse_forward(network, mask) + dense_forward(network)) *
         static_cast<double>(samples);
}

double recorded_flops(const CostRecord& cost) {
  return cost.training_flops + cost.scoring_flops + cost.dense_gradient_flops;
}

double recorded_seconds(const CostRecord& cost) {
  return cost.train_seconds + cost.evaluate_seconds + cost.grow_seconds + cost.statistics_seconds +
         cost.record_seconds;
}

}  // namespace gcg
