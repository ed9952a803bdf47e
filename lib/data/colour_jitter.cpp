#include "data/colour_jitter.h"

#include <algorithm>
#include <array>

namespace gcg {

namespace {

/// The three planes of an image.
struct Planes {
  std::span<float> red, green, blue;

  [[nodiscard]] float grey(std::size_t i) const {
    return 0.299F * red[i] + 0.587F * green[i] + 0.114F * blue[i];
  }
};

/// `level` at `factor` times its distance from `from`.
float moved(float level, float from, float factor) {
  return std::clamp(from + factor * (level - from), 0.0F, 255.0F);
}

void move_all(const Planes& planes, std::size_t i, float from, float factor) {
  planes.red[i] = moved(planes.red[i], from, factor);
  planes.green[i] = moved(planes.green[i], from, factor);
  planes.blue[i] = moved(planes.blue[i], from, factor);
}

void change_brightness(const Planes& planes, float factor) {
  for (std::size_t i = 0; i < planes.red.size(); ++i) {
    move_all(planes, i, 0, factor);
  }
}

void change_contrast(const Planes& planes, float factor) {
  double sum = 0;
  for (std::size_t i = 0; i < planes.red.size(); ++i) {
    sum += static_cast<double>(planes.grey(i));
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(planes.red.size()));
  for (std::size_t i = 0; i < planes.red.size(); ++i) {
    move_all(planes, i, mean, factor);
  }
}

void change_saturation(const Planes& planes, float factor) {
  for (std::size_t i = 0; i < planes.red.size(); ++i) {
    move_all(planes, i, planes.grey(i), factor);
  }
}

}  // namespace

void jitter_colours(std::span<float> levels, double strength, RandomStream stream) {
  const std::size_t area = levels.size() / 3;
  const Planes planes{levels.first(area), levels.subspan(area, area), levels.subspan(2 * area)};
  using Change = void (*)(const Planes&, float);
  std::array<Change, 3> changes{change_brightness, change_contrast, change_saturation};
  stream.shuffle(std::span<Change>(changes));
  for (const Change change : changes) {
    change(planes, static_cast<float>(1 + strength * (2 * stream.uniform() - 1)));
  }
}

}  // namespace gcg
