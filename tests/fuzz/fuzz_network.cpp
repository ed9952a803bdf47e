// The layer graph; where the text is JSON its checksum is made right.
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "fuzz/target.h"
#include "graph/networks.h"
#include "record/network_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  std::string text(data, data + size);
  nlohmann::json content = nlohmann::json::parse(text, nullptr, false);
  if (content.is_object()) {
    content.erase("sha256");
    try {
      content["sha256"] = hex(sha256(content.dump()));
      text = content.dump();
    } catch (const nlohmann::json::exception&) {
      // Bytes that are no UTF-8: as they are.
    }
  }
  return test::try_to([&] { (void)parse_network("network.json", text); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  return {seed_of(network_text(build_network("lenet5", {{1, 28, 28}, 10, 1}))),
          seed_of(network_text(build_network("resnet8", {{3, 16, 16}, 4, 1})))};
}
