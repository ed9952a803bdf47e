#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gcg {

/// What the ranks of one host exchange, through memory that they share: a step of training has some
/// forty small exchanges, each of which takes microseconds here and the wake-ups of several threads
/// where it goes through the network. Every rank makes the same calls in the same order.
class SharedMemory {
 public:
  /// The part that this rank writes. `patience`: seconds after which a silent rank is given up.
  /// Errors: the system has no such memory.
  SharedMemory(std::int64_t rank, std::int64_t ranks, double patience);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Where the others find the part of this rank.
  [[nodiscard]] std::string address() const;
  /// Opens the parts of all ranks by their addresses. False: one of them is on another host, or in
  /// a container of its own.
  bool open(std::span<const std::string> addresses);

  /// Of every rank the same number of bytes, in the order of the ranks. Throws std::runtime_error
  /// where a rank has let go of its part, as it does when its process ends, or is silent.
  void gather(std::span<const std::byte> own, std::span<std::byte> all);
  /// Both have a part for each rank, of the same size: part r of `to` becomes the part of rank r's
  /// `from` that is meant for this rank. Throws as gather does.
  void exchange(std::span<const std::byte> from, std::span<std::byte> to);

 private:
  class Part;

  /// Shows the others what was written into the own part, and waits until all have done so.
  void meet();
  void wait_for(std::size_t rank);

  const std::size_t rank_;
  const double patience_;
  std::uint32_t met_ = 0;  ///< rounds of meet()
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace gcg
