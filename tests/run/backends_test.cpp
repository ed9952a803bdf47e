// Every backend does what its row says, and refuses the rest with the row's words.
#include "run/backends.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/random_cases.h"
#include "base/host.h"
#include "base/throws.h"
#include "record/network_file.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct EveryBackend : ::testing::TestWithParam<Backend> {
  [[nodiscard]] MadeBackend make(const Network& network) const {
    RunSettings settings;
    settings.execution = GetParam().name;
    return make_backend(settings, network);
  }
};

TEST(BackendMakers, AreThoseOfTheTable) {
  EXPECT_EQ(backend_makers().size(), backend_table().size());
  for (const Backend& backend : backend_table()) {
    EXPECT_EQ(std::ranges::count(backend_makers(), backend.name, &BackendMaker::name), 1)
        << backend.name;
  }
}

TEST_P(EveryBackend, SaysWhatItIs) {
  const ExecutionFacts facts = make(network_with(Operation::relu)).facts;
  EXPECT_EQ(facts.asked, GetParam().name);
  EXPECT_EQ(facts.used, GetParam().name);
  EXPECT_EQ(facts.device, "cpu");
  EXPECT_THAT(GetParam().devices.front().precisions, ::testing::Contains(facts.precision));
}

TEST_P(EveryBackend, RunsTheOperationsOfItsRowAndNoOther) {
  for (const Operation operation : all_operations()) {
    SCOPED_TRACE(operation_name(operation));
    const Network network = network_with(operation);
    const bool able = std::ranges::all_of(
        network.nodes, [&](const Node& node) { return GetParam().has_operation(node.operation); });
    if (!able) {
      GCG_EXPECT_ERROR(make(network),
                       HasSubstr(fmt::format("{} execution has no ", GetParam().name)));
      continue;
    }
    const MadeBackend made = make(network);
    const TrainingState state = random_state(network, 0.7, 1);
    made.executor->write(state);
    EXPECT_TRUE(std::isfinite(made.executor->forward_backward(random_batch(network, 8, 2)).loss));
    made.executor->step(sgd_step());
    EXPECT_NE(made.executor->read().values, state.values);
  }
}

TEST_P(EveryBackend, HasTheOptimisersOfItsRowAndNoOther) {
  const Network network = network_with(Operation::batch_norm);
  for (const Optimiser& optimiser : optimiser_table()) {
    SCOPED_TRACE(optimiser.name);
    const MadeBackend made = make(network);
    TrainingState state = random_state(network, 0.7, 1);
    clear_slots(state);
    made.executor->write(state);
    made.executor->forward_backward(random_batch(network, 8, 2));
    if (!GetParam().has_optimiser(optimiser.name)) {
      GCG_EXPECT_ERROR(made.executor->step(default_step(optimiser.name)),
                       HasSubstr("execution does not have it"));
      continue;
    }
    made.executor->step(default_step(optimiser.name));
    const TrainingState after = made.executor->read();
    EXPECT_NE(after.values.weights, state.values.weights);
    EXPECT_EQ(after.slots.size(), optimiser.slots.size());
    check_mask_invariant(network, after);
  }
}

TEST(SparseBackend, SaysByWhichKernelsItRunsInBf16AndWhy) {
  const Network network = network_with(Operation::batch_norm);
  RunSettings settings;
  const auto facts = [&] { return make_backend(settings, network).facts; };
  EXPECT_THAT(facts().rule, AllOf(HasSubstr("density of 0.6"), Not(HasSubstr("tiles"))));
  settings.precision = "bf16";
  settings.kernels = "sparse";
  const ExecutionFacts sparse = facts();
  EXPECT_THAT(sparse.rule, Not(HasSubstr("tiles")));
  settings.kernels = "tiles";
  const MadeBackend tiles = make_backend(settings, network);
  EXPECT_THAT(tiles.facts.rule, HasSubstr("by masked dense tiles from a density of 0.04"));
  if (amx_facts().usable) {
    EXPECT_EQ(tiles.facts.kernels, sparse.kernels + ", AMX");
    EXPECT_EQ(tiles.warning, "");
  } else {
    EXPECT_EQ(tiles.facts.kernels, sparse.kernels + ", plain tiles");
    EXPECT_THAT(tiles.warning, AllOf(HasSubstr(amx_facts().reason), HasSubstr("slowly")));
  }
  settings.kernels = "auto";
  EXPECT_EQ(facts().rule, amx_facts().usable ? tiles.facts.rule
                                             : sparse.rule + "; no tiles: " + amx_facts().reason);
}

INSTANTIATE_TEST_SUITE_P(Table, EveryBackend, ::testing::ValuesIn(backend_table()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(NetworkFile, KnowsEveryOperation) {
  for (const Operation operation : all_operations()) {
    const std::string text = network_text(network_with(operation));
    EXPECT_EQ(network_text(parse_network("test", text)), text) << operation_name(operation);
  }
}

}  // namespace
}  // namespace gcg
