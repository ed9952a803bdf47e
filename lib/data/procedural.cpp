#include "data/procedural.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "data/shapes.h"

namespace gcg {

namespace {

/// Strength of every disturbance at difficulty 1, so chosen that a dense ResNet-8 of width 8 ends
/// between 80 and 92 % at difficulty 0.5 (16 epochs on 4,000 images; seeds differ by several
/// points).
constexpr float kStrongest = 0.45F;

constexpr Shape kShape{3, Canvas::kEdge, Canvas::kEdge};

float uniform(RandomStream& stream, float low, float high) {
  return low + (high - low) * static_cast<float>(stream.uniform());
}

Colour random_colour(RandomStream& stream) {
  Colour colour;
  for (float& component : colour) {
    component = uniform(stream, 0, 255);
  }
  return colour;
}

/// A colour whose mean distance to `other` is `contrast` of what it would be at full contrast.
Colour contrasting_colour(RandomStream& stream, const Colour& other, float contrast) {
  Colour colour;
  float distance = 0;
  do {
    colour = random_colour(stream);
    distance = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      distance += std::abs(colour[c] - other[c]);
    }
  } while (distance < 3 * 80);
  for (std::size_t c = 0; c < 3; ++c) {
    colour[c] = other[c] + contrast * (colour[c] - other[c]);
  }
  return colour;
}

/// Adds a smooth random field: a 5x5 grid of values in [-amplitude, amplitude], interpolated.
void add_smooth_field(RandomStream& stream, float amplitude, std::span<float> plane) {
  constexpr int cells = 4;
  constexpr int step = Canvas::kEdge / cells;
  std::array<std::array<float, cells + 1>, cells + 1> grid;
  for (auto& row : grid) {
    for (float& value : row) {
      value = uniform(stream, -amplitude, amplitude);
    }
  }
  for (std::size_t y = 0; y < Canvas::kEdge; ++y) {
    const auto& above = grid[y / step];
    const auto& below = grid[y / step + 1];
    const float down = static_cast<float>(y % step) / step;
    for (std::size_t x = 0; x < Canvas::kEdge; ++x) {
      const std::size_t cell = x / step;
      const float right = static_cast<float>(x % step) / step;
      const float top = above[cell] + right * (above[cell + 1] - above[cell]);
      const float bottom = below[cell] + right * (below[cell + 1] - below[cell]);
      plane[y * Canvas::kEdge + x] += top + down * (bottom - top);
    }
  }
}

/// A pose of this radius in pixels. `turn` and `stretch` in [0, 1] are the shares of a quarter turn
/// either way and of the strongest change of the aspect ratio.
Pose random_pose(RandomStream& stream, float radius, float turn, float stretch) {
  Pose pose;
  // By the half angle's tangent: no trigonometric function, whose last bit libraries disagree on.
  const float tangent = uniform(stream, -turn, turn);
  const float cosine = (1 - tangent * tangent) / (1 + tangent * tangent);
  const float sine = 2 * tangent / (1 + tangent * tangent);
  const float aspect = uniform(stream, 1, 1 + 0.6F * stretch);
  const bool wide = stream.below(2) == 1;
  const float across = 1 / (wide ? radius : radius / aspect);
  const float along = 1 / (wide ? radius / aspect : radius);
  pose.xx = cosine * across;
  pose.xy = sine * across;
  pose.yx = -sine * along;
  pose.yy = cosine * along;
  pose.pixels = radius;
  pose.frequency = uniform(stream, 3, 4.5F);
  return pose;
}

void place(RandomStream& stream, float reach, Pose& pose) {
  constexpr float middle = 0.5F * (Canvas::kEdge - 1);
  pose.centre_x = middle + uniform(stream, -reach, reach);
  pose.centre_y = middle + uniform(stream, -reach, reach);
}

/// A small shape of another class.
void paint_clutter(RandomStream& stream, std::int32_t label, Canvas& canvas,
                   const Colour& background, float contrast) {
  const auto other = static_cast<std::int32_t>(stream.below(kShapeKinds - 1));
  const auto kind = static_cast<ShapeKind>(other < label ? other : other + 1);
  Pose pose = random_pose(stream, uniform(stream, 2.5F, 4.5F), 1, 0.5F);
  place(stream, 15, pose);
  const Colour colour = contrasting_colour(stream, background, contrast);
  paint(canvas, shape_coverage(kind, pose), colour, 1);
}

/// A bar across the shape.
void paint_occluder(RandomStream& stream, const Pose& shape, Canvas& canvas,
                    const Colour& background, float contrast) {
  Pose pose = random_pose(stream, uniform(stream, 1.5F, 3.0F), 1, 0);
  pose.yx = 0;  // no end: a strip over the whole image
  pose.yy = 0;
  pose.centre_x = shape.centre_x + uniform(stream, -6, 6);
  pose.centre_y = shape.centre_y + uniform(stream, -6, 6);
  const Colour colour = contrasting_colour(stream, background, contrast);
  paint(canvas, shape_coverage(ShapeKind::square, pose), colour, 1);
}

/// `strength` in [0, kStrongest].
void draw_image(RandomStream stream, std::int32_t label, float strength,
                std::span<std::uint8_t> pixels) {
  Canvas canvas;
  const Colour background = random_colour(stream);
  for (std::size_t c = 0; c < 3; ++c) {
    const std::span plane =
        std::span(canvas.values).subspan(c * Canvas::kPositions, Canvas::kPositions);
    std::fill(plane.begin(), plane.end(), background[c]);
    add_smooth_field(stream, 70 * strength, plane);
  }
  const float faintest = 1 - 0.8F * strength;
  const auto clutter = static_cast<int>(uniform(stream, 0, 1 + 6 * strength));
  for (int i = 0; i < clutter; ++i) {
    paint_clutter(stream, label, canvas, background, uniform(stream, faintest, 1));
  }

  Pose pose = random_pose(stream, uniform(stream, 11 - 7 * strength, 12), strength, strength);
  place(stream, 1 + 8 * strength, pose);
  const Colour colour = contrasting_colour(stream, background, uniform(stream, faintest, 1));
  paint(canvas, shape_coverage(static_cast<ShapeKind>(label), pose), colour, 1);

  if (stream.uniform() < static_cast<double>(strength)) {
    paint_occluder(stream, pose, canvas, background, uniform(stream, faintest, 1));
  }

  // Noise: the sum of four bytes, nearly normal with deviation 147.8, times this.
  const float noise = (4 + 36 * strength) / 147.8F;
  for (std::size_t i = 0; i < canvas.values.size(); ++i) {
    const std::uint32_t bits = stream.next_u32();
    const auto sum =
        static_cast<float>((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24));
    const float value = canvas.values[i] + noise * (sum - 510);
    pixels[i] = static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F) + 0.5F);
  }
}

