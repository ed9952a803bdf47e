#include "data/teacher.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "data/shapes.h"

namespace gcg {

namespace {

constexpr std::size_t kUnits = 16;
constexpr std::size_t kClasses = static_cast<std::size_t>(kShapeKinds);

/// A present connection of a 3x3 convolution.
struct Tap {
  std::size_t from = 0, to = 0;  ///< channels
  int dy = 0, dx = 0;
  float weight = 0;
};

/// Planes [channel][edge][edge].
using Planes = std::vector<float>;

float uniform(RandomStream& stream, float bound) {
  return bound * (2 * static_cast<float>(stream.uniform()) - 1);
}

/// One connection for every unit, the rest anywhere; in the order of unit, source, row, column.
std::vector<Tap> random_convolution(std::size_t inputs, double density, RandomStream stream) {
  const std::size_t fan = 9 * inputs;
  const std::size_t all = kUnits * fan;
  const auto wanted =
      std::max(kUnits, static_cast<std::size_t>(std::llround(density * static_cast<double>(all))));
  std::vector<bool> present(all, false);
  for (std::size_t unit = 0; unit < kUnits; ++unit) {
    present[unit * fan + stream.below(fan)] = true;
  }
  std::vector<std::size_t> absent;
  for (std::size_t i = 0; i < all; ++i) {
    if (!present[i]) {
      absent.push_back(i);
    }
  }
  stream.shuffle(std::span(absent));
  for (std::size_t i = 0; i + kUnits < wanted; ++i) {
    present[absent[i]] = true;
  }
  std::vector<Tap> taps;
  for (std::size_t unit = 0; unit < kUnits; ++unit) {
    const auto first = present.begin() + static_cast<std::ptrdiff_t>(unit * fan);
    const auto own = std::count(first, first + static_cast<std::ptrdiff_t>(fan), true);
    const float bound = std::sqrt(3.0F / static_cast<float>(own));
    for (std::size_t i = 0; i < fan; ++i) {
      if (present[unit * fan + i]) {
        const auto tap = static_cast<int>(i % 9);
        taps.push_back({i / 9, unit, tap / 3 - 1, tap % 3 - 1, uniform(stream, bound)});
      }
    }
  }
  return taps;
}

Planes convolve(const Planes& input, int edge, const std::vector<Tap>& taps) {
  const auto area = static_cast<std::size_t>(edge * edge);
  Planes output(kUnits * area, 0.0F);
  for (const Tap& tap : taps) {
    const float* from = input.data() + tap.from * area;
    float* to = output.data() + tap.to * area;
    for (int y = std::max(0, -tap.dy); y < std::min(edge, edge - tap.dy); ++y) {
      for (int x = std::max(0, -tap.dx); x < std::min(edge, edge - tap.dx); ++x) {
        to[y * edge + x] += tap.weight * from[(y + tap.dy) * edge + x + tap.dx];
      }
    }
  }
  for (float& value : output) {
    value = std::max(value, 0.0F);
  }
  return output;
}

/// Means of 2x2 positions.
template <typename Value>
Planes halve(std::span<const Value> planes, std::size_t edge) {
  const std::size_t half = edge / 2;
  Planes result(planes.size() / 4);
  for (std::size_t row = 0; row < planes.size() / edge / 2; ++row) {
    const auto above = planes.subspan(2 * row * edge, 2 * edge);
    for (std::size_t x = 0; x < half; ++x) {
      result[row * half + x] =
          0.25F *
          (static_cast<float>(above[2 * x]) + static_cast<float>(above[2 * x + 1]) +
           static_cast<float>(above[edge + 2 * x]) + static_cast<float>(above[edge + 2 * x + 1]));
    }
  }
  return result;
}

struct Teacher {
  std::vector<Tap> first, second;
  std::array<float, kClasses * kUnits> readout{};
};

Teacher random_teacher(const TeacherOptions& options) {
  Teacher teacher;
  teacher.first = random_convolution(3, options.density, RandomStream(options.seed, "teacher", 0));
  teacher.second =
      random_convolution(kUnits, options.density, RandomStream(options.seed, "teacher", 1));
  RandomStream stream(options.seed, "teacher", 2);
  for (float& weight : teacher.readout) {
    weight = uniform(stream, 1);
  }
  return teacher;
}

/// Readouts [image][class].
std::vector<float> readouts(const Teacher& teacher, const ImageSet& images) {
  const auto edge = static_cast<std::size_t>(images.shape.height);
  const auto elements = static_cast<std::size_t>(images.shape.elements());
  std::vector<float> result;
  result.reserve(images.labels.size() * kClasses);
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    Planes planes = halve(std::span(images.pixels).subspan(i * elements, elements), edge);
    for (float& value : planes) {
      value = (value - 127.5F) / 64;
    }
    planes = convolve(planes, static_cast<int>(edge / 2), teacher.first);
    planes = halve(std::span<const float>(planes), edge / 2);
    planes = convolve(planes, static_cast<int>(edge / 4), teacher.second);
    const std::size_t area = planes.size() / kUnits;
    std::array<float, kUnits> features{};
    for (std::size_t unit = 0; unit < kUnits; ++unit) {
      const auto first = planes.begin() + static_cast<std::ptrdiff_t>(unit * area);
      features[unit] = std::accumulate(first, first + static_cast<std::ptrdiff_t>(area), 0.0F) /
                       static_cast<float>(area);
    }
    for (std::size_t c = 0; c < kClasses; ++c) {
      result.push_back(std::inner_product(
          features.begin(), features.end(),
          teacher.readout.begin() + static_cast<std::ptrdiff_t>(c * kUnits), 0.0F));
    }
  }
  return result;
}

struct Scale {
  std::array<double, kClasses> mean{}, deviation{};
};

Scale scale_of(const std::vector<float>& readouts) {
  const auto images = static_cast<double>(readouts.size() / kClasses);
  Scale scale;
  for (std::size_t i = 0; i < readouts.size(); ++i) {
    scale.mean[i % kClasses] += static_cast<double>(readouts[i]);
  }
  for (double& mean : scale.mean) {
    mean /= images;
  }
  for (std::size_t i = 0; i < readouts.size(); ++i) {
    const double difference = static_cast<double>(readouts[i]) - scale.mean[i % kClasses];
    scale.deviation[i % kClasses] += difference * difference;
  }
  for (double& deviation : scale.deviation) {
    deviation = std::sqrt(deviation / images);
    if (!(deviation > 0)) {
      throw Error("teacher's labels", "a readout is the same for all training images",
                  "choose another teacher seed or a larger density");
    }
  }
  return scale;
}

void relabel(const std::vector<float>& readouts, const Scale& scale, ImageSet& images) {
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    double largest = 0;
    for (std::size_t c = 0; c < kClasses; ++c) {
      const double value =
          (static_cast<double>(readouts[i * kClasses + c]) - scale.mean[c]) / scale.deviation[c];
      if (c == 0 || value > largest) {
        largest = value;
        images.labels[i] = static_cast<std::int32_t>(c);
      }
    }
  }
}

}  // namespace

DataSet make_teacher(const TeacherOptions& options) {
  if (!(options.density >= kSparsestTeacher && options.density <= 1)) {
    throw Error("teacher's labels", fmt::format("the density is {}", options.density),
                fmt::format("choose one in [{}, 1]", kSparsestTeacher));
  }
  DataSet data = make_procedural(options.images);
  const Teacher teacher = random_teacher(options);
  const std::vector<float> train = readouts(teacher, data.train);
  const Scale scale = scale_of(train);
  relabel(train, scale, data.train);
  relabel(readouts(teacher, data.test), scale, data.test);
  data.name = "teacher";
  data.flip = false;
  data.crop_padding = 0;
  data.digest = data_digest(data.train, data.test);
  return data;
}

}  // namespace gcg
