#include "device/device_executor.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
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
#include "device/step_graph.h"

namespace gcg {

namespace {

/// That an optimiser has.
std::size_t most_slots() {
  const auto count = [](const Optimiser& optimiser) { return optimiser.slots.size(); };
  return count(std::ranges::max(optimiser_table(), {}, count));
}

/// Calls f(); what LibTorch throws in it is explained: explain_failure, where `fewer_fit` may be
/// empty.
template <typename F>
auto explained(const Network& network, std::string_view call, std::int64_t samples,
               const std::function<bool(std::int64_t)>& fewer_fit, F f) {
  try {
    return f();
  } catch (const c10::Error& error) {
    throw explain_failure(fmt::format("{}: {}", network.name, call), error.what_without_backtrace(),
                          samples, fewer_fit);
  }
}

/// What a pass takes of a batch beside its images.
struct Given {
  DeviceTargets targets;
  at::Tensor factors;   ///< of branches; undefined: none
  std::int64_t of = 0;  ///< Batch::of
};

/// Whether a pass that was recorded for the one serves the other as well.
bool are_alike(const Given& a, const Given& b) {
  return a.targets.smoothing == b.targets.smoothing &&
         a.targets.second_labels.defined() == b.targets.second_labels.defined() &&
         a.factors.defined() == b.factors.defined();
}

/// `from` in memory of its own.
Given copied(const Given& from) {
  Given copy = from;
  for (at::Tensor* one : {&copy.targets.labels, &copy.targets.second_labels,
                          &copy.targets.second_share, &copy.factors}) {
    *one = one->defined() ? one->clone() : at::Tensor();
  }
  return copy;
}

/// `from` to where a recorded pass reads it.
void copy_to(const Given& to, const Given& from) {
  const auto copy = [](const at::Tensor& target, const at::Tensor& source) {
    if (target.defined()) {
      target.copy_(source, true);
    }
  };
  copy(to.targets.labels, from.targets.labels);
  copy(to.targets.second_labels, from.targets.second_labels);
  copy(to.targets.second_share, from.targets.second_share);
  copy(to.factors, from.factors);
}

/// The forward and backward pass of batches of one size, in memory of its own.
struct Pass {
  std::int64_t samples = 0;
  at::Tensor images;  ///< what it reads
  Given given;
  at::Tensor sums;                    ///< what it makes
  std::vector<at::Tensor> gradients;  ///< masked
  std::optional<StepGraph> graph;
};

class DeviceExecutor final : public Executor {
 public:
  DeviceExecutor(const Network& network, std::int64_t threads, const DeviceSettings& settings)
      : torch_(find_backend("device"), network, threads, usual_order(network),
               at::Device(settings.device), settings.precision),
        graphs_(settings.graphs) {}

  const Network& network() const override { return torch_.network(); }
  void write(const TrainingState& state) override;
  TrainingState read() const override {
    return explained(network(), "read", 0, {}, [&] { return torch_.read(); });
  }
  Parameters gradients() const override {
    return explained(network(), "gradients", 0, {}, [&] { return torch_.gradients(); });
  }
  BatchSums forward_backward(const Batch& batch) override;
  std::span<const BatchSums> queue(const Batch& batch) override;
  std::span<const BatchSums> settle() override;
  void step(const OptimiserStep& step) override;
  BatchSums evaluate(const Batch& batch, const PerSample& each) override;
  void queue_evaluation(const Batch& batch, const PerSample& each) override;
  std::vector<BatchSums> settle_evaluation() override;
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override;
  void average_gradients(const Batch& batch, float old) override;
  std::vector<std::vector<float>> gradient_average() const override;
  void set_gradient_average(const std::vector<std::vector<float>>& average) override;
  bool hold(const RawImages& images) override;
  bool takes_bytes() const override { return true; }
  void join(Ranks& ranks, bool sync_norms) override {
    explained(network(), "join", 0, {}, [&] { torch_.join(ranks, sync_norms); });
  }

 private:
  /// Sums of a batch that lie on the device.
  struct Queued {
    at::Tensor sums;  ///< [2] double: loss and hits
    std::int64_t samples = 0;
    bool share = false;  ///< of a batch
  };

  /// Of a batch that is evaluated: numbers that lie on the device, and what becomes of them.
  struct Evaluated {
    at::Tensor numbers;  ///< [2][samples] double: losses and classes
    std::vector<std::int32_t> labels;
    PerSample each;
  };

