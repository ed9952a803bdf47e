// The operations of vision transformers on blocks of samples.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/index.h"
#include "graph/parameters.h"
#include "sparse/operations.h"

namespace gcg::sparse {

namespace {

bool is_flat(const Layout& layout) { return layout.pitch() == layout.shape.width; }

/// Calls f(y, positions) for the rows of a stripe, or once for all of them where they lie side by
/// side.
template <typename F>
void for_each_row(const Layout& layout, Stripe stripe, F f) {
  if (is_flat(layout)) {
    f(stripe.top, stripe.height() * layout.shape.width);
    return;
  }
  for (std::int64_t y = stripe.top; y < stripe.bottom; ++y) {
    f(y, layout.shape.width);
  }
}

Columns columns_of(const Layout& layout, std::int64_t positions) {
  return {layout.shape.channels, layout.plane() * kLanes, positions};
}

/// Means of a row of a block; slopes follow those of all positions.
float* moments_of(const LayerNormState& norm, const Shape& shape, std::int64_t block,
                  std::int64_t y) {
  return norm.moments[at(2 * block * shape.positions() + y * shape.width)].lanes.data();
}

LayerNorm layer_norm(const LayerNormState& norm, const Shape& shape, std::int64_t block,
                     std::int64_t y) {
  const float* const mean = moments_of(norm, shape, block, y);
  return {norm.scale.data(), norm.shift.data(), mean, mean + shape.positions() * kLanes};
}

}  // namespace

Plane flat_plane(const Layout& layout, Stripe rows) {
  const Plane plane = plane_of(layout, rows);
  return is_flat(layout) ? Plane{1, plane.height * plane.row, 0, plane.next} : plane;
}

void gelu(const Run& run, Blocks part, Stripe stripe, const View& input, const View& output) {
  const Plane plane = flat_plane(input.layout, stripe);
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
      run.kernels->gelu(plane, input.at(b, c, stripe.top), output.at(b, c, stripe.top));
    }
  }
}

void gelu_backward(const Run& run, Blocks part, Stripe stripe, const View& input,
                   const View& gradient, bool accumulate, const View& to) {
  const Plane plane = flat_plane(input.layout, stripe);
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
      run.kernels->gelu_gradient(plane, input.at(b, c, stripe.top), gradient.at(b, c, stripe.top),
                                 accumulate, to.at(b, c, stripe.top));
    }
  }
}

void scale_samples(Blocks part, Stripe stripe, std::span<const Position> factors, const View& from,
                   bool accumulate, const View& to) {
  const Plane plane = flat_plane(from.layout, stripe);
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    const std::array<float, kLanes>& factor = factors[at(b)].lanes;
    for (std::int64_t c = 0; c < from.layout.shape.channels; ++c) {
      for (std::int64_t y = 0; y < plane.height; ++y) {
        const float* const x = from.at(b, c, stripe.top) + y * plane.pitch;
        float* const sum = to.at(b, c, stripe.top) + y * plane.pitch;
        for (std::int64_t i = 0; i < plane.row; i += kLanes) {
          for (std::int64_t lane = 0; lane < kLanes; ++lane) {
            const float scaled = x[i + lane] * factor[at(lane)];
            sum[i + lane] = accumulate ? sum[i + lane] + scaled : scaled;
          }
        }
      }
    }
  }
}

void layer_moments(const Run& run, Blocks part, Stripe stripe, const LayerNormState& norm,
                   const View& input) {
  const Shape& shape = input.layout.shape;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for_each_row(input.layout, stripe, [&](std::int64_t y, std::int64_t positions) {
      float* const mean = moments_of(norm, shape, b, y);
      run.kernels->layer_moments(columns_of(input.layout, positions),
                                 static_cast<float>(kLayerNormEpsilon), input.at(b, 0, y), mean,
                                 mean + shape.positions() * kLanes);
    });
  }
}

void layer_normalise(const Run& run, Blocks part, Stripe stripe, const LayerNormState& norm,
                     const View& input, const View& output) {
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for_each_row(input.layout, stripe, [&](std::int64_t y, std::int64_t positions) {
      run.kernels->layer_normalise(columns_of(input.layout, positions),
                                   layer_norm(norm, input.layout.shape, b, y), input.at(b, 0, y),
                                   run.lanes(b), output.at(b, 0, y));
    });
  }
}

