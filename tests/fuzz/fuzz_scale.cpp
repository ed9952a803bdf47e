// A settings file of a user's own scale.
#include "fuzz/target.h"
#include "study/scale.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  constexpr SettingsFile shipped{"shipped.toml", "[small]\nnetwork = \"resnet8\"\nseeds = 3\n"};
  folder.write("own.toml", data, size);
  return test::try_to([&] {
    Scale scale = read_scale(shipped, (folder / "own.toml").string(), {}, "imagenet");
    (void)scale.seeds();
    (void)scale.options();
    (void)scale.whole("epochs", 1, 10);
    (void)scale.numbers("densities", kFraction);
    (void)scale.flag("own");
    scale.check_all_read("test");
  });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  return {
      seed_of(std::string("[own]\nlike = \"small\"\nepochs = 3\ndensities = [0.1, 1]\nown = true\n"
                          "options = { weight-decay = 0.001 }\n[own.imagenet]\nepochs = 5\n"))};
}
