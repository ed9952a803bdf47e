#include "base/error.h"

#include <fmt/format.h>

namespace gcg {

namespace {

std::string message(std::string_view where, std::string_view problem, std::string_view remedy) {
  if (remedy.empty()) {
    return fmt::format("{}: {}", where, problem);
  }
  return fmt::format("{}: {}\n  remedy: {}", where, problem, remedy);
}

}  // namespace

Error::Error(std::string_view where, std::string_view problem, std::string_view remedy)
    : std::runtime_error(message(where, problem, remedy)) {}

}  // namespace gcg