void layer_norm_backward(const Run& run, Blocks part, Stripe stripe, const LayerNormState& norm,
                         const View& input, const View& gradient, bool accumulate, const View& to,
                         std::span<Position> sums) {
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for_each_row(input.layout, stripe, [&](std::int64_t y, std::int64_t positions) {
      run.kernels->layer_norm_gradient(columns_of(input.layout, positions),
                                       layer_norm(norm, input.layout.shape, b, y),
                                       input.at(b, 0, y), gradient.at(b, 0, y), accumulate,
                                       to.at(b, 0, y), sums.data()->lanes.data());
    });
  }
}

void make_tokens(const Run& run, Blocks part, std::span<const float> class_token,
                 std::span<const float> positions, const View& input, const View& output) {
  const Shape& image = input.layout.shape;
  const std::int64_t tokens = output.layout.shape.height;
  Position added;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    const std::int64_t samples = std::min(kLanes, run.samples - b * kLanes);
    const auto everywhere = [&](float value) {
      std::fill_n(added.lanes.begin(), samples, value);
      std::fill(added.lanes.begin() + samples, added.lanes.end(), 0.0F);
    };
    const Plane one{1, kLanes, 0, 0};
    for (std::int64_t c = 0; c < image.channels; ++c) {
      const float* const table = positions.data() + c * tokens;
      everywhere(class_token[at(c)] + table[0]);
      std::copy_n(added.lanes.data(), kLanes, output.at(b, c));
      for (std::int64_t t = 1; t < tokens; ++t) {
        everywhere(table[t]);
        run.kernels->add(one, input.at(b, c, (t - 1) / image.width, (t - 1) % image.width),
                         added.lanes.data(), output.at(b, c, t));
      }
    }
  }
}

void make_tokens_backward(const Run& run, Blocks part, const View& gradient, bool accumulate,
                          const View& to) {
  const Shape& image = to.layout.shape;
  const Plane one{1, kLanes, 0, 0};
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < image.channels; ++c) {
      for (std::int64_t p = 0; p < image.positions(); ++p) {
        const float* const from = gradient.at(b, c, p + 1);
        float* const target = to.at(b, c, p / image.width, p % image.width);
        if (accumulate) {
          run.kernels->add(one, target, from, target);
        } else {
          std::copy_n(from, kLanes, target);
        }
      }
    }
  }
}

void position_gradient(const Run& run, Blocks part, const View& gradient, std::span<float> sums) {
  const Layout& layout = gradient.layout;
  const std::int64_t tokens = layout.shape.height;
  const std::int64_t together = is_flat(layout) ? tokens : 1;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < layout.shape.channels; ++c) {
      for (std::int64_t t = 0; t < tokens; t += together) {
        run.kernels->add_lanes(gradient.at(b, c, t), together, sums.data() + c * tokens + t);
      }
    }
  }
}

void first_token(Blocks part, const View& input, const View& output) {
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < input.layout.shape.channels; ++c) {
      std::copy_n(input.at(b, c), kLanes, output.at(b, c));
    }
  }
}

void first_token_backward(const Run& run, Blocks part, const View& gradient, bool accumulate,
                          const View& to) {
  if (!accumulate) {
    clear(part, to);
  }
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < to.layout.shape.channels; ++c) {
      run.kernels->add({1, kLanes, 0, 0}, to.at(b, c), gradient.at(b, c), to.at(b, c));
    }
  }
}

namespace {

/// Positions that the scores of the tokens at hand may take: those and their gradients are a third
/// of a second cache of 1 MiB.
constexpr std::int64_t kScores = 2560;
/// What kernels take at once divides their number.
constexpr std::int64_t kTile = 5;

/// Tokens that look at the others at a time: equal shares of all.
std::int64_t tokens_at_a_time(std::int64_t tokens) {
  const std::int64_t parts = (tokens * tokens + kScores - 1) / kScores;
  const std::int64_t share = (tokens + parts - 1) / parts;
  return (share + kTile - 1) / kTile * kTile;
}

/// One head of one block: where its channels of a tensor begin, and the products it is made of.
struct Head {
  const Run& run;
  std::int64_t tokens;
  std::int64_t width;
  std::int64_t plane;
  std::int64_t pitch;

