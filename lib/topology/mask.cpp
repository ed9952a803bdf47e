#include "topology/mask.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "base/error.h"

namespace gcg {

namespace {

std::size_t words_for(std::int64_t size) {
  if (size < 0) {
    throw Error("mask", fmt::format("{} connections", size));
  }
  return static_cast<std::size_t>((size + 63) / 64);
}

struct Overlap {
  std::int64_t both = 0;
  std::int64_t either = 0;
};

void check_same_size(const LayerMask& a, const LayerMask& b) {
  if (a.size() != b.size()) {
    throw Error("mask", fmt::format("layers of {} and {} connections", a.size(), b.size()));
  }
}

Overlap overlap(const LayerMask& a, const LayerMask& b) {
  check_same_size(a, b);
  Overlap sum;
  for (std::size_t w = 0; w < a.words().size(); ++w) {
    sum.both += std::popcount(a.words()[w] & b.words()[w]);
    sum.either += std::popcount(a.words()[w] | b.words()[w]);
  }
  return sum;
}

double ratio(const Overlap& sum) {
  return sum.either == 0 ? 1.0 : static_cast<double>(sum.both) / static_cast<double>(sum.either);
}

void check_same_layers(const Mask& a, const Mask& b) {
  if (a.layers.size() != b.layers.size()) {
    throw Error("mask", fmt::format("{} layers against {}", a.layers.size(), b.layers.size()));
  }
}

}  // namespace

LayerMask::LayerMask(std::int64_t size, bool present)
    : size_(size), words_(words_for(size), present ? ~std::uint64_t{0} : 0) {
  if (present && size % 64 != 0) {
    words_.back() >>= 64 - size % 64;
  }
}

LayerMask::LayerMask(std::int64_t size, std::vector<std::uint64_t> words)
    : size_(size), words_(std::move(words)) {
  if (words_.size() != words_for(size)) {
    throw Error("mask", fmt::format("{} words do not hold {} connections", words_.size(), size));
  }
  if (size % 64 != 0 && (words_.back() >> (size % 64)) != 0) {
    throw Error("mask", fmt::format("a bit after connection {} is set", size));
  }
}

std::int64_t LayerMask::count() const {
  std::int64_t sum = 0;
  for (const std::uint64_t word : words_) {
    sum += std::popcount(word);
  }
  return sum;
}

Mask::Mask(const Network& network, bool present) {
  layers.reserve(network.layers.size());
  for (const Layer& layer : network.layers) {
    layers.emplace_back(layer.connections(), present);
  }
}

std::int64_t Mask::present() const {
  std::int64_t sum = 0;
  for (const LayerMask& layer : layers) {
    sum += layer.count();
  }
  return sum;
}

std::int64_t Mask::connections() const {
  std::int64_t sum = 0;
  for (const LayerMask& layer : layers) {
    sum += layer.size();
  }
  return sum;
}

double Mask::density() const {
  return static_cast<double>(present()) / static_cast<double>(connections());
}

std::vector<std::int64_t> Mask::counts() const {
  std::vector<std::int64_t> result;
  result.reserve(layers.size());
  for (const LayerMask& layer : layers) {
    result.push_back(layer.count());
  }
  return result;
}

void check_sizes(const Network& network, const Mask& mask) {
  if (mask.layers.size() != network.layers.size()) {
    throw Error(network.name, fmt::format("the mask has {} layers, the network {}",
                                          mask.layers.size(), network.layers.size()));
  }
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    if (mask.layers[l].size() != network.layers[l].connections()) {
      throw Error(fmt::format("{}: {}", network.name, network.layers[l].name),
                  fmt::format("the mask has {} connections, the layer {}", mask.layers[l].size(),
                              network.layers[l].connections()));
    }
  }
}

double jaccard(const LayerMask& a, const LayerMask& b) { return ratio(overlap(a, b)); }

double jaccard(const Mask& a, const Mask& b) {
  check_same_layers(a, b);
  Overlap sum;
  for (std::size_t l = 0; l < a.layers.size(); ++l) {
    const Overlap layer = overlap(a.layers[l], b.layers[l]);
    sum.both += layer.both;
    sum.either += layer.either;
  }
  return ratio(sum);
}

void unite(Mask& mask, const Mask& other) {
  check_same_layers(mask, other);
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    check_same_size(mask.layers[l], other.layers[l]);
    std::vector<std::uint64_t> words(mask.layers[l].words().begin(), mask.layers[l].words().end());
    for (std::size_t w = 0; w < words.size(); ++w) {
      words[w] |= other.layers[l].words()[w];
    }
    mask.layers[l] = LayerMask(mask.layers[l].size(), std::move(words));
  }
}

// Floyd's algorithm: one draw per connection.
LayerMask random_layer(std::int64_t size, std::int64_t count, RandomStream& stream) {
  LayerMask mask(size);
  for (std::int64_t last = size - count; last < size; ++last) {
    const auto drawn =
        static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(last) + 1));
    mask.set(mask.test(drawn) ? last : drawn);
  }
  return mask;
}

}  // namespace gcg
