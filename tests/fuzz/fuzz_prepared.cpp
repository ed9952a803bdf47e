// A prepared file. Digests would stop every change at once: they are made right before, so that
// what is behind them is reached; the bytes of the images are checked as they are.
#include <cstring>

#include "data/prepare.h"
#include "data/prepared.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  std::vector<std::uint8_t> bytes(data, data + size);
  if (size >= static_cast<std::size_t>(kPreparedDataStart)) {
    PreparedHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto start = kPreparedDataStart + (header.image_bytes & 0xFFFFFFF) / 8 * 8 +
                       ((header.image_bytes & 7) != 0 ? 8 : 0);
    if (start <= std::ssize(bytes)) {
      header.table_digest =
          sha256(std::as_bytes(std::span(bytes)).subspan(static_cast<std::size_t>(start)));
    }
    header.header_digest = prepared_header_digest(header);
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  folder.write("train.images", bytes.data(), bytes.size());
  return test::try_to([&] {
    const PreparedFile file(folder / "train.images");
    file.check_images(1);
  });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  const FuzzFolder folder;
  for (const bool encoded : {false, true}) {
    PreparedSplit split;
    split.name = "fuzz";
    split.split = encoded ? "train" : "test";
    split.encoded = encoded;
    split.shape = {1, 2, 3};
    split.classes = {"a", "b"};
    split.labels = {0, 1, 1};
    split.source = "fuzz";
    split.image = [](std::int64_t i) {
      return std::vector<std::byte>(6, static_cast<std::byte>(i));
    };
    write_prepared(folder.path(), split, {});
    seeds.push_back(seed_of(read_file(prepared_path(folder.path(), split.split))));
  }
  return seeds;
}
