#include "data/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "base/random.h"

namespace gcg {

Split stratified_split(const std::vector<std::int32_t>& labels, std::int64_t classes,
                       double fraction, std::uint64_t seed) {
  constexpr std::string_view where = "validation split";
  if (!(fraction >= 0 && fraction < 1)) {
    throw Error(where, fmt::format("the fraction is {}", fraction), "choose one in [0, 1)");
  }
  if (classes < 1) {
    throw Error(where, fmt::format("there are {} classes", classes));
  }
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= classes) {
      throw Error(
          where, fmt::format("image {} has label {}; there are {} classes", i, labels[i], classes));
    }
    members[static_cast<std::size_t>(labels[i])].push_back(static_cast<std::int64_t>(i));
  }

  Split split;
  const RandomStream stream(seed, "validation-split");
  for (std::size_t c = 0; c < members.size(); ++c) {
    std::vector<std::int64_t>& positions = members[c];
    const auto chosen =
        static_cast<std::ptrdiff_t>(std::llround(fraction * static_cast<double>(positions.size())));
    if (!positions.empty() && fraction > 0 && (chosen == 0 || chosen == std::ssize(positions))) {
      throw Error(
          where,
          fmt::format("a fraction of {} of the {} images of class {} leaves none for {}", fraction,
                      positions.size(), c, chosen == 0 ? "validation" : "training"),
          "choose another fraction or use more images");
    }
    stream.at(c).shuffle(std::span(positions));
    split.validation.insert(split.validation.end(), positions.begin(), positions.begin() + chosen);
    split.train.insert(split.train.end(), positions.begin() + chosen, positions.end());
  }
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

double default_validation_fraction(std::int64_t train_images) {
  return train_images < 10'000 ? 0.2 : 0.1;
}

}  // namespace gcg
