#include "device/device_executor.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <optional>
#include <vector>

#include "backend/backends.h"
#include "backend/check_batch.h"
#include "dense/torch_executor.h"
#include "dense/torch_network.h"
#include "dense/transfer.h"
#include "device/failures.h"
#include "device/held_images.h"
#include "device/loss.h"
#include "device/optimisers.h"

namespace gcg {

namespace {

class DeviceExecutor final : public Executor {
 public:
  DeviceExecutor(const Network& network, std::int64_t threads, const DeviceSettings& settings)
      : torch_(find_backend("device"), network, threads, usual_order(network),
               at::Device(settings.device), settings.precision) {}

  const Network& network() const override { return torch_.network(); }
  void write(const TrainingState& state) override { torch_.write(state); }
  TrainingState read() const override { return torch_.read(); }
  Parameters gradients() const override { return torch_.gradients(); }
  BatchSums forward_backward(const Batch& batch) override;
  std::span<const BatchSums> queue(const Batch& batch) override;
  std::span<const BatchSums> settle() override;
  void step(const OptimiserStep& step) override;
  BatchSums evaluate(const Batch& batch, const PerSample& each) override;
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override;
  bool hold(const RawImages& images) override;
  void join(Ranks& ranks, bool sync_norms) override { torch_.join(ranks, sync_norms); }

 private:
  /// Sums of a batch that lie on the device.
  struct Queued {
    at::Tensor sums;  ///< [2] double: loss and hits
    std::int64_t samples = 0;
    bool share = false;  ///< of a batch
  };

  [[nodiscard]] std::vector<BatchSums> tell(const std::vector<Queued>& queued) const;
  /// Calls f(); what LibTorch throws is explained.
  template <typename F>
  auto run(std::string_view call, const Batch& batch, F f);
  bool fits(std::int64_t samples);
  [[nodiscard]] at::Tensor images(const Batch& batch) const;
  [[nodiscard]] at::Tensor labels(const Batch& batch) const;
  std::vector<at::Tensor> differentiate(const Batch& batch, Mode mode, at::Tensor* sums);
  Queued train(std::string_view call, const Batch& batch);

