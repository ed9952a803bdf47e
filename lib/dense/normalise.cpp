#include "dense/normalise.h"

#include <ATen/Parallel.h>

#include <algorithm>

// One version for each width of vectors. Every lane adds up its own elements, so the bits are the
// same.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GCG_VECTOR_WIDTHS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GCG_VECTOR_WIDTHS
#endif
#define GCG_INLINE [[gnu::always_inline]] inline

namespace gcg {

namespace {

/// The arrays are cut into rows of a whole number of positions, long enough for wide vectors
/// however few the channels; the last row may be short. Lane i of a row belongs to channel i %
/// channels.
std::int64_t row_length(std::int64_t channels) {
  return channels * std::max<std::int64_t>(1, 128 / channels);
}

/// One value a channel, repeated for every lane.
std::vector<float> lanes(std::span<const float> per_channel) {
  std::vector<float> row(static_cast<std::size_t>(row_length(std::ssize(per_channel))));
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = per_channel[i % per_channel.size()];
  }
  return row;
}

/// A Normalisation with one value a lane.
struct Lanes {
  explicit Lanes(const Normalisation& norm)
      : mean(lanes(norm.mean)), slope(lanes(norm.slope)), shift(lanes(norm.shift)) {}
  [[nodiscard]] std::int64_t row() const { return std::ssize(mean); }

  std::vector<float> mean;
  std::vector<float> slope;
  std::vector<float> shift;
};

/// Whole rows whose sums fit single precision; what parallel threads share. Independent of their
/// number.
struct Chunks {
  Chunks(std::size_t elements, std::int64_t row)
      : size(static_cast<std::int64_t>(elements)),
        length(std::max<std::int64_t>(1, 16384 / row) * row),
        count((size + length - 1) / length) {}

  /// Calls f(chunk, first element, number of elements).
  template <typename F>
  void for_each(F f) const {
    at::parallel_for(0, count, 4, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t chunk = first; chunk < last; ++chunk) {
        const std::int64_t begin = chunk * length;
        f(chunk, begin, std::min(length, size - begin));
      }
    });
  }

  std::int64_t size;
  std::int64_t length;
  std::int64_t count;
};

/// Sums in double precision, [chunks][channels].
struct PartialSums {
  PartialSums(const Chunks& chunks, std::int64_t channel_count)
      : channels(channel_count),
        sums(static_cast<std::size_t>(chunks.count * channel_count), 0.0) {}

  double& at(std::int64_t chunk, std::int64_t lane) {
    return sums[static_cast<std::size_t>(chunk * channels + lane % channels)];
  }
  /// Per channel, the chunks in their order.
  [[nodiscard]] std::vector<double> total() const {
    std::vector<double> result(static_cast<std::size_t>(channels), 0.0);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      result[i % result.size()] += sums[i];
    }
    return result;
  }

  std::int64_t channels;
  std::vector<double> sums;
};

GCG_VECTOR_WIDTHS
void add_values(const float* input, std::int64_t count, std::int64_t row, float* sums) {
  for (std::int64_t r = 0; r < count; r += row) {
    const std::int64_t length = std::min(row, count - r);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < length; ++i) {
      sums[i] += input[r + i];
    }
  }
}

GCG_VECTOR_WIDTHS
void add_squares(const float* input, std::int64_t count, std::int64_t row, const float* mean,
                 float* sums) {
  for (std::int64_t r = 0; r < count; r += row) {
    const std::int64_t length = std::min(row, count - r);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < length; ++i) {
      const float deviation = input[r + i] - mean[i];
      sums[i] += deviation * deviation;
    }
  }
}

