#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "backend/executor.h"
#include "data/samples.h"

namespace gcg {

/// What a loader makes: the images at `positions`, cut into batches in this order (the last batch
/// may be short).
struct LoaderPlan {
  std::vector<std::int64_t> positions;
  std::int64_t batch_size = 128;
  Augmentation augmentation;
  std::uint64_t epoch = 0;
  std::int64_t first_batch = 0;  ///< earlier batches are skipped, to continue an epoch
  bool held = false;             ///< the executor holds the images: batches only place them
};

/// Makes batches ahead of their use, on its own threads. The batches equal those of BatchMaker bit
/// for bit, whatever the number of threads.
///
/// Threads take pieces of batches in order, so that several threads work on the batch needed next.
/// Samples are written where the network reads them, into a ring of a few batches.
class Loader {
 public:
  /// The samples must outlive the loader. With `threads` = 0 next() makes every batch in the
  /// calling thread. Errors: a batch size below 1, an augmentation that does not fit the images.
  Loader(const SampleMaker& samples, LoaderPlan plan, std::int64_t threads);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  [[nodiscard]] std::int64_t batches() const { return batches_; }  ///< of the whole epoch

  /// The next batch; valid until the next call. Throws the Error of the first sample in it that
  /// cannot be made, or an Error if no batch is left.
  Batch next();

  /// Seconds that next() has waited so far (with `threads` = 0: worked).
  [[nodiscard]] double waited_seconds() const { return waited_; }

 private:
  struct Slot {
    std::vector<float> images;
    std::vector<Placement> placements;
    std::vector<std::int32_t> labels;
    std::int64_t unfinished = 0;  ///< pieces still to be made
    std::int64_t failed_at = 0;   ///< the sample that `failure` is about
    std::exception_ptr failure;
  };
  struct Piece {
    std::int64_t batch = 0;
    std::int64_t begin = 0;  ///< samples within the batch
    std::int64_t end = 0;
  };

  void work();
  void stop();
  bool take(Piece& piece);
  void make(const Piece& piece, SampleMaker::Scratch& scratch);
  [[nodiscard]] std::int64_t size_of(std::int64_t batch) const;
  Slot& slot_of(std::int64_t batch);

  const SampleMaker& samples_;
  const LoaderPlan plan_;
  const std::int64_t batches_;
  std::vector<Slot> slots_;
  std::int64_t next_batch_;  ///< the batch that next() returns next
  double waited_ = 0;

  std::mutex mutex_;
  std::condition_variable room_;      ///< a slot became free or the loader ends
  std::condition_variable finished_;  ///< a batch is complete
  Piece next_piece_;                  ///< next to be taken; mutex_ guards it and the slots' counts
  std::int64_t free_until_;           ///< earlier batches have a slot to be made in
  bool stop_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace gcg
