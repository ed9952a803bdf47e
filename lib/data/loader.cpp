#include "data/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/progress.h"

namespace gcg {

namespace {

/// Batches in the ring: one in use, the others ready or in the making.
constexpr std::int64_t kSlots = 4;

/// Samples that a thread takes at once: many beside a lock, few beside a batch.
constexpr std::int64_t kPieceSamples = 16;

std::int64_t count_batches(const LoaderPlan& plan) {
  if (plan.batch_size < 1 || plan.first_batch < 0) {
    throw Error("Loader",
                fmt::format("batches of {} from batch {}", plan.batch_size, plan.first_batch));
  }
  return (std::ssize(plan.positions) + plan.batch_size - 1) / plan.batch_size;
}

}  // namespace

Loader::Loader(const SampleMaker& samples, LoaderPlan plan, std::int64_t threads)
    : samples_(samples),
      plan_(std::move(plan)),
      batches_(count_batches(plan_)),
      next_batch_(plan_.first_batch),
      next_piece_{plan_.first_batch, 0, 0} {
  samples_.check(plan_.augmentation);
  const std::int64_t slots =
      threads == 0 ? 1 : std::clamp(batches_ - plan_.first_batch, std::int64_t{1}, kSlots);
  slots_.resize(static_cast<std::size_t>(slots));
  const std::int64_t most =
      batches_ == 0 ? 0 : std::max(share_of(0).size(), share_of(batches_ - 1).size());
  for (Slot& slot : slots_) {
    if (plan_.held) {
      slot.placements.resize(static_cast<std::size_t>(most));
    } else {
      slot.images.resize(static_cast<std::size_t>(most * samples_.images().shape.elements()));
    }
    slot.labels.resize(static_cast<std::size_t>(most));
  }
  free_until_ = plan_.first_batch + slots;
  try {
    for (std::int64_t t = 0; t < threads; ++t) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (...) {
    stop();  // those that could be started
    throw;
  }
}

Loader::~Loader() { stop(); }

void Loader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  room_.notify_all();
}

std::int64_t Loader::whole_size_of(std::int64_t batch) const {
  return std::min(plan_.batch_size, std::ssize(plan_.positions) - batch * plan_.batch_size);
}

Share Loader::share_of(std::int64_t batch) const {
  return gcg::share_of(whole_size_of(batch), plan_.rank, plan_.ranks);
}

Loader::Slot& Loader::slot_of(std::int64_t batch) {
  return slots_[static_cast<std::size_t>(batch) % slots_.size()];
}

/// The next piece of work, if one can be had now. Call with the mutex held.
bool Loader::take(Piece& piece) {
  if (next_piece_.batch >= std::min(batches_, free_until_)) {
    return false;
  }
  const std::int64_t size = share_of(next_piece_.batch).size();
  if (next_piece_.begin == 0) {
    Slot& slot = slot_of(next_piece_.batch);
    slot.unfinished = (size + kPieceSamples - 1) / kPieceSamples;
    slot.failure = nullptr;
  }
  piece = {next_piece_.batch, next_piece_.begin, std::min(next_piece_.begin + kPieceSamples, size)};
  next_piece_ = piece.end == size ? Piece{piece.batch + 1, 0, 0} : Piece{piece.batch, piece.end, 0};
  return true;
}

void Loader::make(const Piece& piece, SampleMaker::Scratch& scratch) {
  Slot& slot = slot_of(piece.batch);
  const std::int64_t elements = samples_.images().shape.elements();
  const std::int64_t first = piece.batch * plan_.batch_size + share_of(piece.batch).begin;
  std::int64_t i = piece.begin;
  std::exception_ptr failure;
  try {
    for (; i < piece.end; ++i) {
      const std::int64_t position = plan_.positions[static_cast<std::size_t>(first + i)];
      if (plan_.held) {
        slot.placements[static_cast<std::size_t>(i)] =
            samples_.place(position, plan_.augmentation, plan_.epoch);
      } else {
        samples_.make(position, plan_.augmentation, plan_.epoch,
                      std::span(slot.images)
                          .subspan(static_cast<std::size_t>(i * elements),
                                   static_cast<std::size_t>(elements)),
                      scratch);
      }
      slot.labels[static_cast<std::size_t>(i)] =
          samples_.images().labels[static_cast<std::size_t>(position)];
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  if (failure && (!slot.failure || i < slot.failed_at)) {
    slot.failure = failure;
    slot.failed_at = i;
  }
  if (--slot.unfinished == 0) {
    finished_.notify_all();
  }
}

void Loader::work() {
  SampleMaker::Scratch scratch;
  std::unique_lock lock(mutex_);
  for (;;) {
    Piece piece;
    room_.wait(lock, [&] { return stop_ || take(piece); });
    if (stop_) {
      return;
    }
    lock.unlock();
    make(piece, scratch);
    lock.lock();
  }
}

Batch Loader::next() {
  const double start = now_seconds();
  const std::int64_t batch = next_batch_;
  if (batch >= batches_) {
    throw Error("Loader", fmt::format("there is no batch {} among {}", batch, batches_));
  }
  ++next_batch_;
  {
    std::unique_lock lock(mutex_);
    if (batch > plan_.first_batch) {
      ++free_until_;  // the slot of the batch handed out before
      room_.notify_all();
    }
    if (threads_.empty()) {
      Piece piece;
      SampleMaker::Scratch scratch;
      while (take(piece)) {
        lock.unlock();
        make(piece, scratch);
        lock.lock();
      }
    }
    // Begun and finished: pieces are taken in order.
    finished_.wait(lock,
                   [&] { return (next_piece_.batch > batch) && slot_of(batch).unfinished == 0; });
  }
  waited_ += now_seconds() - start;
  const Slot& slot = slot_of(batch);
  if (slot.failure) {
    std::rethrow_exception(slot.failure);
  }
  const std::int64_t whole = whole_size_of(batch);
  const auto size = static_cast<std::size_t>(share_of(batch).size());
  Batch made;
  made.labels = std::span(slot.labels).first(size);
  if (plan_.held) {
    made.placements = std::span(slot.placements).first(size);
  } else {
    made.images = std::span(slot.images)
                      .first(size * static_cast<std::size_t>(samples_.images().shape.elements()));
  }
  made.of = std::ssize(made.labels) < whole ? whole : 0;
  return made;
}

}  // namespace gcg
