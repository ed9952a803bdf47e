#pragma once

#include <cerrno>

namespace gcg {

/// Makes a system call and repeats it for as long as a signal interrupts it (EINTR).
template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

}  // namespace gcg
