#include "backend/backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backend/random_cases.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

TEST(Backends, HaveRowsThatSayAllOfIt) {
  for (const Backend& backend : backend_table()) {
    SCOPED_TRACE(backend.name);
    EXPECT_EQ(&find_backend(backend.name), &backend);
    EXPECT_FALSE(backend.about.empty());
    EXPECT_FALSE(backend.devices.empty());
    EXPECT_THAT(backend.devices_text(), HasSubstr("cpu in fp32"));
    EXPECT_GE(backend.results_version, 2);
    EXPECT_TRUE(backend.has_operation(Operation::convolution));
    EXPECT_TRUE(backend.has_optimiser("sgd"));
    EXPECT_FALSE(backend.has_optimiser("adagrad"));
    for (const std::string_view optimiser : backend.optimisers) {
      EXPECT_NO_THROW(find_optimiser(optimiser));
    }
  }
  EXPECT_EQ(device_names(), (std::vector<std::string>{"cpu", "cuda"}));
  GCG_EXPECT_ERROR(find_backend("abacus"), HasSubstr("none of: sparse, dense, device"));
}

/// A row as a new backend may begin with.
Backend without_transformers() {
  Backend backend = find_backend("sparse");
  backend.name = "young";
  backend.has_operation = [](Operation operation) {
    return operation != Operation::attention && operation != Operation::gelu &&
           operation != Operation::tokens;
  };
  return backend;
}

TEST(Backends, WhatIsMissingIsNamedFromTheRow) {
  const Backend& sparse = find_backend("sparse");
  BackendRequest request;
  request.operations = {Operation::relu, Operation::gelu, Operation::attention, Operation::gelu};
  EXPECT_EQ(missing(without_transformers(), request), "has no gelu, attention");
  EXPECT_EQ(missing(sparse, request), "");
  EXPECT_EQ(first_able(request)->name, "sparse");
  request.device = "cuda";
  EXPECT_EQ(missing(sparse, request), "does not run on cuda");
  EXPECT_EQ(first_able(request)->name, "device");
  request.precision = "fp16";
  EXPECT_EQ(missing(find_backend("device"), request), "does not compute in fp16 on cuda");
  EXPECT_EQ(first_able(request), nullptr);
  request.device = "cpu";
  request.precision = "tf32";
  EXPECT_EQ(missing(find_backend("device"), request), "does not compute in tf32 on cpu");
}

TEST(Backends, ARowWithOptimisersOfItsOwnHasThoseAlone) {
  constexpr std::array<std::string_view, 1> own{"adamw"};
  Backend backend = find_backend("dense");
  backend.name = "abacus";
  backend.optimisers = own;
  EXPECT_FALSE(backend.has_optimiser("sgd"));
  BackendRequest request;
  EXPECT_EQ(missing(backend, request), "has no sgd");
  GCG_EXPECT_ERROR(
      check_optimiser(backend, default_step("sgd")),
      HasSubstr("sgd: abacus execution does not have it\n  remedy: take --execution sparse or"));
  EXPECT_NO_THROW(check_optimiser(backend, default_step("adamw")));
}

TEST(Backends, AnOperationThatIsMissingIsNamedWithItsNodeAndWhoHasIt) {
  const Network network = network_with(Operation::attention);
  EXPECT_NO_THROW(check_operations(find_backend("dense"), network));
  EXPECT_NO_THROW(check_operations(find_backend("sparse"), network));
  GCG_EXPECT_ERROR(check_operations(without_transformers(), network),
                   HasSubstr("attention: tokens: young execution has no tokens\n  remedy: take "
                             "--execution sparse or dense"));
}

TEST(NetworkWith, HasTheOperation) {
  EXPECT_GE(all_operations().size(), 15U);
  for (const Operation operation : all_operations()) {
    const Network network = network_with(operation);
    EXPECT_TRUE(std::ranges::any_of(network.nodes, [&](const Node& node) {
      return node.operation == operation;
    })) << operation_name(operation);
  }
}

TEST(NetworkOperations, AreThoseOfTheNetworkAtAnyWidth) {
  for (const NetworkEntry& entry : network_table()) {
    const auto operations = network_operations(entry.name);
    const Network network = build_network(entry.name, {{3, 64, 64}, 7, 2 * entry.default_width});
    for (const Operation operation : all_operations()) {
      const bool has = std::ranges::any_of(
          network.nodes, [&](const Node& node) { return node.operation == operation; });
      EXPECT_EQ(std::ranges::count(operations, operation), has ? 1 : 0)
          << entry.name << ' ' << operation_name(operation);
    }
  }
}

}  // namespace
}  // namespace gcg
