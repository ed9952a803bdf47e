#pragma once

#include <string>
#include <string_view>

namespace gcg {

/// The name of the calling thread as the system shows it (`top -H`). Threads inherit it.
std::string thread_name();

/// Names the calling thread, at most 15 characters, until destruction: for a thread that serves the
/// others, and around calls that start such threads.
class ThreadName {
 public:
  explicit ThreadName(std::string_view name);
  ~ThreadName();
  ThreadName(const ThreadName&) = delete;
  ThreadName& operator=(const ThreadName&) = delete;

 private:
  std::string before_ = thread_name();
};

}  // namespace gcg
