// CIFAR-10 and CIFAR-100 files and the manifest beside them; the first byte chooses.
#include "data/cifar.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  if (size == 0) {
    return 0;
  }
  const std::string record10(3073, '\1');
  if (*data % 3 == 0) {
    folder.write("ten/data_batch_1.bin", data + 1, size - 1);
    folder.write("ten/test_batch.bin", record10);
    return test::try_to([&] { read_cifar10(folder / "ten"); });
  }
  if (*data % 3 == 1) {
    folder.write("hundred/train.bin", data + 1, size - 1);
    folder.write("hundred/test.bin", std::string(3074, '\2'));
    return test::try_to([&] { read_cifar100(folder / "hundred", Cifar100Labels::fine); });
  }
  folder.write("listed/data_batch_1.bin", record10);
  folder.write("listed/test_batch.bin", record10);
  folder.write("listed/manifest.json", data + 1, size - 1);
  return test::try_to([&] { read_cifar10(folder / "listed"); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  return {seed_of(std::string(1, '\0') + std::string(3 * 3073, '\5')),
          seed_of(std::string(1, '\1') + std::string(2 * 3074, '\7')),
          seed_of(std::string(1, '\2') +
                  R"({"files": {"data_batch_1.bin": {"records": 1, "sha256": "00"}}})")};
}
