// The manifest that gcg_data_check holds a data set against.
#include "data/data_check.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  folder.write("m.json", data, size);
  return test::try_to([&] { read_expected(folder / "m.json"); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  return {seed_of(std::string(R"({"train": {"labels": [3, 1]}, "test": {"labels": [0, 2]},
    "channels": {"mean": [0.0686], "deviation": [0.0325]}})"))};
}
