// A pair of IDX files: two bytes say where the first ends.
#include "data/idx.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  if (size < 2) {
    return 0;
  }
  const std::size_t first = std::min<std::size_t>(size - 2, data[0] * 256U + data[1]);
  folder.write("images", data + 2, first);
  folder.write("labels", data + 2 + first, size - 2 - first);
  return test::try_to([&] { read_idx(folder / "images", folder / "labels"); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  std::vector<std::uint8_t> seed{0, 28, 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2};
  seed.resize(2 + 28, 7);
  const std::vector<std::uint8_t> labels{0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2};
  seed.insert(seed.end(), labels.begin(), labels.end());
  return {seed};
}
