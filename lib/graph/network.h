#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// The shape of one sample of a tensor. A feature vector has height = width = 1. A sequence of
/// tokens has its features as channels, height = tokens and width = 1.
struct Shape {
  std::int64_t channels = 0;
  std::int64_t height = 1;
  std::int64_t width = 1;

  [[nodiscard]] std::int64_t positions() const { return height * width; }
  [[nodiscard]] std::int64_t elements() const { return channels * height * width; }
  bool operator==(const Shape&) const = default;
};

enum class Operation : std::uint8_t {
  input,
  convolution,
  linear,
  batch_norm,
  relu,
  add,
  max_pool,
  average_pool,
  global_average_pool,
  flatten,
  layer_norm,
  gelu,
  tokens,
  attention,
  first_token,
  drop_path,
};

/// "convolution", "batch_norm", ...
std::string_view operation_name(Operation operation);

/// Kernel of a convolution or a pooling, with the same stride and padding in both directions. A
/// convolution is padded with zeros; average pooling counts padded positions in its divisor (as
/// torch with count_include_pad = true).
struct Window {
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  bool operator==(const Window&) const = default;
};

/// One operation of a network. `inputs` are the indexes of earlier nodes.
struct Node {
  std::string name;  ///< unique within the network, e.g. "stage2.block1.conv1"
  Operation operation = Operation::input;
  std::vector<std::int32_t> inputs;
  Shape shape;              ///< of the output, one sample
  Window window;            ///< convolution and pooling
  bool bias = false;        ///< convolution and linear
  std::int32_t layer = -1;  ///< convolution and linear: index into Network::layers
  /// batch_norm and layer_norm: index into Parameters::norms
  std::int32_t norm = -1;
  std::int64_t heads = 0;  ///< attention: number of heads; each has consecutive channels
  double drop_rate = 0;    ///< drop_path: share of the samples whose branch is dropped
  std::int32_t drop = -1;  ///< drop_path: its number among those of the network
};

/// A maskable layer: a convolution or linear node. Its weight is an array
/// [outputs][inputs][kernel_height][kernel_width], row-major; one *connection* is one element. A
/// linear layer has a 1x1 kernel; on tokens it is applied to each of them.
struct Layer {
  std::string name;
  std::int32_t node = -1;
  std::int64_t outputs = 0;
  std::int64_t inputs = 0;
  std::int64_t kernel_height = 1;
  std::int64_t kernel_width = 1;

  [[nodiscard]] std::int64_t taps() const { return kernel_height * kernel_width; }
  [[nodiscard]] std::int64_t fan_in() const { return inputs * taps(); }
  [[nodiscard]] std::int64_t connections() const { return outputs * fan_in(); }
};

/// A network as data, without weights: nodes in topological order, first the input, last the logits
/// (channels = classes, 1x1). Built with NetworkBuilder, which checks every shape.
struct Network {
  std::string name;
  std::vector<Node> nodes;
  std::vector<Layer> layers;
  std::int32_t norm_count = 0;  ///< batch and layer normalisations
  std::int32_t drop_count = 0;  ///< drop_path nodes

  [[nodiscard]] const Shape& input_shape() const { return nodes.front().shape; }
  [[nodiscard]] std::int64_t classes() const { return nodes.back().shape.channels; }
  [[nodiscard]] std::int64_t connections() const;
  /// For every node, the indexes of the nodes that read it.
  [[nodiscard]] std::vector<std::vector<std::int32_t>> readers() const;
};

/// The node that makes tokens; null if there is none.
const Node* tokens_node(const Network& network);

/// Appends nodes one by one. Every call returns the index of the new node. If shapes do not fit
/// together, an Error names the node.
class NetworkBuilder {
 public:
  NetworkBuilder(std::string name, Shape input);