template <bool kShortcut, bool kRelu>
GCG_INLINE void normalise_rows(const Lanes& norm, const float* input, const float* shortcut,
                               std::int64_t count, float* output) {
  const std::int64_t row = norm.row();
  const float* mean = norm.mean.data();
  const float* slope = norm.slope.data();
  const float* shift = norm.shift.data();
  for (std::int64_t r = 0; r < count; r += row) {
    const std::int64_t length = std::min(row, count - r);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < length; ++i) {
      float value = (input[r + i] - mean[i]) * slope[i] + shift[i];
      if constexpr (kShortcut) {
        value += shortcut[r + i];
      }
      output[r + i] = kRelu && value <= 0 ? 0 : value;
    }
  }
}

GCG_VECTOR_WIDTHS
void normalise_chunk(const Lanes& norm, const float* input, const float* shortcut, bool relu,
                     std::int64_t count, float* output) {
  if (shortcut == nullptr) {
    relu ? normalise_rows<false, true>(norm, input, shortcut, count, output)
         : normalise_rows<false, false>(norm, input, shortcut, count, output);
  } else {
    relu ? normalise_rows<true, true>(norm, input, shortcut, count, output)
         : normalise_rows<true, false>(norm, input, shortcut, count, output);
  }
}

/// The gradient behind the ReLU: none where its output was 0, which is computed again with the same
/// bits.
template <bool kRelu>
GCG_INLINE float through(float gradient, float centred, float slope, float shift) {
  return kRelu && centred * slope + shift <= 0 ? 0 : gradient;
}

template <bool kRelu>
GCG_INLINE void sum_rows(const Lanes& norm, const float* input, const float* gradient,
                         std::int64_t count, float* sums, float* centred_sums) {
  const std::int64_t row = norm.row();
  const float* mean = norm.mean.data();
  const float* slope = norm.slope.data();
  const float* shift = norm.shift.data();
  for (std::int64_t r = 0; r < count; r += row) {
    const std::int64_t length = std::min(row, count - r);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < length; ++i) {
      const float centred = input[r + i] - mean[i];
      const float g = through<kRelu>(gradient[r + i], centred, slope[i], shift[i]);
      sums[i] += g;
      centred_sums[i] += g * centred;
    }
  }
}

GCG_VECTOR_WIDTHS
void sum_chunk(const Lanes& norm, const float* input, bool relu, const float* gradient,
               std::int64_t count, float* sums, float* centred_sums) {
  relu ? sum_rows<true>(norm, input, gradient, count, sums, centred_sums)
       : sum_rows<false>(norm, input, gradient, count, sums, centred_sums);
}

template <bool kRelu>
GCG_INLINE void backward_rows(const Lanes& norm, const float* input, const float* gradient,
                              const float* centred_factor, const float* constant,
                              std::int64_t count, float* input_gradient) {
  const std::int64_t row = norm.row();
  const float* mean = norm.mean.data();
  const float* slope = norm.slope.data();
  const float* shift = norm.shift.data();
  for (std::int64_t r = 0; r < count; r += row) {
    const std::int64_t length = std::min(row, count - r);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < length; ++i) {
      const float centred = input[r + i] - mean[i];
      const float g = through<kRelu>(gradient[r + i], centred, slope[i], shift[i]);
      input_gradient[r + i] = slope[i] * g + (centred_factor[i] * centred + constant[i]);
    }
  }
}

GCG_VECTOR_WIDTHS
void backward_chunk(const Lanes& norm, const float* input, bool relu, const float* gradient,
                    const float* centred_factor, const float* constant, std::int64_t count,
                    float* input_gradient) {
  relu ? backward_rows<true>(norm, input, gradient, centred_factor, constant, count, input_gradient)
       : backward_rows<false>(norm, input, gradient, centred_factor, constant, count,
                              input_gradient);
}

}  // namespace

