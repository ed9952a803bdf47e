#include "device/failures.h"

#include <fmt/format.h>

namespace gcg {

Error explain_failure(const std::string& where, std::string_view said, std::int64_t batch,
                      const std::function<bool(std::int64_t)>& fits) {
  const auto says = [&](std::string_view part) { return said.find(part) != said.npos; };
  const std::string first(said.substr(0, said.find('\n')));
  if (says("out of memory") || says("can't allocate memory")) {
    std::int64_t smaller = batch / 2;
    while (smaller > 1 && !fits(smaller)) {
      smaller /= 2;
    }
    return {where, fmt::format("out of memory with a batch of {}", batch),
            smaller > 1 ? fmt::format("--batch-size {} fits; what was saved stays", smaller)
                        : "no smaller batch fits either: take a smaller network, or free the "
                          "device's memory (nvidia-smi); what was saved stays"};
  }
  if (says("deterministic")) {
    return {where, "an operation has no deterministic form in LibTorch: " + first,
            "take --deterministic off (another run), or --device cpu"};
  }
  return {where, first};
}

}  // namespace gcg
