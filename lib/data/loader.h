#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "backend/executor.h"
#include "backend/ranks.h"
#include "data/mixing.h"
#include "data/samples.h"

namespace gcg {

/// What the images of a batch are given as.
enum class Delivery {
  values,  ///< normalised, in plain memory
  bytes,   ///< with their placements; encoded images are rounded to whole numbers for it
  places   ///< placements alone, of images that the executor holds
};

/// What a loader makes: the images at `positions`, cut into batches in this order (the last batch
/// may be short).
struct LoaderPlan {
  std::vector<std::int64_t> positions;
  std::int64_t batch_size = 128;
  Augmentation augmentation;
  std::uint64_t epoch = 0;
  std::int64_t first_batch = 0;  ///< earlier batches are skipped, to continue an epoch
  Delivery delivery = Delivery::values;
  /// The rank whose share of every batch is made (backend/ranks.h).
  std::int64_t rank = 0;
  std::int64_t ranks = 1;
  /// What is done with the pairs of a batch follows from (seed, epoch, batch) alone: stream
  /// "mixing", index = stream_index(epoch, batch). Only with Delivery::values.
  Mixing mixing{};
  std::uint64_t seed = 0;  ///< of that stream
};

/// Makes batches ahead of their use, one plan after the other, on threads that it keeps. Their
/// values are those of BatchMaker, bit for bit, whatever the number of threads, and mixed after
/// that if the plan says so; bytes of encoded images are at most half a level away.
///
/// Threads take pieces of batches in order, so that several threads work on the batch needed next.
/// Samples are written where the network reads them, into a ring of a few batches.
class Loader {
 public:
  /// `threads`: 0 makes every batch in next(), in the calling thread.
  explicit Loader(std::int64_t threads);
  /// With its first plan.
  Loader(const SampleMaker& samples, LoaderPlan plan, std::int64_t threads);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// What next() gives from now on; batches of an earlier plan that were not taken are given up.
  /// The samples must outlive the plan. Errors: a batch size below 1, an augmentation that does not
  /// fit the images, samples to be mixed that are not delivered as values; the earlier plan stays
  /// then.
  void begin(const SampleMaker& samples, LoaderPlan plan);

  [[nodiscard]] std::int64_t batches() const { return batches_; }  ///< of the whole epoch

  /// The next batch; valid until the next call. Throws the Error of the first sample in it that
  /// cannot be made, or an Error if no batch is left.
  Batch next();

  /// Seconds that next() has waited so far, under all plans (without threads: worked).
  [[nodiscard]] double waited_seconds() const { return waited_; }

 private:
  struct Slot {  ///< of what is made_of() a batch
    std::vector<float> images;
    std::vector<std::uint8_t> bytes;
    std::vector<Placement> placements;
    std::vector<std::int32_t> labels;
    std::vector<std::int32_t> second_labels;
    double second_share = 0;
    std::int64_t unfinished = 0;  ///< pieces still to be made
    std::int64_t failed_at = 0;   ///< the sample that `failure` is about
    std::exception_ptr failure;
  };
  struct Piece {
    std::int64_t batch = 0;
    std::int64_t begin = 0;  ///< samples within what is made of the batch
    std::int64_t end = 0;
  };

  void work();
  void stop();
  bool take(Piece& piece);
  void make(const Piece& piece, SampleMaker::Scratch& scratch);
  void make_samples(const Piece& piece, SampleMaker::Scratch& scratch, std::int64_t& i);
  void mix(const Piece& piece);
  [[nodiscard]] std::int64_t whole_size_of(std::int64_t batch) const;
  [[nodiscard]] Share share_of(std::int64_t batch) const;
  /// The share, and where samples are mixed the neighbours of its ends.
  [[nodiscard]] Share made_of(std::int64_t batch) const;
  [[nodiscard]] std::int64_t pieces_of(std::int64_t batch) const;
  Slot& slot_of(std::int64_t batch);

  const SampleMaker* samples_ = nullptr;
  LoaderPlan plan_;
  std::int64_t batches_ = 0;
  std::int64_t piece_samples_ = 1;  ///< that a thread takes at once
  std::int64_t next_batch_ = 0;     ///< that next() returns
  double waited_ = 0;

  std::mutex mutex_;
  std::condition_variable room_;      ///< a slot became free or the loader ends
  std::condition_variable finished_;  ///< a batch is complete
  std::vector<Slot> slots_;           ///< those behind `ring_` are unused
  std::int64_t ring_ = 1;             ///< slots that the plan uses
  Piece next_piece_;                  ///< to be taken; guarded by the mutex, as slots' counts are
  std::int64_t free_until_ = 0;       ///< batches below it have a slot to be made in
  std::int64_t making_ = 0;           ///< pieces that are being made
  bool stop_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace gcg