ChannelMoments channel_moments(std::span<const float> input, std::int64_t channels) {
  const std::int64_t row = row_length(channels);
  const Chunks chunks(input.size(), row);
  // Every lane of every chunk is a group of n values with mean m: the variance of a channel is that
  // within its groups plus that of their means.
  PartialSums sums(chunks, channels);           // n m
  PartialSums squared_means(chunks, channels);  // n m^2
  PartialSums within(chunks, channels);         // (x - m)^2
  chunks.for_each([&](std::int64_t chunk, std::int64_t begin, std::int64_t count) {
    const auto group_size = [&](std::int64_t lane) { return (count - lane + row - 1) / row; };
    const std::int64_t used = std::min(row, count);
    std::vector<float> mean(static_cast<std::size_t>(row), 0.0F);
    std::vector<float> squares(static_cast<std::size_t>(row), 0.0F);
    add_values(input.data() + begin, count, row, mean.data());
    for (std::int64_t i = 0; i < used; ++i) {
      mean[static_cast<std::size_t>(i)] /= static_cast<float>(group_size(i));
    }
    add_squares(input.data() + begin, count, row, mean.data(), squares.data());
    for (std::int64_t i = 0; i < used; ++i) {
      const double n = static_cast<double>(group_size(i));
      const double m = static_cast<double>(mean[static_cast<std::size_t>(i)]);
      sums.at(chunk, i) += n * m;
      squared_means.at(chunk, i) += n * m * m;
      within.at(chunk, i) += static_cast<double>(squares[static_cast<std::size_t>(i)]);
    }
  });
  const double count = static_cast<double>(std::ssize(input) / channels);
  ChannelMoments moments{sums.total(), within.total()};
  const std::vector<double> between = squared_means.total();
  for (std::size_t c = 0; c < between.size(); ++c) {
    const double mean = moments.mean[c] / count;
    const double variance = (moments.variance[c] + between[c]) / count - mean * mean;
    moments.mean[c] = mean;
    moments.variance[c] = variance < 0 ? 0 : variance;  // NaN stays
  }
  return moments;
}

void normalise(const Normalisation& norm, std::span<const float> input,
               std::span<const float> shortcut, bool relu, std::span<float> output) {
  const Lanes wide(norm);
  const Chunks chunks(input.size(), wide.row());
  chunks.for_each([&](std::int64_t, std::int64_t begin, std::int64_t count) {
    normalise_chunk(wide, input.data() + begin,
                    shortcut.empty() ? nullptr : shortcut.data() + begin, relu, count,
                    output.data() + begin);
  });
}

GradientSums gradient_sums(const Normalisation& norm, std::span<const float> input, bool relu,
                           std::span<const float> gradient) {
  const Lanes wide(norm);
  const Chunks chunks(input.size(), wide.row());
  PartialSums sums(chunks, std::ssize(norm.mean));
  PartialSums centred(chunks, std::ssize(norm.mean));
  chunks.for_each([&](std::int64_t chunk, std::int64_t begin, std::int64_t count) {
    std::vector<float> lane_sums(wide.mean.size(), 0.0F);
    std::vector<float> lane_centred(wide.mean.size(), 0.0F);
    sum_chunk(wide, input.data() + begin, relu, gradient.data() + begin, count, lane_sums.data(),
              lane_centred.data());
    for (std::int64_t i = 0; i < wide.row(); ++i) {
      sums.at(chunk, i) += static_cast<double>(lane_sums[static_cast<std::size_t>(i)]);
      centred.at(chunk, i) += static_cast<double>(lane_centred[static_cast<std::size_t>(i)]);
    }
  });
  return {sums.total(), centred.total()};
}

void normalise_backward(const Normalisation& norm, std::span<const float> input, bool relu,
                        std::span<const float> gradient, std::span<const float> centred_factor,
                        std::span<const float> constant, std::span<float> input_gradient) {
  const Lanes wide(norm);
  const std::vector<float> wide_factor = lanes(centred_factor);
  const std::vector<float> wide_constant = lanes(constant);
  const Chunks chunks(input.size(), wide.row());
  chunks.for_each([&](std::int64_t, std::int64_t begin, std::int64_t count) {
    backward_chunk(wide, input.data() + begin, relu, gradient.data() + begin, wide_factor.data(),
                   wide_constant.data(), count, input_gradient.data() + begin);
  });
}

}  // namespace gcg
