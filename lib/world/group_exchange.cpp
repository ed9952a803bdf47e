#include "world/group_exchange.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/progress.h"

namespace gcg {

namespace {

/// Seconds between two looks at queued calls.
constexpr double kLook = 0.1;

/// Values up to which all of them go to every rank at once: one exchange instead of two.
constexpr std::int64_t kFewValues = 16384;

/// The first row becomes the sum of all of them, added up in their order.
at::Tensor add_up(const at::Tensor& rows) {
  at::Tensor sum = rows[0];
  for (std::int64_t r = 1; r < rows.size(0); ++r) {
    sum.add_(rows[r]);
  }
  return sum;
}

}  // namespace

GroupExchange::GroupExchange(c10::intrusive_ptr<Group> group, Queue queue)
    : group_(std::move(group)),
      queue_(std::move(queue)),
      thread_([this](const std::stop_token& stop) { look_after(stop); }) {}

GroupExchange::~GroupExchange() { close(); }

Group& GroupExchange::group() {
  check();
  if (!group_) {
    throw std::runtime_error("this rank has let go of the others");
  }
  return *group_;
}

at::Tensor GroupExchange::gather(const at::Tensor& own) {
  std::vector<std::int64_t> sizes = own.sizes().vec();
  sizes.insert(sizes.begin(), group().getSize());
  at::Tensor all = at::empty(sizes, own.options());
  std::vector<std::vector<at::Tensor>> to{all.unbind()};
  std::vector<at::Tensor> from{own.contiguous()};
  await(group().allgather(to, from));
  return all;
}

// The sums of Gloo and NCCL go round rings and trees, in an order of their own for every size and
// version. Here every rank sends each other one its part of the values, adds up the parts that it
// received from rank 0 on, and sends the sums round: as many bytes as a ring, one order.
void GroupExchange::sum(const at::Tensor& values) {
  const std::int64_t count = values.numel();
  if (count <= kFewValues) {
    values.copy_(add_up(gather(values)));
    return;
  }
  const std::int64_t ranks = group().getSize();
  const std::int64_t part = (count + ranks - 1) / ranks;
  at::Tensor sent = at::zeros({ranks, part}, values.options());
  sent.view({-1}).narrow(0, 0, count).copy_(values);
  at::Tensor received = at::empty({ranks, part}, values.options());
  std::vector<std::int64_t> equal;
  await(group().alltoall_base(received, sent, equal, equal));
  values.copy_(gather(add_up(received)).view({-1}).narrow(0, 0, count));
}

void GroupExchange::await(const Call& call) {
  call->wait();
  const std::lock_guard lock(mutex_);
  take_out_finished();
  if (calls_.empty()) {
    since_ = now_seconds();
  }
  if (!call->isCompleted()) {
    calls_.push_back(call);
    queued_.notify_all();
  }
}

void GroupExchange::take_out_finished() {
  try {
    while (!calls_.empty() && calls_.front()->isCompleted()) {
      if (const std::exception_ptr failure = calls_.front()->exception()) {
        std::rethrow_exception(failure);
      }
      calls_.pop_front();
      since_ = now_seconds();
    }
  } catch (const std::exception& error) {
    fail(error.what());
  }
}

void GroupExchange::fail(std::string why) {
  if (failure_.empty()) {
    failure_ = std::move(why);
  }
  calls_.clear();
}

void GroupExchange::look_after(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (queued_.wait(lock, stop, [&] { return !calls_.empty() || !failure_.empty(); }) &&
         !stop.stop_requested()) {
    take_out_finished();
    const double patience =
        queue_.ended() ? std::min(queue_.patience, kEndedPatience) : queue_.patience;
    if (!calls_.empty() && now_seconds() - since_ > patience) {
      fail(fmt::format("they did not get on with an exchange for {} s", patience));
    }
    if (!failure_.empty()) {
      // Told first: whoever the device holds up finds it when he is let go.
      lock.unlock();
      abort();
      return;
    }
    queued_.wait_for(lock, stop, std::chrono::duration<double>(kLook), [] { return false; });
  }
}

void GroupExchange::check() {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) {
    throw std::runtime_error(failure_);
  }
}

void GroupExchange::abort() noexcept {
  try {
    queue_.abort();
  } catch (const std::exception&) {
    // The others are lost in any case.
  }
}

void GroupExchange::close() noexcept {
  thread_ = {};
  if (group_) {
    abort();
  }
  calls_.clear();
  group_.reset();
}

}  // namespace gcg
