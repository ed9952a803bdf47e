#include "world/gloo_group.h"

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>

namespace gcg {

namespace {

std::shared_ptr<gloo::transport::Device> network_device(const std::string& address) {
  if (const char* const interface = std::getenv("GLOO_SOCKET_IFNAME")) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  }
  return address == "127.0.0.1" ? c10d::ProcessGroupGloo::createDeviceForHostname(address)
                                : c10d::ProcessGroupGloo::createDefaultDevice();
}

}  // namespace

c10::intrusive_ptr<Group> make_gloo_group(const c10::intrusive_ptr<c10d::TCPStore>& store,
                                          const RankPlace& place, double patience) {
  auto options = c10d::ProcessGroupGloo::Options::create(
      std::chrono::milliseconds(static_cast<std::int64_t>(1000 * patience)));
  options->devices.push_back(network_device(place.address));
  options->threads = 1;  // calls follow one another
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(place.rank),
                                                     static_cast<int>(place.ranks), options);
}

}  // namespace gcg
