// What transformers need, one number after the other, in the order of the vectors.
#include <algorithm>
#include <cmath>

#include "sparse/exponential.h"
#include "sparse/reference_kernels.h"

namespace gcg::sparse::reference {

namespace {

float exp_of_negative(float x) {
  x = x < kExpFrom ? kExpFrom : x;
  const float shifted = std::fma(x, kLog2E, kRound);
  const float k = shifted - kRound;
  const float r = std::fma(-k, kLog2Low, std::fma(-k, kLog2High, x));
  float sum = kExp[5];
  for (int i = 4; i >= 0; --i) {
    sum = std::fma(sum, r, kExp[i]);
  }
  sum = std::fma(sum, r, 1.0F);
  return sum * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U);
}

struct Normal {
  float distribution = 0;
  float exponential = 0;
};

Normal normal(float x) {
  const float t = 1.0F / std::fma(kTailScale, std::abs(x), 1.0F);
  float sum = kTail[7];
  for (int i = 6; i >= 0; --i) {
    sum = std::fma(sum, t, kTail[i]);
  }
  const float exponential = exp_of_negative(x * -0.5F * x);
  const float tail = exponential * t * sum;
  return {x > 0 ? 1.0F - tail : tail, exponential};
}

/// Over count values, four parts of which those behind the last four belong to the first.
template <typename F, typename Join>
float in_four_parts(std::int64_t count, float first, F f, Join join) {
  float part[4] = {first, first, first, first};
  for (std::int64_t i = 0; i < count; ++i) {
    float& own = part[i < count / 4 * 4 ? i % 4 : 0];
    own = f(i, own);
  }
  return join(join(part[0], part[1]), join(part[2], part[3]));
}

/// Sum over the channels, those of even and of odd ones apart.
template <typename F>
float channel_sum(const Columns& of, F f) {
  float part[2] = {};
  for (std::int64_t c = 0; c < of.channels; ++c) {
    float& own = part[c % 2];
    own = f(c * of.plane, own);
  }
  return part[0] + part[1];
}

}  // namespace

void multiply(const Products& of, const float* a, const float* b, bool accumulate, float* to) {
  for (std::int64_t r = 0; r < of.rows; ++r) {
    for (std::int64_t c = 0; c < of.columns; ++c) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        float& result = to[r * of.to_row + c * of.to_column + lane];
        float sum = accumulate ? result : 0.0F;
        for (std::int64_t k = 0; k < of.depth; ++k) {
          sum = std::fma(a[r * of.a_row + k * of.a_step + lane],
                         b[c * of.b_row + k * of.b_step + lane], sum);
        }
        result = sum;
      }
    }
  }
}

void softmax(std::int64_t rows, std::int64_t count, float scale, float* x) {
  for (std::int64_t i = 0; i < rows * kLanes; ++i) {
    float* const own = x + i / kLanes * count * kLanes + i % kLanes;
    const auto larger = [](float a, float b) { return b > a ? b : a; };
    const float largest = in_four_parts(
        count, own[0], [&](std::int64_t k, float found) { return larger(found, own[k * kLanes]); },
        larger);
    const float sum = in_four_parts(
        count, 0.0F,
        [&](std::int64_t k, float so_far) {
          own[k * kLanes] = exp_of_negative((own[k * kLanes] - largest) * scale);
          return so_far + own[k * kLanes];
        },
        [](float a, float b) { return a + b; });
    const float share = 1.0F / sum;
    for (std::int64_t k = 0; k < count; ++k) {
      own[k * kLanes] *= share;
    }
  }
}

void softmax_gradient(std::int64_t rows, std::int64_t count, float scale, const float* y,
                      float* g) {
  for (std::int64_t i = 0; i < rows * kLanes; ++i) {
    const std::int64_t first = i / kLanes * count * kLanes + i % kLanes;
    const float mean = in_four_parts(
        count, 0.0F,
        [&](std::int64_t k, float so_far) {
          return std::fma(y[first + k * kLanes], g[first + k * kLanes], so_far);
        },
        [](float a, float b) { return a + b; });
    for (std::int64_t k = first; k < first + count * kLanes; k += kLanes) {
      g[k] = scale * y[k] * (g[k] - mean);
    }
  }
}

void gelu(const Plane& plane, const float* x, float* y) {
  for_each(plane, [&](std::int64_t i, std::int64_t) { y[i] = x[i] * normal(x[i]).distribution; });
}

void gelu_gradient(const Plane& plane, const float* x, const float* g, bool accumulate, float* to) {
  for_each(plane, [&](std::int64_t i, std::int64_t) {
    const Normal at = normal(x[i]);
    const float gradient = g[i] * std::fma(x[i], at.exponential * kNormalDensity, at.distribution);
    to[i] = accumulate ? to[i] + gradient : gradient;
  });
}

void layer_moments(const Columns& of, float epsilon, const float* x, float* mean, float* slope) {
  const float share = 1.0F / static_cast<float>(of.channels);
  for (std::int64_t i = 0; i < of.positions * kLanes; ++i) {
    mean[i] =
        share * channel_sum(of, [&](std::int64_t c, float so_far) { return so_far + x[c + i]; });
    const float squares = channel_sum(of, [&](std::int64_t c, float so_far) {
      const float deviation = x[c + i] - mean[i];
      return std::fma(deviation, deviation, so_far);
    });
    slope[i] = 1.0F / std::sqrt(std::fma(squares, share, epsilon));
  }
}

void layer_normalise(const Columns& of, const LayerNorm& norm, const float* x, const float* lanes,
                     float* y) {
  for (std::int64_t c = 0; c < of.channels; ++c) {
    for (std::int64_t i = 0; i < of.positions * kLanes; ++i) {
      const float normal = (x[c * of.plane + i] - norm.mean[i]) * norm.slope[i];
      y[c * of.plane + i] =
          select(std::fma(norm.scale[c], normal, norm.shift[c]), lanes[i % kLanes]);
    }
  }
}

void layer_norm_gradient(const Columns& of, const LayerNorm& norm, const float* x, const float* g,
                         bool accumulate, float* to, float* sums) {
  const float share = 1.0F / static_cast<float>(of.channels);
  for (std::int64_t i = 0; i < of.positions * kLanes; ++i) {
    const auto normal = [&](std::int64_t c) {
      return (x[c * of.plane + i] - norm.mean[i]) * norm.slope[i];
    };
    float sum = 0;
    float along = 0;
    for (std::int64_t c = 0; c < of.channels; ++c) {
      const float gradient = g[c * of.plane + i];
      const float scaled = norm.scale[c] * gradient;
      float* const own = sums + 2 * c * kLanes + i % kLanes;
      own[0] += gradient;
      own[kLanes] = std::fma(gradient, normal(c), own[kLanes]);
      sum += scaled;
      along = std::fma(scaled, normal(c), along);
    }
    sum *= share;
    along *= share;
    for (std::int64_t c = 0; c < of.channels; ++c) {
      float& result = to[c * of.plane + i];
      const float value = norm.scale[c] * g[c * of.plane + i] - sum;
      const float gradient = norm.slope[i] * std::fma(-normal(c), along, value);
      result = accumulate ? result + gradient : gradient;
    }
  }
}

}  // namespace gcg::sparse::reference
