#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sparse/plan.h"

namespace gcg::sparse {

/// Segments are counted from 1 on, those of the backward pass behind those of the forward pass.
inline std::size_t backward_segment(const Plan& plan, std::size_t segment) {
  return plan.forward.size() + segment;
}

/// Room for a block, shared by tensors that are never needed in the same segment.
class BlockRooms {
 public:
  explicit BlockRooms(std::vector<Layout>& blocks) : blocks_(blocks) {}

  Room take(const Layout& layout, std::span<const std::size_t> segments) {
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      if (blocks_[b] == layout &&
          std::ranges::find_first_of(used_[b], segments) == used_[b].end()) {
        used_[b].insert(used_[b].end(), segments.begin(), segments.end());
        return {Room::Kind::block, static_cast<std::int32_t>(b)};
      }
    }
    blocks_.push_back(layout);
    used_.emplace_back(segments.begin(), segments.end());
    return {Room::Kind::block, static_cast<std::int32_t>(blocks_.size() - 1)};
  }

 private:
  std::vector<Layout>& blocks_;
  std::vector<std::vector<std::size_t>> used_;
};

}  // namespace gcg::sparse
