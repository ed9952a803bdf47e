#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gcg {

/// What an exception of LibTorch means to whoever trains: `where`: network and call; `said`: its
/// text; `batch`: its size, 0: there is none yet. Out of memory: with the largest of batch / 2,
/// batch / 4, ... for which `fits` holds; without `fits` nobody chooses the batch, and none is
/// named. An operation without a deterministic form, or that no
/// CUDA graph can hold: with its name and the option that goes without. Anything else: its first
/// line.
Error explain_failure(const std::string& where, std::string_view said, std::int64_t batch,
                      const std::function<bool(std::int64_t)>& fits);

}  // namespace gcg
