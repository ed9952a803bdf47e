#pragma once

#include <cerrno>

namespace gcg {

/// Makes a call of the system again as long as a signal interrupts it.
template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

}  // namespace gcg
