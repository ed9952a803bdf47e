#include "dense/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <cmath>

#include "graph/parameters.h"

namespace gcg {

namespace {

/// [samples][height][width][channels], and back.
at::Tensor features_last(const at::Tensor& x) { return x.permute({0, 2, 3, 1}); }
at::Tensor features_second(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }

}  // namespace

at::Tensor linear_at_positions(const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias) {
  return features_second(at::linear(features_last(x), weight, bias));
}

at::Tensor make_tokens(const at::Tensor& x, const at::Tensor& class_token,
                       const at::Tensor& positions) {
  const at::Tensor patches = features_last(x).flatten(1, 2);
  const at::Tensor first = class_token.view({1, 1, -1}).expand({x.size(0), 1, class_token.size(0)});
  const at::Tensor tokens = at::cat({first, patches}, 1) + positions.t();
  return features_second(tokens.unsqueeze(2));
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) {
  return features_second(
      at::layer_norm(features_last(x), {x.size(1)}, scale, shift, kLayerNormEpsilon));
}

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     std::int64_t heads) {
  const std::int64_t channels = query.size(1);
  const std::int64_t tokens = query.size(2);
  const std::int64_t head = channels / heads;
  // [samples][heads][tokens][channels of a head]
  const auto by_heads = [&](const at::Tensor& x) {
    return features_last(x).reshape({-1, tokens, heads, head}).transpose(1, 2);
  };
  const double scale = 1 / std::sqrt(static_cast<double>(head));
  const at::Tensor products = at::matmul(by_heads(query) * scale, by_heads(key).transpose(2, 3));
  const at::Tensor mixed = at::matmul(at::softmax(products, 3), by_heads(value));
  return features_second(mixed.transpose(1, 2).reshape({-1, tokens, 1, channels}));
}

at::Tensor first_token(const at::Tensor& x) { return x.slice(2, 0, 1); }

at::Tensor scale_samples(const at::Tensor& x, const at::Tensor& factors) {
  return (x * factors.view({-1, 1, 1, 1})).to(x.scalar_type());
}

}  // namespace gcg
