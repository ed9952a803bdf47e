#include "sparse/operations.h"

#include <algorithm>
#include <bit>

#include "base/index.h"

namespace gcg::sparse {

namespace {

Plane plane_of(const Layout& layout) {
  return {layout.shape.height, layout.shape.width * kLanes, layout.pitch() * kLanes};
}

PoolPlane pool_plane(const Window& window, const Layout& input, const Layout& output) {
  return {input.shape.height,
          input.shape.width,
          input.pitch() * kLanes,
          output.shape.height,
          output.shape.width,
          output.pitch() * kLanes,
          window};
}

/// Calls f(block, channel) for all of them.
template <typename F>
void for_each_plane(Blocks part, std::int64_t channels, F f) {
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      f(b, c);
    }
  }
}

/// The same for the planes that a view has: of channels, or of pairs of them.
template <typename F>
void for_each_stored(Blocks part, const View& view, F f) {
  const std::int64_t step = view.bf16 ? 2 : 1;
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t c = 0; c < view.layout.shape.channels; c += step) {
      f(b, c);
    }
  }
}

void clear(const Plane& plane, float* to) {
  for (std::int64_t y = 0; y < plane.height; ++y) {
    std::fill_n(to + y * plane.pitch, plane.row, 0.0F);
  }
}

void copy(const Plane& plane, const float* from, float* to) {
  for (std::int64_t y = 0; y < plane.height; ++y) {
    std::copy_n(from + y * plane.pitch, plane.row, to + y * plane.pitch);
  }
}

}  // namespace

Run::Run(const Kernels& kernel_set, std::int64_t thread_count, std::int64_t sample_count)
    : kernels(&kernel_set),
      threads(thread_count),
      samples(sample_count),
      blocks(block_count(sample_count)) {
  const float selected = std::bit_cast<float>(~std::uint32_t{0});
  all_.lanes.fill(selected);
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    last_.lanes[at(lane)] = (blocks - 1) * kLanes + lane < samples ? selected : 0.0F;
  }
}

void pack(const Run& run, Blocks part, std::span<const float> images, const View& to) {
  const Shape& shape = to.layout.shape;
  for_each_plane(part, shape.channels, [&](std::int64_t block, std::int64_t channel) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const std::int64_t sample = block * kLanes + lane;
      const bool real = sample < run.samples;
      const float* from =
          images.data() + (real ? sample * shape.elements() + channel * shape.positions() : 0);
      for (std::int64_t y = 0; y < shape.height; ++y) {
        float* row = to.at(block, channel, y) + lane;
        for (std::int64_t x = 0; x < shape.width; ++x) {
          row[x * kLanes] = real ? from[y * shape.width + x] : 0.0F;
        }
      }
    }
  });
}

void unpack(const View& from, std::span<float> images) {
  const Shape& shape = from.layout.shape;
  float* to = images.data();
  for (std::int64_t s = 0; s < std::ssize(images) / shape.elements(); ++s) {
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      for (std::int64_t y = 0; y < shape.height; ++y) {
        for (std::int64_t x = 0; x < shape.width; ++x) {
          *to++ = from.at(s / kLanes, c, y, x)[s % kLanes];
        }
      }
    }
  }
}

void expand(const Run& run, std::int64_t block, Stripe rows, const View& from, const View& to) {
  const Plane plane = plane_of(from.layout, rows);
  for_each_pair(from.layout, [&](std::int64_t c, std::int64_t partner) {
    run.kernels->expand_bf16(plane, from.at(block, c, rows.top), to.at(block, c, rows.top),
                             to.at(block, partner, rows.top));
  });
}

void compress(const Run& run, std::int64_t block, Stripe rows, const View& from, bool accumulate,
              const View& to) {
  const Plane plane = plane_of(to.layout, rows);
  for_each_pair(to.layout, [&](std::int64_t c, std::int64_t partner) {
    run.kernels->compress_bf16(plane, from.at(block, c, rows.top),
                               from.at(block, partner, rows.top), accumulate,
                               to.at(block, c, rows.top));
  });
}

void relu(const Run& run, Blocks part, const View& input, const View& output) {
  const Plane plane = plane_of(input.layout);
  for_each_plane(part, input.layout.shape.channels, [&](std::int64_t b, std::int64_t c) {
    run.kernels->relu(plane, input.at(b, c), output.at(b, c));
  });
}