  std::int32_t convolution(std::string name, std::int32_t from, std::int64_t outputs, Window window,
                           bool bias = false);
  std::int32_t linear(std::string name, std::int32_t from, std::int64_t outputs, bool bias = true);
  std::int32_t batch_norm(std::string name, std::int32_t from);
  std::int32_t relu(std::string name, std::int32_t from);
  std::int32_t add(std::string name, std::int32_t left, std::int32_t right);
  std::int32_t max_pool(std::string name, std::int32_t from, Window window);
  std::int32_t average_pool(std::string name, std::int32_t from, Window window);
  std::int32_t global_average_pool(std::string name, std::int32_t from);
  /// Turns [channels][height][width] into channels * height * width features, in that order.
  std::int32_t flatten(std::string name, std::int32_t from);

  /// Makes the positions of an image tokens, row by row, after a learned class token, and adds a
  /// learned position table: [C][H][W] becomes [C][1 + H W][1]. At most one in a network.
  std::int32_t tokens(std::string name, std::int32_t from);
  /// Applies the same linear layer to every token.
  std::int32_t token_linear(std::string name, std::int32_t from, std::int64_t outputs,
                            bool bias = true);
  /// Normalises the channels at every position to mean 0 and variance 1 (biased), then applies a
  /// learned scale and shift per channel (Ba et al. 2016).
  std::int32_t layer_norm(std::string name, std::int32_t from);
  /// x times the standard normal distribution function of x, exact (Hendrycks & Gimpel 2016).
  std::int32_t gelu(std::string name, std::int32_t from);
  /// Scaled dot-product attention (Vaswani et al. 2017) of tokens of equal shape: for each head of
  /// d channels softmax(Q K' / sqrt(d)) V, where the softmax runs over the tokens of K.
  std::int32_t attention(std::string name, std::int32_t query, std::int32_t key, std::int32_t value,
                         std::int64_t heads);
  /// The first token (the class token) alone, as a vector.
  std::int32_t first_token(std::string name, std::int32_t from);
  /// Stochastic depth (Huang et al. 2016) by sample: in training a residual branch is multiplied by
  /// 0 in a share `rate` of the samples and by 1 / (1 - rate) in the others, as the batch says
  /// (Batch::branch_factors); in evaluation it stays as it is. rate: in (0, 1).
  std::int32_t drop_path(std::string name, std::int32_t from, double rate);

  /// The finished network. Errors: a node other than the last is not read; the last is not 1x1.
  Network finish();

 private:
  const Shape& shape_of(std::string_view name, std::int32_t node) const;
  Shape window_shape(std::string_view name, std::int32_t from, std::int64_t channels,
                     const Window& window) const;
  std::int32_t append(Node node);
  std::int32_t append_layer(Node node, std::int64_t inputs);
  /// Appends a node with one input and the same shape.
  std::int32_t append_like(std::string name, Operation operation, std::int32_t from);
  std::int32_t append_linear(std::string name, std::int32_t from, std::int64_t outputs, bool bias);
  /// The shape of a node that is a sequence of tokens. An Error if it is none.
  const Shape& token_shape(std::string_view name, std::int32_t node) const;

  Network network_;
};

/// Multiply-adds of one forward pass of one sample, per layer, with `present[l]` connections
/// present in layer l: present x output positions. Padded positions count, as elsewhere in the
/// literature (Evci et al. 2020, appendix). Multiply by 2 for FLOPs.
std::vector<double> multiply_adds(const Network& network, std::span<const std::int64_t> present);

/// Multiply-adds of the products between tokens (Q K', and weights times V) of all attention nodes,
/// for one sample: 2 x tokens^2 x channels each. They multiply activations, so masks do not change
/// them.
double attention_multiply_adds(const Network& network);

/// FLOPs of one forward pass of one sample: 2 per multiply-add of layers and attention;
/// normalisation, activation, softmax and loss are ignored (Evci et al. 2020, appendix). A training
/// step costs three times as much, since backward = 2 x forward.
double forward_flops(const Network& network, std::span<const std::int64_t> present);

/// Connections of every layer: the value of `present` for a dense network.
std::vector<std::int64_t> layer_sizes(const Network& network);

}  // namespace gcg
