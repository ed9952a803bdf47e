// Archives of arrays: NumPy's and those of gcg_export.
#include "fuzz/target.h"
#include "graph/networks.h"
#include "record/export.h"
#include "record/npz.h"

namespace {

gcg::Network small_network() { return gcg::build_network("mlp", {{2, 1, 1}, 2, 2}); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  static const Network network = small_network();
  folder.write("mask.npz", data, size);
  return test::try_to([&] { (void)read_npz_mask(folder / "mask.npz", network); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  const Network network = small_network();
  const std::vector<std::byte> whole =
      export_content(network, initial_state(network, Mask(network, true), 1));
  const std::vector<std::byte> one(6, std::byte{1});
  const std::vector<NpzArray> arrays{{"fc1.mask", "|b1", {2, 3}, one}, {"x", "<f4", {}, {}}};
  const NpzText text{"note.txt", "text"};
  return {seed_of(whole), seed_of(npz_content(std::span(arrays).first(1), std::span(&text, 1)))};
}
