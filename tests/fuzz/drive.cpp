// Drives a fuzz target (LLVMFuzzerTestOneInput) without libFuzzer:
//   fuzz_NAME [MUTATIONS] [FOUND]    its seeds, the files of the folder FOUND, if it is there, and
//   so many mutations of
//                                    all of them by a fixed generator
//   fuzz_NAME --seeds FOLDER         writes the seeds there, for libFuzzer
#include "fuzz/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/random.h"

namespace {

using gcg::RandomStream;
using Bytes = std::vector<std::uint8_t>;

/// One to four changes: bits, bytes of interest, pieces cut out, repeated or taken from another
/// seed.
Bytes mutate(Bytes bytes, const std::vector<Bytes>& seeds, RandomStream& stream) {
  constexpr std::uint8_t interesting[] = {0,    1,    0x7F, 0x80, 0xFE, 0xFF,
                                          0xD8, 0xD9, 0xC0, '\n', '\t'};
  const auto place = [&] { return static_cast<std::size_t>(stream.below(bytes.size())); };
  for (std::uint64_t change = 0, changes = 1 + stream.below(4); change < changes; ++change) {
    if (bytes.empty()) {
      return bytes;
    }
    const std::size_t at = place();
    const std::size_t length =
        std::min(bytes.size() - at, static_cast<std::size_t>(1 + stream.below(64)));
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(length);
    switch (stream.below(6)) {
      case 0:
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << stream.below(8)));
        break;
      case 1:
        bytes[at] = interesting[stream.below(std::size(interesting))];
        break;
      case 2:
        bytes.erase(begin, end);
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4: {
        const Bytes piece(begin, end);
        bytes.insert(begin, piece.begin(), piece.end());
        break;
      }
      default: {
        const Bytes& other = seeds[stream.below(seeds.size())];
        const std::size_t count = std::min(length, other.size());
        std::copy_n(other.begin(), count, begin);
        break;
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Bytes> seeds = gcg::test::fuzz_seeds();
  if (argc == 3 && std::string_view(argv[1]) == "--seeds") {
    for (std::size_t i = 0; i < seeds.size(); ++i) {
      gcg::write_file_atomically(std::filesystem::path(argv[2]) / fmt::format("seed{}", i),
                                 std::as_bytes(std::span(seeds[i])));
    }
    return 0;
  }
  const std::uint64_t runs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2000;
  if (argc > 2 && std::filesystem::is_directory(argv[2])) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[2])) {
      seeds.push_back(gcg::test::seed_of(gcg::read_file(entry.path())));
    }
  }
  for (const Bytes& seed : seeds) {
    LLVMFuzzerTestOneInput(seed.data(), seed.size());
    LLVMFuzzerTestOneInput(seed.data(), seed.size() / 2);
  }
  LLVMFuzzerTestOneInput(nullptr, 0);
  const RandomStream streams(1, "fuzz");
  for (std::uint64_t run = 0; run < runs; ++run) {
    RandomStream stream = streams.at(run);
    const Bytes input = mutate(seeds[stream.below(seeds.size())], seeds, stream);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  fmt::print("{} files, {} mutations\n", seeds.size(), runs);
  return 0;
}
