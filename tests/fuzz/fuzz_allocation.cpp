// A table of densities per layer.
#include "fuzz/target.h"
#include "graph/networks.h"
#include "topology/allocation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  static const Network network = build_network("mlp", {{6, 1, 1}, 4, 6});
  folder.write("table.txt", data, size);
  return test::try_to([&] {
    (void)scaling_of_table(folder / "table.txt", network, 20);
    (void)read_allocation(folder / "table.txt", network, 20);
  });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  return {seed_of(std::string("# remark\nfc1 0.25\nfc2 0.5\n\nfc3 1e-1\n"))};
}
