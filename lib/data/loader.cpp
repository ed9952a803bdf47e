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

/// Samples that a thread takes at once: many beside a lock, few beside a batch. Placements are made
/// a batch at once.
constexpr std::int64_t kPieceSamples = 16;

std::int64_t count_batches(const LoaderPlan& plan) {
  if (plan.batch_size < 1 || plan.first_batch < 0) {
    throw Error("Loader",
                fmt::format("batches of {} from batch {}", plan.batch_size, plan.first_batch));
  }
  return (std::ssize(plan.positions) + plan.batch_size - 1) / plan.batch_size;
}

}  // namespace

Loader::Loader(std::int64_t threads) {
  try {
    for (std::int64_t t = 0; t < threads; ++t) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (...) {
    stop();  // those that could be started
    throw;
  }
}

Loader::Loader(const SampleMaker& samples, LoaderPlan plan, std::int64_t threads)
    : Loader(threads) {
  begin(samples, std::move(plan));
}

void Loader::begin(const SampleMaker& samples, LoaderPlan plan) {
  const std::int64_t batches = count_batches(plan);
  samples.check(plan.augmentation);
  if (plan.mixing.any() && plan.delivery != Delivery::values) {
    throw Error("Loader", "only values can be mixed", "deliver values, not bytes or places");
  }
  {
    std::unique_lock lock(mutex_);
    free_until_ = 0;  // no piece is taken any more
    finished_.wait(lock, [&] { return making_ == 0; });
    batches_ = 0;  // none is left, should there be no memory for the new plan
    samples_ = &samples;
    plan_ = std::move(plan);
    piece_samples_ = plan_.delivery == Delivery::places ? plan_.batch_size : kPieceSamples;
    next_batch_ = plan_.first_batch;
    next_piece_ = {plan_.first_batch, 0, 0};
    ring_ = threads_.empty() ? 1 : std::clamp(batches - plan_.first_batch, std::int64_t{1}, kSlots);
    slots_.resize(std::max(slots_.size(), static_cast<std::size_t>(ring_)));
    const std::int64_t most =
        batches == 0 ? 0 : std::max(made_of(0).size(), made_of(batches - 1).size());
    for (std::int64_t batch = 0; batch < ring_; ++batch) {
      Slot& slot = slot_of(batch);
      const auto elements = static_cast<std::size_t>(most * samples.images().shape.elements());
      if (plan_.delivery == Delivery::values) {
        slot.images.resize(elements);
      } else {
        slot.placements.resize(static_cast<std::size_t>(most));
        if (plan_.delivery == Delivery::bytes) {
          slot.bytes.resize(elements);
        }
      }
      slot.labels.resize(static_cast<std::size_t>(most));
      slot.second_labels.resize(static_cast<std::size_t>(plan_.mixing.any() ? most : 0));
    }
    batches_ = batches;
    free_until_ = plan_.first_batch + ring_;
  }
  room_.notify_all();
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

std::int64_t Loader::pieces_of(std::int64_t batch) const {
  // At least one: an empty share is finished too.
  return std::max<std::int64_t>(1, (made_of(batch).size() + piece_samples_ - 1) / piece_samples_);
}

Share Loader::share_of(std::int64_t batch) const {
  return gcg::share_of(whole_size_of(batch), plan_.rank, plan_.ranks);
}

Share Loader::made_of(std::int64_t batch) const {
  Share share = share_of(batch);
  if (plan_.mixing.any() && share.size() > 0) {
    share.begin -= share.begin % 2;
    share.end = std::min(share.end + share.end % 2, whole_size_of(batch));
  }
  return share;
}

Loader::Slot& Loader::slot_of(std::int64_t batch) {
  return slots_[static_cast<std::size_t>(batch % ring_)];
}

/// The next piece of work, if one can be had now. Call with the mutex held.
bool Loader::take(Piece& piece) {
  if (next_piece_.batch >= std::min(batches_, free_until_)) {
    return false;
  }
  const std::int64_t size = made_of(next_piece_.batch).size();
  if (next_piece_.begin == 0) {
    Slot& slot = slot_of(next_piece_.batch);
    slot.unfinished = pieces_of(next_piece_.batch);
    slot.failure = nullptr;
  }
  piece = {next_piece_.batch, next_piece_.begin,
           std::min(next_piece_.begin + piece_samples_, size)};
  ++making_;
  next_piece_ = piece.end == size ? Piece{piece.batch + 1, 0, 0} : Piece{piece.batch, piece.end, 0};
  return true;
}

/// The samples of a piece, from `i` on, which it leaves at the one that failed.
void Loader::make_samples(const Piece& piece, SampleMaker::Scratch& scratch, std::int64_t& i) {
  Slot& slot = slot_of(piece.batch);
  const auto elements = static_cast<std::size_t>(samples_->images().shape.elements());
  const std::int64_t first = piece.batch * plan_.batch_size + made_of(piece.batch).begin;
  for (; i < piece.end; ++i) {
    const auto s = static_cast<std::size_t>(i);
    const std::int64_t position = plan_.positions[static_cast<std::size_t>(first + i)];
    const auto room = [&](auto& all) { return std::span(all).subspan(s * elements, elements); };
    switch (plan_.delivery) {
      case Delivery::values:
        samples_->make(position, plan_.augmentation, plan_.epoch, room(slot.images), scratch);
        break;
      case Delivery::bytes:
        slot.placements[s] = samples_->make_bytes(position, plan_.augmentation, plan_.epoch,
                                                  room(slot.bytes), scratch);
        slot.placements[s].image = i;
        break;
      case Delivery::places:
        slot.placements[s] = samples_->place(position, plan_.augmentation, plan_.epoch);
        break;
    }
    slot.labels[s] = samples_->images().labels[static_cast<std::size_t>(position)];
  }
}

/// Pieces begin with the first sample of a pair. Labels are ordered so that the second ones have
/// the smaller share.
void Loader::mix(const Piece& piece) {
  Slot& slot = slot_of(piece.batch);
  const Shape& shape = samples_->images().shape;
  const auto elements = static_cast<std::size_t>(shape.elements());
  const auto batch = static_cast<std::uint64_t>(piece.batch);
  const Mix mix = draw_mix(plan_.mixing, shape,
                           RandomStream(plan_.seed, "mixing", stream_index(plan_.epoch, batch)));
  for (std::int64_t i = piece.begin; i < piece.end; i += 2) {
    const auto s = static_cast<std::size_t>(i);
    const std::size_t other = i + 1 < piece.end ? s + 1 : s;
    slot.second_labels[s] = slot.labels[other];
    slot.second_labels[other] = slot.labels[s];
    if (other != s) {
      const auto image = [&](std::size_t k) {
        return std::span(slot.images).subspan(k * elements, elements);
      };
      mix_pair(mix, shape, image(s), image(other));
    }
    if (mix.share > 0.5) {
      std::swap(slot.labels[s], slot.second_labels[s]);
      if (other != s) {
        std::swap(slot.labels[other], slot.second_labels[other]);
      }
    }
  }
  if (piece.begin == 0) {
    slot.second_share = std::min(mix.share, 1 - mix.share);
  }
}

void Loader::make(const Piece& piece, SampleMaker::Scratch& scratch) {
  Slot& slot = slot_of(piece.batch);
  std::int64_t i = piece.begin;
  std::exception_ptr failure;
  try {
    make_samples(piece, scratch, i);
    if (plan_.mixing.any()) {
      mix(piece);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  if (failure && (!slot.failure || i < slot.failed_at)) {
    slot.failure = failure;
    slot.failed_at = i;
  }
  --making_;
  if (--slot.unfinished == 0 || making_ == 0) {
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
      // The slot of the batch handed out before; no more threads are woken than have work.
      for (std::int64_t piece = free_until_ < batches_ ? pieces_of(free_until_) : 0; piece > 0;
           --piece) {
        room_.notify_one();
      }
      ++free_until_;
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
  const auto first = static_cast<std::size_t>(share_of(batch).begin - made_of(batch).begin);
  Batch made;
  made.labels = std::span(slot.labels).subspan(first, size);
  const auto elements = static_cast<std::size_t>(samples_->images().shape.elements());
  if (plan_.delivery == Delivery::values) {
    made.images = std::span(slot.images).subspan(first * elements, size * elements);
  } else {
    made.placements = std::span(slot.placements).first(size);
  }
  if (plan_.delivery == Delivery::bytes) {
    made.bytes = samples_->raw();
    made.bytes.pixels = std::span(slot.bytes).first(size * elements);
  }
  if (plan_.mixing.any()) {
    made.second_labels = std::span(slot.second_labels).subspan(first, size);
    made.second_share = slot.second_share;
  }
  made.of = std::ssize(made.labels) < whole ? whole : 0;
  return made;
}

}  // namespace gcg
