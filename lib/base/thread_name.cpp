#include "base/thread_name.h"

#include <pthread.h>

#include <array>

namespace gcg {

std::string thread_name() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return name.data();
}

ThreadName::ThreadName(std::string_view name) {
  ::pthread_setname_np(::pthread_self(), std::string(name.substr(0, 15)).c_str());
}

ThreadName::~ThreadName() { ::pthread_setname_np(::pthread_self(), before_.c_str()); }

}  // namespace gcg
