#include "data/mixing.h"

#include <algorithm>
#include <cmath>

namespace gcg {

double draw_beta(double alpha, RandomStream& stream) {
  for (;;) {
    // Logarithms: small alphas would leave two zeros.
    const double x = std::log(stream.uniform_open()) / alpha;
    const double y = std::log(stream.uniform_open()) / alpha;
    const double larger = std::max(x, y);
    const double sum = larger + std::log(std::exp(x - larger) + std::exp(y - larger));
    if (sum <= 0) {
      return std::exp(x - sum);
    }
  }
}

Mix draw_mix(const Mixing& mixing, const Shape& shape, RandomStream stream) {
  Mix mix;
  mix.cuts = mixing.cutmix > 0 && (mixing.mixup == 0 || stream.uniform() < 0.5);
  if (!mix.cuts) {
    const double share = draw_beta(mixing.mixup, stream);
    mix.share = std::min(share, 1 - share);
    return mix;
  }
  const double side = std::sqrt(draw_beta(mixing.cutmix, stream));
  const auto interval = [&](std::int64_t edge, std::int64_t& begin, std::int64_t& length) {
    const auto whole = static_cast<std::int64_t>(side * static_cast<double>(edge));
    const auto centre = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(edge)));
    begin = std::clamp<std::int64_t>(centre - whole / 2, 0, edge);
    length = std::clamp<std::int64_t>(centre - whole / 2 + whole, 0, edge) - begin;
  };
  interval(shape.height, mix.top, mix.height);
  interval(shape.width, mix.left, mix.width);
  mix.share = static_cast<double>(mix.height * mix.width) / static_cast<double>(shape.positions());
  return mix;
}

void mix_pair(const Mix& mix, const Shape& shape, std::span<float> a, std::span<float> b) {
  if (!mix.cuts) {
    const auto share = static_cast<float>(mix.share);
    const float own = 1 - share;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float first = a[i];
      a[i] = own * first + share * b[i];
      b[i] = own * b[i] + share * first;
    }
    return;
  }
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    for (std::int64_t y = mix.top; y < mix.top + mix.height; ++y) {
      const auto row = static_cast<std::size_t>((c * shape.height + y) * shape.width + mix.left);
      const auto width = static_cast<std::size_t>(mix.width);
      std::ranges::swap_ranges(a.subspan(row, width), b.subspan(row, width));
    }
  }
}

}  // namespace gcg
