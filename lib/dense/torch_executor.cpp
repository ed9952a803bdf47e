#include "dense/torch_executor.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/InferenceMode.h>
#include <malloc.h>

#include <algorithm>
#include <limits>
#include <string>

#include "backend/backends.h"
#include "backend/check_batch.h"
#include "backend/softmax_loss.h"
#include "dense/torch_network.h"
#include "dense/transfer.h"

namespace gcg {

namespace {

/// Loss and optimiser run on the host, on plain memory: what sparse execution calls too.
class TorchExecutor final : public Executor {
 public:
  TorchExecutor(const Network& network, std::int64_t threads, ChannelOrder order,
                const at::Device& device)
      : torch_(find_backend("dense"), network, threads, order, device, Precision::fp32) {}

  const Network& network() const override { return torch_.network(); }
  void write(const TrainingState& state) override { torch_.write(state); }
  TrainingState read() const override { return torch_.read(); }
  BatchSums forward_backward(const Batch& batch) override;
  void step(const OptimiserStep& step) override;
  BatchSums evaluate(const Batch& batch, const PerSample& each) override;
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override;
  Parameters gradients() const override { return torch_.gradients(); }
  void join(Ranks& ranks, bool sync_norms) override { torch_.join(ranks, sync_norms); }

 private:
  struct Differentiated {
    BatchSums sums;
    std::vector<at::Tensor> gradients;
  };
  Differentiated differentiate(const Batch& batch, Mode mode) const;

  TorchNetwork torch_;
};

TorchExecutor::Differentiated TorchExecutor::differentiate(const Batch& batch, Mode mode) const {
  const at::Tensor logits =
      torch_.forward(torch_.images(batch), mode, batch.of, torch_.branch_factors(batch));
  const at::Tensor on_host = logits.detach().to(at::kCPU);
  const at::Tensor logit_gradient = at::empty_like(on_host, at::kFloat);
  Differentiated result;
  result.sums = softmax_loss(host_memory(on_host), training_targets(batch),
                             host_memory(logit_gradient), {}, batch.of);
  result.gradients = torch_.differentiate(logits, logit_gradient.to(torch_.device()));
  if (batch.of > 0) {
    const auto samples = static_cast<double>(batch.size());
    torch_.add_shares(result.gradients, samples / static_cast<double>(batch.of), mode);
    sum(*torch_.ranks(), {&result.sums, 1});
  }
  return result;
}

BatchSums TorchExecutor::forward_backward(const Batch& batch) {
  torch_.prepare("forward_backward", batch, Mode::training);
  Differentiated result = differentiate(batch, Mode::training);
  torch_.keep(torch_.masked(std::move(result.gradients)));
  return result.sums;
}

std::vector<std::vector<float>> TorchExecutor::dense_gradients(const Batch& batch) {
  torch_.prepare("dense_gradients", batch, Mode::pure_training);
  return torch_.of_weights(differentiate(batch, Mode::pure_training).gradients);
}

BatchSums TorchExecutor::evaluate(const Batch& batch, const PerSample& each) {
  torch_.prepare("evaluate", batch, Mode::evaluation);
  check_room(network(), "evaluate", batch, each);
  const c10::InferenceMode no_autograd;
  const at::Tensor logits = torch_.forward(torch_.images(batch), Mode::evaluation).to(at::kCPU);
  return softmax_loss(host_memory(logits), {batch.labels}, {}, each);
}

void TorchExecutor::step(const OptimiserStep& step) {
  torch_.begin_step(step);
  for (const Trained& trained : torch_.trained()) {
    ArrayUpdate update{trained.kind,
                       host_memory(trained.value),
                       host_memory(trained.gradient),
                       {},
                       torch_.updates()};
    std::ranges::transform(trained.slots, update.slots.begin(), host_memory);
    step.optimiser->update(step, update);
  }
}

}  // namespace

std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads,
                                              const std::string& device) {
  return make_torch_executor(network, threads, usual_order(network), device);
}

std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads,
                                              ChannelOrder order, const std::string& device) {
  keep_freed_memory();
  return std::make_unique<TorchExecutor>(network, threads, order, at::Device(device));
}

void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

}  // namespace gcg
