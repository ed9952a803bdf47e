// The texts of TinyImageNet: wnids.txt and val_annotations.txt, parted by the first byte 0.
#include <algorithm>

#include "data/image_folder.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  for (const char* name : {"train/n01/images/a.JPEG", "train/n02/images/b.JPEG",
                           "val/images/c.JPEG", "val/images/d.JPEG"}) {
    if (!std::filesystem::exists(folder / name)) {
      folder.write(name, "image");
    }
  }
  const std::uint8_t* end = std::find(data, data + size, std::uint8_t{0});
  folder.write("wnids.txt", data, static_cast<std::size_t>(end - data));
  const std::uint8_t* rest = end == data + size ? end : end + 1;
  folder.write("val/val_annotations.txt", rest, static_cast<std::size_t>(data + size - rest));
  return test::try_to([&] { list_tinyimagenet(folder.path()); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  using std::string_literals::operator""s;
  return {seed_of("n01\nn02\n\0c.JPEG\tn01\t0\t1\t2\t3\nd.JPEG\tn02\t0\t1\t2\t3\n"s)};
}
