#pragma once

#include <cstdint>
#include <string>

#include "graph/network.h"
#include "graph/networks.h"

namespace gcg {

// The functions behind the table of networks, one file per family. Each builds the network of its
// row for a request that has its width set.

Network build_mlp(const NetworkRequest& request);
Network build_lenet5(const NetworkRequest& request);

Network build_vgg11(const NetworkRequest& request);
Network build_vgg16(const NetworkRequest& request);
Network build_vgg19(const NetworkRequest& request);

Network build_resnet8(const NetworkRequest& request);
Network build_resnet20(const NetworkRequest& request);
Network build_resnet32(const NetworkRequest& request);
Network build_resnet56(const NetworkRequest& request);

Network build_resnet18(const NetworkRequest& request);
Network build_resnet34(const NetworkRequest& request);
Network build_resnet50(const NetworkRequest& request);
Network build_resnet18_small(const NetworkRequest& request);
Network build_resnet34_small(const NetworkRequest& request);
Network build_resnet50_small(const NetworkRequest& request);

Network build_wrn22_2(const NetworkRequest& request);

Network build_deit_tiny(const NetworkRequest& request);
Network build_vit6_small(const NetworkRequest& request);

// Parts that several families share. Each appends nodes; those with a result return the last one.

/// Convolution (nodes "<prefix>conv<suffix>"), batch norm ("norm"), and ReLU ("relu").
std::int32_t convolution_norm_relu(NetworkBuilder& net, const std::string& prefix,
                                   const std::string& suffix, std::int32_t from,
                                   std::int64_t outputs, Window window);

/// A 1x1 projection with batch norm: the shortcut of a residual block that changes the shape.
std::int32_t projection_shortcut(NetworkBuilder& net, const std::string& prefix, std::int32_t from,
                                 std::int64_t outputs, std::int64_t stride);

/// The basic residual block of He et al. 2016: two 3x3 convolutions, the first with the stride, and
/// a shortcut, which is a projection if the shape changes.
std::int32_t basic_block(NetworkBuilder& net, const std::string& prefix, std::int32_t from,
                         std::int64_t inputs, std::int64_t outputs, std::int64_t stride);

/// Global average pooling and the classifier.
void pooled_classifier(NetworkBuilder& net, std::int32_t from, std::int64_t classes);

}  // namespace gcg