ImageSet draw_set(std::string_view stream_name, std::uint64_t part, std::int64_t count,
                  const ProceduralOptions& options) {
  ImageSet images;
  images.shape = kShape;
  images.labels.resize(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    images.labels[i] = static_cast<std::int32_t>(i % kShapeKinds);
  }
  RandomStream(options.seed, "procedural-labels", part).shuffle(std::span(images.labels));

  const auto elements = static_cast<std::size_t>(kShape.elements());
  images.pixels.resize(images.labels.size() * elements);
  const RandomStream stream(options.seed, stream_name);
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    draw_image(stream.at(i), images.labels[i], kStrongest * static_cast<float>(options.difficulty),
               std::span(images.pixels).subspan(i * elements, elements));
  }
  return images;
}

}  // namespace

DataSet make_procedural(const ProceduralOptions& options) {
  for (const std::int64_t count : {options.train_images, options.test_images}) {
    if (count < kShapeKinds || count > kMostProceduralImages) {
      throw Error("procedural images", fmt::format("{} images asked for", count),
                  fmt::format("ask for {} to {}", kShapeKinds, kMostProceduralImages));
    }
  }
  if (!(options.difficulty >= 0 && options.difficulty <= 1)) {
    throw Error("procedural images", fmt::format("the difficulty is {}", options.difficulty),
                "choose one in [0, 1]");
  }
  DataSet data;
  data.name = "procedural";
  data.classes = kShapeKinds;
  data.train = draw_set("procedural-train", 0, options.train_images, options);
  data.test = draw_set("procedural-test", 1, options.test_images, options);
  data.digest = data_digest(data.train, data.test);
  return data;
}

}  // namespace gcg
