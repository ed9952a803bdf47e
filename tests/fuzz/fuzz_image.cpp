// JPEG and PNG: whole decoding, and a resampled part.
#include "data/encoded.h"
#include "data/resample.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  // Large sizes in a damaged header cost time, not safety.
  const auto small = [](const ImageDecoder& decoder) {
    return decoder.width() * decoder.height() <= 4'000'000;
  };
  test::try_to([&] {
    ImageDecoder decoder(bytes, "fuzz");
    RgbImage image;
    if (small(decoder)) {
      decoder.decode(image);
    }
  });
  return test::try_to([&] {
    ImageDecoder decoder(bytes, "fuzz");
    if (!small(decoder)) {
      return;
    }
    const auto w = static_cast<double>(decoder.width());
    const auto h = static_cast<double>(decoder.height());
    RgbImage image;
    const Region region = decoder.decode({w / 4, h / 3, w / 2, h / 2}, 9, 5, image);
    resampled(image, region, 9, 5);
  });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  const RgbImage image = smooth_image(40, 33);
  for (const bool progressive : {false, true}) {
    for (const bool full_chroma : {false, true}) {
      JpegKind kind;
      kind.quality = 60;
      kind.progressive = progressive;
      kind.full_chroma = full_chroma;
      seeds.push_back(seed_of(jpeg_file(image, kind)));
    }
  }
  JpegKind grey;
  grey.colours = JCS_GRAYSCALE;
  seeds.push_back(seed_of(jpeg_file(20, 20, std::vector<std::uint8_t>(400, 99), grey)));
  JpegKind inks;
  inks.colours = JCS_CMYK;
  inks.adobe = true;
  seeds.push_back(seed_of(jpeg_file(16, 16, std::vector<std::uint8_t>(1024, 99), inks)));
  seeds.push_back(seed_of(encode_png(image)));
  for (const char* name : {"rgb16_alpha.png", "palette_alpha.png", "grey2.png", "rgb_gamma.png",
                           "rgb_interlaced.png", "cmyk_unmarked.jpg"}) {
    seeds.push_back(seed_of(read_file(std::filesystem::path(GCG_TEST_IMAGES) / name)));
  }
  JpegKind separate_scans;
  separate_scans.separate_scans = true;
  seeds.push_back(seed_of(jpeg_file(image, separate_scans)));
  JpegKind unusual;
  unusual.sampling = {{1, 1}, {2, 2}, {1, 4}};
  seeds.push_back(seed_of(jpeg_file(image, unusual)));
  return seeds;
}