  /// scores[i][j] = sum over channels of looking[c][i] * looked_at[c][j], for `count` tokens i.
  void products(std::int64_t count, const float* looking, const float* looked_at,
                float* scores) const {
    run.kernels->multiply(
        {count, tokens, width, pitch, plane, pitch, plane, tokens * kLanes, kLanes}, looking,
        looked_at, false, scores);
  }
  /// to[c][i] (+)= sum over tokens j of scores[i][j] * from[c][j].
  void mix(std::int64_t count, const float* scores, const float* from, bool accumulate,
           float* to) const {
    run.kernels->multiply(
        {width, count, tokens, plane, pitch, tokens * kLanes, kLanes, plane, pitch}, from, scores,
        accumulate, to);
  }
  /// to[c][j] += sum over tokens i of scores[i][j] * from[c][i].
  void spread(std::int64_t count, const float* scores, const float* from, float* to) const {
    run.kernels->multiply(
        {width, tokens, count, plane, pitch, kLanes, tokens * kLanes, plane, pitch}, from, scores,
        true, to);
  }
};

/// Calls f(head, block, its first channel, its first token, tokens) for all blocks and heads, some
/// tokens at a time.
template <typename F>
void for_each_look(const Run& run, Blocks part, std::int64_t heads, const Layout& layout, F f) {
  const std::int64_t tokens = layout.shape.height;
  const Head head{run, tokens, layout.shape.channels / heads, layout.plane() * kLanes,
                  layout.pitch() * kLanes};
  const std::int64_t at_a_time = tokens_at_a_time(tokens);
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t i = 0; i < tokens; i += at_a_time) {
        f(head, b, h * head.width, i, std::min(at_a_time, tokens - i));
      }
    }
  }
}

float scale_of(const Head& head) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(head.width)));
}

}  // namespace

std::int64_t attention_room(std::int64_t tokens) { return 2 * tokens_at_a_time(tokens) * tokens; }

void attention(const Run& run, Blocks part, std::int64_t heads, const AttentionInputs& inputs,
               std::span<Position> room, const View& output) {
  float* const scores = room.data()->lanes.data();
  for_each_look(run, part, heads, output.layout,
                [&](const Head& head, std::int64_t b, std::int64_t c, std::int64_t token,
                    std::int64_t count) {
                  head.products(count, inputs.query.at(b, c, token), inputs.key.at(b, c), scores);
                  run.kernels->softmax(count, head.tokens, scale_of(head), scores);
                  head.mix(count, scores, inputs.value.at(b, c), false, output.at(b, c, token));
                });
}

void attention_backward(const Run& run, Blocks part, std::int64_t heads,
                        const AttentionInputs& inputs, const View& gradient,
                        std::span<Position> room, const AttentionInputs& to) {
  float* const scores = room.data()->lanes.data();
  float* const score_gradient = scores + room.size() / 2 * at(kLanes);
  for_each_look(
      run, part, heads, gradient.layout,
      [&](const Head& head, std::int64_t b, std::int64_t c, std::int64_t token,
          std::int64_t count) {
        const float* const query = inputs.query.at(b, c, token);
        const float* const own = gradient.at(b, c, token);
        head.products(count, query, inputs.key.at(b, c), scores);
        run.kernels->softmax(count, head.tokens, scale_of(head), scores);
        head.products(count, own, inputs.value.at(b, c), score_gradient);
        head.spread(count, scores, own, to.value.at(b, c));
        run.kernels->softmax_gradient(count, head.tokens, scale_of(head), scores, score_gradient);
        head.mix(count, score_gradient, inputs.key.at(b, c), true, to.query.at(b, c, token));
        head.spread(count, score_gradient, query, to.key.at(b, c));
      });
}

}  // namespace gcg::sparse
