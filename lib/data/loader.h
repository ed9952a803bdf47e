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
#include "data/samples.h"

namespace gcg {

/// What a loader makes: the images at `positions`, cut into batches in this order (the last one may
/// be short).
struct LoaderPlan {
  std::vector<std::int64_t> positions;
  std::int64_t batch_size = 128;
  Augmentation augmentation;
  std::uint64_t epoch = 0;
  std::int64_t first_batch = 0;  ///< batches before it are left out: an epoch that is continued
  bool held = false;             ///< the executor holds the images: batches are their placements
  /// Of every batch the share of this rank is made (backend/ranks.h).
  std::int64_t rank = 0;
  std::int64_t ranks = 1;
};

/// Makes batches ahead of their use, on threads of its own. The batches are those of BatchMaker,
/// bit for bit, whatever the number of threads.
///
/// Threads take pieces of batches in order, so that several work on the batch that is needed next;
/// samples are written where the network reads them, into a ring of a few batches.
class Loader {
 public:
  /// The samples must outlive the loader. `threads`: 0 makes every batch in next(), in the calling
  /// thread. Errors: a batch size below 1, an augmentation that does not fit the images.
  Loader(const SampleMaker& samples, LoaderPlan plan, std::int64_t threads);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  [[nodiscard]] std::int64_t batches() const { return batches_; }  ///< of the whole epoch

  /// The next batch; valid until the next call. Throws the Error of its first sample that cannot be
  /// made, or an Error if no batch is left.
  Batch next();

  /// Seconds that next() has waited so far (without threads: worked).
  [[nodiscard]] double waited_seconds() const { return waited_; }

 private:
  struct Slot {
    std::vector<float> images;
    std::vector<Placement> placements;
    std::vector<std::int32_t> labels;
    std::int64_t unfinished = 0;  ///< pieces that are not made yet
    std::int64_t failed_at = 0;   ///< the sample `failure` belongs to
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
  [[nodiscard]] std::int64_t whole_size_of(std::int64_t batch) const;
  [[nodiscard]] Share share_of(std::int64_t batch) const;
  Slot& slot_of(std::int64_t batch);

  const SampleMaker& samples_;
  const LoaderPlan plan_;
  const std::int64_t batches_;
  std::vector<Slot> slots_;
  std::int64_t next_batch_;  ///< that next() returns
  double waited_ = 0;

  std::mutex mutex_;
  std::condition_variable room_;      ///< a slot became free, or the loader ends
  std::condition_variable finished_;  ///< a batch is complete
  Piece next_piece_;                  ///< to be taken; guarded by the mutex, as slots' counts are
  std::int64_t free_until_;           ///< batches below it have a slot to be made in
  bool stop_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace gcg
