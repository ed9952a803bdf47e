// The record of what a data set was prepared from; its digest is made right first.
#include <fmt/format.h>

#include "data/sources.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  const std::string text(data, data + size);
  folder.write("sources.txt", text + fmt::format("sha256 {}\n", hex(sha256(text))));
  return test::try_to([&] {
    const Sources sources = read_sources(folder.path());
    check_sources("cifar10", folder.path(), sources, 1);
  });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  return {seed_of(fmt::format("gcg sources 1\nset {}\nfolder ..\n3 -5 a b%0A\n7 1 %25\n",
                              hex(sha256(std::string_view("set")))))};
}