  [[nodiscard]] std::vector<BatchSums> tell(const std::vector<Queued>& queued) const;
  Evaluated begin_evaluation(const Batch& batch, const PerSample& each);
  std::vector<BatchSums> end_evaluations(const std::vector<Evaluated>& begun);
  void end_queued_evaluations();
  /// explained() for batches of so many samples. `chosen`: by --batch-size.
  template <typename F>
  auto run(std::string_view call, std::int64_t samples, F f, bool chosen = true);
  bool fits(std::int64_t samples);
  [[nodiscard]] bool has_images_of(const Batch& batch) const {
    return held_ || !batch.bytes.pixels.empty();
  }
  [[nodiscard]] at::Tensor images(const Batch& batch) const;
  [[nodiscard]] at::Tensor labels(std::span<const std::int32_t> labels) const;
  [[nodiscard]] Given given(const Batch& batch) const;
  std::vector<at::Tensor> differentiate(const at::Tensor& images, const Given& given, Mode mode,
                                        at::Tensor* sums);
  std::vector<at::Tensor> pure_gradients(const Batch& batch);
  Pass& pass_of(const at::Tensor& images, const Given& given);
  Queued train(std::string_view call, const Batch& batch);

  TorchNetwork torch_;
  std::optional<HeldImages> held_;
  bool graphs_;
  std::int64_t last_size_ = 0;  ///< of a batch that was trained
  std::int64_t same_size_ = 0;  ///< how many in a row had it
  std::optional<Pass> pass_;
  std::vector<at::Tensor> average_;        ///< of dense gradients, as the weights; empty: none
  std::size_t slot_count_ = most_slots();  ///< of the optimiser, once it has stepped
  std::vector<Queued> queued_;
  std::vector<BatchSums> told_;
  std::vector<Evaluated> evaluating_;
  std::vector<BatchSums> evaluated_;
};

template <typename F>
auto DeviceExecutor::run(std::string_view call, std::int64_t samples, F f, bool chosen) {
  std::function<bool(std::int64_t)> fewer_fit;
  if (chosen) {
    fewer_fit = [this](std::int64_t fewer) { return fits(fewer); };
  }
  return explained(network(), call, samples, fewer_fit, f);
}

/// Whether a step of so many samples has room, tried with black images; changes no state. Slots
/// that the first update will add count, the most that an optimiser has where it is not known yet.
bool DeviceExecutor::fits(std::int64_t samples) {
  try {
    pass_.reset();  // its memory
    std::vector<at::Tensor> slots;
    for (const Trained& one : torch_.trained()) {
      for (std::size_t i = one.slots.size(); i < slot_count_; ++i) {
        slots.push_back(at::zeros_like(one.value, at::kFloat));
      }
    }
    const Shape& shape = network().input_shape();
    const auto options = at::TensorOptions(torch_.device());
    const at::Tensor black =
        at::zeros({samples, shape.channels, shape.height, shape.width}, options.dtype(at::kFloat))
            .contiguous(torch_.format());
    const at::Tensor logits = torch_.forward(black, Mode::pure_training);
    const at::Tensor first = at::zeros({samples}, options.dtype(at::kLong));
    (void)torch_.masked(
        torch_.differentiate(logits, device_loss(logits.detach(), {first}).gradient));
    return true;
  } catch (const c10::Error&) {
    return false;
  }
}

at::Tensor DeviceExecutor::images(const Batch& batch) const {
  if (!batch.images.empty()) {
    return torch_.images(batch);
  }
  return place_images(
      batch.bytes.pixels.empty() ? *held_ : send_images(batch.bytes, torch_.device()),
      batch.placements, torch_.format());
}

at::Tensor DeviceExecutor::labels(std::span<const std::int32_t> labels) const {
  const std::vector<std::int64_t> wide(labels.begin(), labels.end());
  return to_device(wide, {std::ssize(wide)}, torch_.device()).clone();
}

Given DeviceExecutor::given(const Batch& batch) const {
  Given given{
      {labels(batch.labels), batch.label_smoothing}, torch_.branch_factors(batch), batch.of};
  if (!batch.second_labels.empty()) {
    given.targets.second_labels = labels(batch.second_labels);
    given.targets.second_share =
        at::full({}, batch.second_share, at::TensorOptions(torch_.device()).dtype(at::kDouble));
  }
  return given;
}

std::vector<at::Tensor> DeviceExecutor::differentiate(const at::Tensor& images, const Given& given,
                                                      Mode mode, at::Tensor* sums) {
  const at::Tensor logits = torch_.forward(images, mode, given.of, given.factors);
  const DeviceLoss loss = device_loss(logits.detach(), given.targets, given.of);
  if (sums != nullptr) {
    *sums =
        at::stack({loss.losses.sum(), loss.classes.eq(given.targets.labels).sum().to(at::kDouble)});
  }
  std::vector<at::Tensor> gradients = torch_.differentiate(logits, loss.gradient);
  if (given.of > 0) {
    const auto samples = static_cast<double>(images.size(0));
    torch_.add_shares(gradients, samples / static_cast<double>(given.of), mode);
  }
  return gradients;
}

DeviceExecutor::Queued DeviceExecutor::train(std::string_view call, const Batch& batch) {
  torch_.prepare(call, batch, Mode::training, has_images_of(batch));
  same_size_ = batch.size() == last_size_ ? same_size_ + 1 : 1;
  last_size_ = batch.size();
  return run(call, batch.size(), [&] {
    Queued queued{{}, batch.size(), batch.of > 0};
    const at::Tensor inputs = images(batch);
    const Given now = given(batch);
    const bool has_pass = pass_ && pass_->samples == batch.size() && are_alike(pass_->given, now);
    if (graphs_ && batch.of == 0 && (has_pass || same_size_ > kWarmUp)) {
      Pass& pass = pass_of(inputs, now);
      pass.images.copy_(inputs, true);
      copy_to(pass.given, now);
      pass.graph->replay();
      torch_.keep(pass.gradients);
      queued.sums = pass.sums.clone();  // the next batch's come to the same place
    } else {
      torch_.keep(torch_.masked(differentiate(inputs, now, Mode::training, &queued.sums)));
    }
    return queued;
  });
}

/// That of the size of these images and of what is given alike.
Pass& DeviceExecutor::pass_of(const at::Tensor& images, const Given& given) {
  if (!pass_ || pass_->samples != images.size(0) || !are_alike(pass_->given, given)) {
    pass_.reset();  // its memory first
    Pass& pass = pass_.emplace();
    pass.images = images.clone();
    pass.given = copied(given);
    pass.graph.emplace(torch_.device(), [this, &pass] {
      pass.gradients =
          torch_.masked(differentiate(pass.images, pass.given, Mode::training, &pass.sums));
    });
    pass.samples = images.size(0);
  }
  return *pass_;
}

std::vector<at::Tensor> DeviceExecutor::pure_gradients(const Batch& batch) {
  return differentiate(images(batch), given(batch), Mode::pure_training, nullptr);
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
  const Queued queued = train("forward_backward", batch);
  return run("forward_backward", batch.size(), [&] { return tell({queued}).front(); });
}

std::span<const BatchSums> DeviceExecutor::queue(const Batch& batch) {
  queued_.push_back(train("queue", batch));
  return queued_.size() < kQueuedSteps ? std::span<const BatchSums>() : settle();
}

std::span<const BatchSums> DeviceExecutor::settle() {
  told_.clear();
  if (!queued_.empty()) {
    told_ = run("settle", last_size_, [&] { return tell(queued_); });
    queued_.clear();
  }
  return told_;
}

void DeviceExecutor::write(const TrainingState& state) {
  run("write", last_size_, [&] { torch_.write(state); });
}

void DeviceExecutor::step(const OptimiserStep& step) {
  slot_count_ = step.optimiser->slots.size();
  run("step", last_size_, [&] {
    torch_.begin_step(step);
    update_on_device(step, torch_.updates(), torch_.trained());
  });
}

DeviceExecutor::Evaluated DeviceExecutor::begin_evaluation(const Batch& batch,
                                                           const PerSample& each) {
  torch_.prepare("evaluate", batch, Mode::evaluation, has_images_of(batch));
  check_room(network(), "evaluate", batch, each);
  const auto numbers = [&] {
    const c10::InferenceMode no_autograd;
    const DeviceLoss loss =
        device_loss(torch_.forward(images(batch), Mode::evaluation), {labels(batch.labels)});
    return at::stack({loss.losses, loss.classes.to(at::kDouble)});
  };
  return {run("evaluate", batch.size(), numbers, false),
          {batch.labels.begin(), batch.labels.end()},
          each};
}

/// The sums of these batches in their order, and what was asked for of each: waits for the device
/// once.
std::vector<BatchSums> DeviceExecutor::end_evaluations(const std::vector<Evaluated>& begun) {
  const auto all = [&] {
    const c10::InferenceMode no_autograd;
    std::vector<at::Tensor> flat;
    for (const Evaluated& one : begun) {
      flat.push_back(one.numbers.flatten());
    }
    return plain_doubles(at::cat(flat));
  };
  const std::vector<double> numbers = run("evaluate", std::ssize(begun.front().labels), all, false);
  std::vector<BatchSums> sums;
  std::size_t first = 0;  // of the batch's numbers
  for (const auto& [on_device, labels, each] : begun) {
    BatchSums& batch = sums.emplace_back();
    batch.samples = std::ssize(labels);
    for (std::size_t s = 0; s < labels.size(); ++s) {
      const double loss = numbers[first + s];
      const auto predicted = static_cast<std::int32_t>(numbers[first + labels.size() + s]);
      batch.loss += loss;
      batch.correct += predicted == labels[s] ? 1 : 0;
      if (!each.losses.empty()) {
        each.losses[s] = static_cast<float>(loss);
      }
      if (!each.classes.empty()) {
        each.classes[s] = predicted;
      }
    }
    first += 2 * labels.size();
  }
  return sums;
}

BatchSums DeviceExecutor::evaluate(const Batch& batch, const PerSample& each) {
  return end_evaluations({begin_evaluation(batch, each)}).front();
}

void DeviceExecutor::end_queued_evaluations() {
  if (!evaluating_.empty()) {
    const std::vector<BatchSums> sums = end_evaluations(std::exchange(evaluating_, {}));
    evaluated_.insert(evaluated_.end(), sums.begin(), sums.end());
  }
}

void DeviceExecutor::queue_evaluation(const Batch& batch, const PerSample& each) {
  evaluating_.push_back(begin_evaluation(batch, each));
  if (evaluating_.size() == kQueuedSteps) {
    end_queued_evaluations();
  }
}

std::vector<BatchSums> DeviceExecutor::settle_evaluation() {
  end_queued_evaluations();
  return std::exchange(evaluated_, {});
}

std::vector<std::vector<float>> DeviceExecutor::dense_gradients(const Batch& batch) {
  torch_.prepare("dense_gradients", batch, Mode::pure_training, has_images_of(batch));
  return run("dense_gradients", batch.size(),
             [&] { return torch_.of_weights(pure_gradients(batch)); });
}

void DeviceExecutor::average_gradients(const Batch& batch, float old) {
  torch_.prepare("average_gradients", batch, Mode::pure_training, has_images_of(batch));
  run("average_gradients", batch.size(), [&] {
    std::vector<at::Tensor> newest = pure_gradients(batch);
    newest.resize(network().layers.size());  // the weights come first
    if (average_.empty()) {
      for (const at::Tensor& layer : newest) {
        average_.push_back(at::zeros_like(layer, at::kFloat));
      }
    }
    // Each operation rounds, as on the host.
    at::_foreach_mul_(average_, old);
    at::_foreach_mul_(newest, 1 - old);
    at::_foreach_add_(average_, newest);
  });
}

std::vector<std::vector<float>> DeviceExecutor::gradient_average() const {
  return explained(network(), "gradient_average", 0, {}, [&] {
    return average_.empty() ? std::vector<std::vector<float>>() : torch_.of_weights(average_);
  });
}

void DeviceExecutor::set_gradient_average(const std::vector<std::vector<float>>& average) {
  average_.clear();
  run("set_gradient_average", last_size_, [&] {
    for (std::size_t l = 0; l < average.size(); ++l) {
      average_.push_back(at::zeros_like(torch_.trained()[l].value, at::kFloat).detach());
      assign(average_.back(), average[l]);
    }
  });
}

bool DeviceExecutor::hold(const RawImages& images) {
  held_.reset();
  if (std::ssize(images.pixels) > kMostHeldBytes) {
    return false;
  }
  try {
    held_ = hold_images(images, torch_.device());
    return true;
  } catch (const c10::Error&) {
    return false;  // no room: batches bring them, with the same values
  }
}

}  // namespace

std::unique_ptr<Executor> make_device_executor(const Network& network, std::int64_t threads,
                                               const DeviceSettings& settings) {
  return explained(network, "the start on " + settings.device, 0, {}, [&] {
    open_device(settings);
    keep_freed_memory();
    return std::make_unique<DeviceExecutor>(network, threads, settings);
  });
}

}  // namespace gcg