  TorchNetwork torch_;
  std::optional<HeldImages> held_;
  std::vector<Queued> queued_;
  std::vector<BatchSums> told_;
};

template <typename F>
auto DeviceExecutor::run(std::string_view call, const Batch& batch, F f) {
  try {
    return f();
  } catch (const c10::Error& error) {
    throw explain_failure(fmt::format("{}: {}", network().name, call),
                          error.what_without_backtrace(), batch.size(),
                          [this](std::int64_t samples) { return fits(samples); });
  }
}

/// Whether a step of so many samples has room, tried with black images; changes nothing.
bool DeviceExecutor::fits(std::int64_t samples) {
  try {
    const Shape& shape = network().input_shape();
    const auto options = at::TensorOptions(torch_.device());
    const at::Tensor black =
        at::zeros({samples, shape.channels, shape.height, shape.width}, options.dtype(at::kFloat))
            .contiguous(torch_.format());
    const at::Tensor logits = torch_.forward(black, Mode::pure_training);
    const at::Tensor first = at::zeros({samples}, options.dtype(at::kLong));
    (void)torch_.differentiate(logits, device_loss(logits.detach(), first).gradient);
    return true;
  } catch (const c10::Error&) {
    return false;
  }
}

at::Tensor DeviceExecutor::images(const Batch& batch) const {
  return batch.placements.empty() ? torch_.images(batch)
                                  : held_->batch(batch.placements, torch_.format());
}

at::Tensor DeviceExecutor::labels(const Batch& batch) const {
  const std::vector<std::int64_t> wide(batch.labels.begin(), batch.labels.end());
  return to_device(wide, {batch.size()}, torch_.device()).clone();
}

std::vector<at::Tensor> DeviceExecutor::differentiate(const Batch& batch, Mode mode,
                                                      at::Tensor* sums) {
  const at::Tensor logits = torch_.forward(images(batch), mode, batch.of);
  const at::Tensor targets = labels(batch);
  const DeviceLoss loss = device_loss(logits.detach(), targets, batch.of);
  if (sums != nullptr) {
    *sums = at::stack({loss.losses.sum(), loss.classes.eq(targets).sum().to(at::kDouble)});
  }
  std::vector<at::Tensor> gradients = torch_.differentiate(logits, loss.gradient);
  if (batch.of > 0) {
    torch_.add_shares(gradients, batch, mode);
  }
  return gradients;
}

DeviceExecutor::Queued DeviceExecutor::train(std::string_view call, const Batch& batch) {
  torch_.prepare(call, batch, Mode::training, held_.has_value());
  return run(call, batch, [&] {
    Queued queued{{}, batch.size(), batch.of > 0};
    torch_.keep(differentiate(batch, Mode::training, &queued.sums));
    return queued;
  });
}

/// The sums of these batches in their order: waits for the device once.
std::vector<BatchSums> DeviceExecutor::tell(const std::vector<Queued>& queued) const {
  std::vector<at::Tensor> all;
  for (const Queued& one : queued) {
    all.push_back(one.sums);
  }
  const std::vector<double> numbers = plain_doubles(at::stack(all));
  std::vector<BatchSums> sums;
  std::vector<BatchSums> shares;
  for (std::size_t i = 0; i < queued.size(); ++i) {
    sums.push_back(
        {numbers[2 * i], static_cast<std::int64_t>(numbers[2 * i + 1]), queued[i].samples});
    if (queued[i].share) {
      shares.push_back(sums.back());
    }
  }
  if (!shares.empty()) {
    sum(*torch_.ranks(), shares);
    for (std::size_t i = queued.size(); i-- > 0;) {
      if (queued[i].share) {
        sums[i] = shares.back();
        shares.pop_back();
      }
    }
  }
  return sums;
}

BatchSums DeviceExecutor::forward_backward(const Batch& batch) {
  return tell({train("forward_backward", batch)}).front();
}

std::span<const BatchSums> DeviceExecutor::queue(const Batch& batch) {
  queued_.push_back(train("queue", batch));
  return queued_.size() < kQueuedSteps ? std::span<const BatchSums>() : settle();
}

std::span<const BatchSums> DeviceExecutor::settle() {
  told_.clear();
  if (!queued_.empty()) {
    told_ = tell(queued_);
    queued_.clear();
  }
  return told_;
}

void DeviceExecutor::step(const OptimiserStep& step) {
  torch_.begin_step(step);
  update_on_device(step, torch_.updates(), torch_.trained());
}

BatchSums DeviceExecutor::evaluate(const Batch& batch, const PerSample& each) {
  torch_.prepare("evaluate", batch, Mode::evaluation, held_.has_value());
  check_room(network(), "evaluate", batch, each);
  return run("evaluate", batch, [&] {
    const c10::InferenceMode no_autograd;
    const DeviceLoss loss =
        device_loss(torch_.forward(images(batch), Mode::evaluation), labels(batch));
    const std::vector<double> numbers =
        plain_doubles(at::stack({loss.losses, loss.classes.to(at::kDouble)}));
    BatchSums sums;
    sums.samples = batch.size();
    for (std::size_t s = 0; s < batch.labels.size(); ++s) {
      const double sample_loss = numbers[s];
      const auto predicted = static_cast<std::int32_t>(numbers[batch.labels.size() + s]);
      sums.loss += sample_loss;
      sums.correct += predicted == batch.labels[s] ? 1 : 0;
      if (!each.losses.empty()) {
        each.losses[s] = static_cast<float>(sample_loss);
      }
      if (!each.classes.empty()) {
        each.classes[s] = predicted;
      }
    }
    return sums;
  });
}

std::vector<std::vector<float>> DeviceExecutor::dense_gradients(const Batch& batch) {
  torch_.prepare("dense_gradients", batch, Mode::pure_training, held_.has_value());
  return run("dense_gradients", batch,
             [&] { return torch_.of_weights(differentiate(batch, Mode::pure_training, nullptr)); });
}

bool DeviceExecutor::hold(const RawImages& images) {
  held_.reset();
  if (std::ssize(images.pixels) > kMostHeldBytes) {
    return false;
  }
  try {
    held_.emplace(images, torch_.device());
    return true;
  } catch (const c10::Error&) {
    return false;  // no room: batches come in plain memory, with the same values
  }
}

}  // namespace

std::unique_ptr<Executor> make_device_executor(const Network& network, std::int64_t threads,
                                               const DeviceSettings& settings) {
  open_device(settings);
  keep_freed_memory();
  return std::make_unique<DeviceExecutor>(network, threads, settings);
}

}  // namespace gcg
