// What every method owes its options, over the table of methods and many lengths of training: the
// density it was asked for, the sparse training at the end, and the course that it plans.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "method/play.h"
#include "topology/allocation.h"
#include "topology/mask.h"

namespace gcg {
namespace {

using testing::Length;
using testing::Options;
using testing::play;
using testing::Play;

double flat(double /*density*/) { return 0.5; }

Network tiny_network() {
  NetworkBuilder net("tiny", {1, 2, 2});
  std::int32_t x = net.convolution("conv", 0, 6, {1, 1, 1, 0});
  x = net.relu("relu", net.batch_norm("norm", x));
  x = net.global_average_pool("pool", x);
  x = net.linear("hidden", x, 20);
  net.linear("classifier", net.relu("relu2", x), 10);
  return net.finish();
}

/// The options of a method with their values.
struct Made {
  std::unique_ptr<Method> method;
  OptionList list;
  Made(const std::string& name, const Options& options) : method(make_method(name)) {
    method->add_options(list);
    for (const auto& [option, value] : options) {
      list.set(option, value);
    }
  }
};

constexpr Length kLengths[] = {{1, 1}, {1, 5}, {2, 1},  {2, 7},  {3, 5},  {6, 5},  {7, 3},
                               {6, 7}, {9, 2}, {10, 5}, {20, 1}, {13, 4}, {40, 10}};

/// One row: a method with options that end at `target`, of so many layer counts if an allocation
/// gives them.
struct Aim {
  std::string method;
  Options options;
  std::string scope;
};

std::vector<Aim> aims(const std::string& target) {
  std::vector<Aim> all;
  for (const MethodEntry& entry : method_table()) {
    const std::string name(entry.name);
    const Made made(name, {});
    if (made.list.find("target-density") == nullptr || name == "small_dense") {
      continue;
    }
    Options options{{"target-density", target}};
    if (made.list.find("update-interval") != nullptr) {
      options["update-interval"] = "2";
    }
    all.push_back({name, options, "global"});
    if (made.list.find("prune-scope") != nullptr) {
      for (const AllocationRule& rule : allocation_table()) {
        all.push_back({name, options, std::string(rule.name)});
        all.back().options["prune-scope"] = rule.name;
      }
    }
    if (name == "grow_reallocate") {  // growth that adds nothing, and that ends at the target
      for (const char* start : {"0.09", "1"}) {
        all.push_back({name, options, "global"});
        all.back().options.insert({{"start", start}, {"peak", "1"}, {"disconnected", "warn"}});
      }
    }
  }
  return all;
}

TEST(Targets, AreMetExactlyWithTheSparseTrainingAskedForOrRefusedBeforeAnyTraining) {
  std::map<std::string, int> met;
  const Network network = tiny_network();
  for (const char* target : {"0.001", "0.15", "0.25", "0.4"}) {
    for (const Aim& aim : aims(target)) {
      for (const Length& length : kLengths) {
        met[aim.method + " " + aim.scope] += 0;
        SCOPED_TRACE(fmt::format("{} {} {} {}x{}", aim.method, aim.scope, target, length.epochs,
                                 length.epoch_updates));
        bool trained = false;
        try {
          const auto accuracy = [&](double density) {
            trained = true;
            return flat(density);
          };
          const Play result = play(aim.method, aim.options, accuracy, 1, network, length);
          ++met[aim.method + " " + aim.scope];
          ASSERT_NE(std::string(target), "0.001") << "leaves none of 326 connections";
          const std::int64_t present = present_for_density(network, std::stod(target));
          EXPECT_EQ(result.state.mask.present(), present);
          if (aim.scope != "global") {
            EXPECT_EQ(result.state.mask.counts(), allocate(aim.scope, network, present).counts);
          }
          EXPECT_GT(result.updates_at_end, 0);
          if (aim.method == "acdc") {
            const std::int64_t updates = length.epochs * length.epoch_updates;
            EXPECT_EQ(result.updates_at_end,
                      updates - std::llround(0.85 * static_cast<double>(updates)));
          }
        } catch (const Error& error) {
          EXPECT_FALSE(trained) << error.what();
        }
      }
    }
  }
  for (const auto& [name, count] : met) {
    EXPECT_GE(count, 6) << name;
  }
}

/// The fine print of every method's course: options that change it.
std::vector<std::pair<std::string, Options>> courses() {
  std::vector<std::pair<std::string, Options>> all;
  for (const MethodEntry& entry : method_table()) {
    all.emplace_back(entry.name, Options{});
  }
  const std::vector<std::pair<std::string, Options>> more{
      {"gcg", {{"max-stages", "3"}}},
      {"gcg", {{"max-density", "0.3"}, {"growth-ratio", "0.5"}, {"stage-epochs", "3"}}},
      {"gcg", {{"max-stages", "2"}, {"final", "none"}}},
      {"gcg", {{"hold-stages", "1"}, {"max-density", "0.3"}}},
      {"gcg", {{"hold-stages", "2"}, {"max-stages", "5"}}},
      {"gcg", {{"max-stages", "2"}, {"final", "rewind"}}},
      {"fixed_mask", {{"cycles", "3"}, {"stage-epochs", "2"}}},
      {"fixed_mask", {{"cycles", "4"}}},
      {"imp", {{"rewind", "none"}, {"round-epochs", "3"}}},
      {"imp", {{"rewind", "rate"}, {"target-density", "0.5"}}},
      {"imp", {{"target-density", "1"}, {"round-epochs", "2"}}},
      {"acdc", {{"turn", "0.1"}, {"last-sparse", "0.27"}}},
      {"acdc", {{"first-dense", "0.3"}}},
      {"gmp", {{"prune-scope", "erk"}, {"update-until", "0.5"}}},
      {"granet", {{"update-until", "1"}}},
      {"grow_reallocate", {{"growth-stages", "2"}, {"growth-share", "0.4"}}},
      {"grow_reallocate", {{"target-density", "0.4"}, {"peak", "2"}}}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST(PlannedCourse, IsTheCourseThatAnUnstoppedRunTakes) {
  for (auto [name, options] : courses()) {
    const Made probe(name, {});
    if (name == "gcg") {
      options["stop"] = "never";
    }
    if (probe.list.find("update-interval") != nullptr) {
      options["update-interval"] = "2";
    }
    if (probe.list.find("seed-density") != nullptr && name != "grow_reallocate") {
      options.insert({"seed-density", name == "granet" ? "0.6" : "0.2"});
    }
    if (name == "grow_reallocate") {
      options["disconnected"] = "warn";  // so sparse a seed cannot connect all units
    }
    for (const Length& length : {Length{20, 10}, Length{12, 7}}) {
      const Network network = tiny_network();
      SCOPED_TRACE(fmt::format("{} {} epochs", name, length.epochs));
      for (const auto& [option, value] : options) {
        SCOPED_TRACE(option + " " + value);
      }
      const Play result = play(name, options, flat, 1, network, length);
      const Made made(name, options);
      std::map<std::int64_t, double> epochs;
      double density_epochs = 0;
      double all = 0;
      for (const PlannedPart& part : made.method->planned_course(result.recipe, network)) {
        EXPECT_GT(part.density, 0);
        EXPECT_LE(part.density, 1);
        epochs[part.stage] += part.epochs;
        density_epochs += part.density * part.epochs;
        all += part.epochs;
      }
      if (name == "grow_return") {  // where it turns follows from the losses: the longest way
        EXPECT_GE(made.method->planned_epochs(result.recipe, network), result.record.cost.epochs);
        EXPECT_GE(density_epochs, result.record.cost.density_epochs - 1e-9);
        continue;
      }
      ASSERT_EQ(epochs.size(), result.record.stages.size());
      for (const StageRow& row : result.record.stages) {
        EXPECT_NEAR(epochs.at(row.stage), static_cast<double>(row.epochs), 1e-9) << row.stage;
      }
      EXPECT_EQ(made.method->planned_epochs(result.recipe, network), result.record.cost.epochs);
      // A course within a phase is planned in pieces.
      EXPECT_NEAR(density_epochs, result.record.cost.density_epochs, 0.04 * all);
    }
  }
}

}  // namespace
}  // namespace gcg