void relu_backward(const Run& run, Blocks part, const View& output, const View& gradient,
                   bool accumulate, const View& to) {
  const Plane plane = plane_of(output.layout);
  for_each_plane(part, output.layout.shape.channels, [&](std::int64_t b, std::int64_t c) {
    run.kernels->relu_gradient(plane, output.at(b, c), gradient.at(b, c), accumulate, to.at(b, c));
  });
}

void add(const Run& run, Blocks part, const View& a, const View& b, const View& to) {
  const Plane plane = plane_of(to.layout);
  for_each_stored(part, to, [&](std::int64_t block, std::int64_t c) {
    (to.bf16 ? run.kernels->add_bf16 : run.kernels->add)(plane, a.at(block, c), b.at(block, c),
                                                         to.at(block, c));
  });
}

void copy(const Run&, Blocks part, const View& from, const View& to) {
  const Plane plane = plane_of(to.layout);
  for_each_stored(part, to,
                  [&](std::int64_t b, std::int64_t c) { copy(plane, from.at(b, c), to.at(b, c)); });
}

void max_pool(const Run& run, Blocks part, const Window& window, const View& input,
              const View& output) {
  const PoolPlane plane = pool_plane(window, input.layout, output.layout);
  for_each_plane(part, input.layout.shape.channels, [&](std::int64_t b, std::int64_t c) {
    run.kernels->max_pool(plane, input.at(b, c), output.at(b, c));
  });
}

void max_pool_backward(const Run& run, Blocks part, const Window& window, const View& input,
                       const View& gradient, bool accumulate, const View& to) {
  const PoolPlane plane = pool_plane(window, input.layout, gradient.layout);
  for_each_plane(part, input.layout.shape.channels, [&](std::int64_t b, std::int64_t c) {
    if (!accumulate) {
      clear(plane_of(to.layout), to.at(b, c));
    }
    run.kernels->max_pool_gradient(plane, input.at(b, c), gradient.at(b, c), to.at(b, c));
  });
}

void average_pool(const Run& run, Blocks part, const Window& window, const View& input,
                  const View& output) {
  const PoolPlane plane = pool_plane(window, input.layout, output.layout);
  for_each_plane(part, input.layout.shape.channels, [&](std::int64_t b, std::int64_t c) {
    run.kernels->average_pool(plane, input.at(b, c), output.at(b, c));
  });
}

void average_pool_backward(const Run& run, Blocks part, const Window& window, const View& gradient,
                           bool accumulate, const View& to) {
  const PoolPlane plane = pool_plane(window, to.layout, gradient.layout);
  for_each_plane(part, to.layout.shape.channels, [&](std::int64_t b, std::int64_t c) {
    if (!accumulate) {
      clear(plane_of(to.layout), to.at(b, c));
    }
    run.kernels->average_pool_gradient(plane, gradient.at(b, c), to.at(b, c));
  });
}

void clear(Blocks part, const View& tensor) {
  const Plane plane = plane_of(tensor.layout);
  for_each_plane(part, tensor.layout.shape.channels,
                 [&](std::int64_t b, std::int64_t c) { clear(plane, tensor.at(b, c)); });
}

void flatten(const Run&, Blocks part, const View& input, const View& output) {
  const Shape& shape = input.layout.shape;
  for_each_plane(part, shape.channels, [&](std::int64_t b, std::int64_t c) {
    for (std::int64_t p = 0; p < shape.positions(); ++p) {
      std::copy_n(input.at(b, c, p / shape.width, p % shape.width), kLanes,
                  output.at(b, c * shape.positions() + p));
    }
  });
}

void flatten_backward(const Run& run, Blocks part, const View& gradient, bool accumulate,
                      const View& to) {
  const Shape& shape = to.layout.shape;
  const Plane position{1, kLanes, kLanes};
  for_each_plane(part, shape.channels, [&](std::int64_t b, std::int64_t c) {
    for (std::int64_t p = 0; p < shape.positions(); ++p) {
      const float* from = gradient.at(b, c * shape.positions() + p);
      float* target = to.at(b, c, p / shape.width, p % shape.width);
      if (accumulate) {
        run.kernels->add(position, target, from, target);
      } else {
        copy(position, from, target);
      }
    }
  });
}

}  // namespace gcg::sparse
