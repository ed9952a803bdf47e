#include "data/packed_blocks.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gcg {

namespace {

/// A byte holds a value + kZero, from 1 on; kWide says that two bytes with the value follow.
constexpr int kZero = 128;
constexpr std::uint8_t kWide = 0;

/// Which of the 64 are not 0, the first in the lowest bit.
std::uint64_t present(const JCOEF* block) {
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < DCTSIZE2; i += 4) {
    std::uint64_t four = 0;
    std::memcpy(&four, block + i, sizeof four);
    if (four != 0) {  // seldom
      for (unsigned j = i; j < i + 4; ++j) {
        mask |= std::uint64_t{block[j] != 0} << j;
      }
    }
  }
  return mask;
}

template <typename T>
void append(std::vector<std::uint8_t>& to, T value) {
  const std::size_t at = to.size();
  to.resize(at + sizeof value);
  std::memcpy(to.data() + at, &value, sizeof value);
}

template <typename T>
T take(const std::uint8_t*& from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  from += sizeof value;
  return value;
}

}  // namespace

PackedBlocks::PackedBlocks(JDIMENSION blocks_of_a_row, JDIMENSION rows)
    : width_(blocks_of_a_row), packed_(rows) {}

void PackedBlocks::pack(std::size_t row, const JBLOCK* blocks) {
  scratch_.clear();
  std::uint64_t any = 0;
  for (std::size_t b = 0; b < width_; ++b) {
    const JCOEF* block = blocks[b];
    std::uint64_t mask = present(block);
    any |= mask;
    append(scratch_, mask);
    for (; mask != 0; mask &= mask - 1) {
      const JCOEF value = block[std::countr_zero(mask)];
      if (value > -kZero && value < kZero) {
        append(scratch_, static_cast<std::uint8_t>(value + kZero));
      } else {
        append(scratch_, kWide);
        append(scratch_, value);
      }
    }
  }
  if (any == 0) {
    packed_[row].clear();
  } else {
    packed_[row].assign(scratch_.begin(), scratch_.end());
  }
}

void PackedBlocks::unpack(std::size_t row, JBLOCK* blocks) const {
  if (packed_[row].empty()) {
    return;
  }
  const std::uint8_t* from = packed_[row].data();
  for (std::size_t b = 0; b < width_; ++b) {
    for (auto mask = take<std::uint64_t>(from); mask != 0; mask &= mask - 1) {
      const auto byte = take<std::uint8_t>(from);
      blocks[b][std::countr_zero(mask)] =
          byte == kWide ? take<JCOEF>(from) : static_cast<JCOEF>(byte - kZero);
    }
  }
}

JBLOCKARRAY PackedBlocks::unpack(JDIMENSION first, JDIMENSION count, bool writable) {
  if (written_) {
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      pack(first_ + r, rows_[r]);
    }
  }
  unpacked_.assign(std::size_t{DCTSIZE2} * width_ * count, 0);
  rows_.resize(count);
  for (std::size_t r = 0; r < count; ++r) {
    rows_[r] = reinterpret_cast<JBLOCKROW>(unpacked_.data() + std::size_t{DCTSIZE2} * width_ * r);
    unpack(first + r, rows_[r]);
  }
  first_ = first;
  written_ = writable;
  return rows_.data();
}

std::size_t PackedBlocks::bytes() const {
  std::size_t sum = 0;
  for (const std::vector<std::uint8_t>& row : packed_) {
    sum += row.capacity();
  }
  return sum;
}

}  // namespace gcg
