// What every method owes its options, over the table of methods and many lengths of training: the
// density it was asked for, the sparse training at the end, and the course that it plans.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "base/temporary_folder.h"
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

// Every play writes its run file, which takes most of the time: what is unlikely to depend on the
// length is tried with some.
constexpr Length kLengths[] = {{1, 1}, {2, 1}, {3, 5}, {6, 5}, {6, 7}, {9, 2}, {20, 1}, {40, 10}};
constexpr Length kSomeLengths[] = {{1, 5}, {2, 7}, {5, 1}, {7, 3}, {10, 5}, {13, 4}, {20, 5}};
constexpr double kTargets[] = {0.001, 0.005, 0.15, 0.25, 0.4};

/// The option whose density a method has to end at; empty where it has none to meet.
std::string density_at_the_end(const std::string& method) {
  static const std::map<std::string, std::string> other{
      {"dense", ""},
      {"small_dense", ""},  // a size, by the width: SmallDense (update_methods_test.cpp)
      {"grow_return", ""},  // the losses say where it ends (grow_return_test.cpp, tests/search)
      {"grow_budget", ""},  // what the budget pays (the same)
      {"gcg", "max-density"},
      {"set", "seed-density"},
      {"rigl", "seed-density"},
      {"fixed_mask", "seed-density"}};
  const auto found = other.find(method);
  return found == other.end() ? "target-density" : found->second;
}

/// One row: a method with options that end at a target, with the layer counts of an allocation if
/// one is named.
struct Aim {
  std::string method;
  Options options;
  std::string allocation{};
  bool by_default = false;

  [[nodiscard]] std::vector<Length> lengths(double target) const {
    if (!by_default && target != 0.005 && target != 0.25) {
      return {};
    }
    if (target == 0.15 || target == 0.4) {
      return {std::begin(kLengths), std::end(kLengths)};
    }
    return {std::begin(kSomeLengths), std::end(kSomeLengths)};
  }
  [[nodiscard]] std::string name() const {
    std::string text = method;
    for (const auto& [option, value] : options) {
      text += option == density_at_the_end(method) ? "" : fmt::format(" --{} {}", option, value);
    }
    return text;
  }
};

/// What methods are tried with beside their defaults. `table`: densities that leave out a layer.
std::vector<Options> variants(const std::string& method, const std::string& table) {
  const Options empty_layer{{"seed-rule", "table"}, {"seed-allocation-file", table}};
  const std::map<std::string, std::vector<Options>> all{
      {"gcg",
       {{{"final", "rewind"}},
        {{"final", "none"}},
        {{"hold-stages", "1"}},
        {{"quotas", "table"}, {"allocation-file", table}}}},
      {"fixed_mask",
       {{{"cycles", "3"}}, {{"seed-rule", "erk"}, {"disconnected", "repair"}}, empty_layer}},
      {"granet", {empty_layer}},
      // Turns of few updates, and a last compression that is near a turn's beginning.
      {"acdc",
       {{{"turn", "0.1"}, {"last-sparse", "0.54"}},
        {{"turn", "0.1"}, {"last-sparse", "0.27"}},
        {{"turn", "0.3"}, {"first-dense", "0.5"}, {"last-sparse", "0.02"}},
        {{"turn", "0.5"}, {"first-dense", "0"}, {"last-sparse", "0.5"}},
        {{"turn", "0.02"}, {"first-dense", "0.6"}, {"last-sparse", "0.38"}}}},
      {"imp",
       {{{"rewind", "rate"}},
        {{"rewind", "none"}, {"round-epochs", "2"}},
        {{"rewind-share", "0.3"}, {"prune-fraction", "0.6"}}}},
      // Growth that adds nothing, and that ends at the target.
      {"grow_reallocate", {{{"start", "0.09"}, {"peak", "1"}}, {{"start", "1"}, {"peak", "1"}}}}};
  const auto found = all.find(method);
  return found == all.end() ? std::vector<Options>{} : found->second;
}

std::vector<Aim> aims(double target, const std::string& table) {
  std::vector<Aim> all;
  for (const MethodEntry& entry : method_table()) {
    const std::string name(entry.name);
    const std::string density = density_at_the_end(name);
    if (density.empty()) {
      continue;
    }
    const Made made(name, {});
    const auto has = [&](const char* option) { return made.list.find(option) != nullptr; };
    Options options{{density, fmt::format("{}", target)}};
    if (has("disconnected")) {
      options["disconnected"] = "warn";  // so few connections cannot serve all units
    }
    if (name == "gcg") {
      options.insert({{"stop", "never"}, {"seed-density", "0.1"}});
    }
    std::vector<Options> more = variants(name, table);
    if (has("collapse") && name != "grow_reallocate") {  // two connections grow by no path
      more.push_back({{"collapse", "warn"}});
    }
    if (has("update-until")) {
      options["update-interval"] = "2";
      more.insert(more.end(), {{{"update-until", "0.29"}}, {{"update-until", "1"}}});
    }
    all.push_back({.method = name, .options = options, .by_default = true});
    for (Options& variant : more) {
      variant.insert(options.begin(), options.end());
      all.push_back({name, variant});
    }
    if (has("prune-scope")) {
      for (const AllocationRule& rule : allocation_table()) {
        all.push_back({name, options, std::string(rule.name), false});
        all.back().options["prune-scope"] = rule.name;
      }
    }
  }
  return all;
}

/// Updates at the end, with the final mask.
struct Updates {
  std::int64_t least = 0;
  std::int64_t most = 0;
};

/// How many an aim asks for in a training that long.
Updates asked_at_the_end(const Aim& aim, const Play& play, const Length& length) {
  const Made made(aim.method, aim.options);
  const auto number = [&](const char* option) { return std::stod(made.list.find(option)->text()); };
  const auto text = [&](const char* option) { return made.list.find(option)->text(); };
  const std::int64_t recipe = length.epochs * length.epoch_updates;
  const std::int64_t stage =
      std::max<std::int64_t>(2, std::llround(0.1 * static_cast<double>(length.epochs)));
  const auto exactly = [](std::int64_t updates) { return Updates{updates, updates}; };
  constexpr double kRounding = 1e-9;
  if (made.list.find("update-until") != nullptr) {
    // Behind growth, if there is any. Updates of the mask come after every second one, the last by
    // then; whether it, or the one before, still changes anything depends on the numbers.
    const std::int64_t training = play.stages.back().phase.epochs * length.epoch_updates;
    const auto until = static_cast<std::int64_t>(
        std::floor(number("update-until") * static_cast<double>(training) + kRounding));
    return {training - until / 2 * 2, std::numeric_limits<std::int64_t>::max()};
  }
  if (aim.method == "acdc") {
    const double share = number("last-sparse") * static_cast<double>(recipe);
    return {static_cast<std::int64_t>(std::ceil(share - 0.5 - kRounding)),
            static_cast<std::int64_t>(std::floor(share + 0.5 + kRounding))};
  }
  if (aim.method == "imp") {
    if (text("rewind") == "none") {
      return exactly(2 * length.epoch_updates);
    }
    const double share = text("rewind") == "weights" ? number("rewind-share") : 0;
    return exactly(recipe - std::llround(share * static_cast<double>(recipe)));
  }
  if (aim.method == "gcg") {
    const auto stages = 1 + static_cast<std::int64_t>(number("hold-stages"));
    return exactly(stages * stage * length.epoch_updates + (text("final") == "none" ? 0 : recipe));
  }
  EXPECT_EQ(aim.method, "fixed_mask");
  const auto cycles = static_cast<std::int64_t>(number("cycles"));
  return exactly(cycles > 0 ? cycles * stage * length.epoch_updates : recipe);
}

TEST(Targets, AreMetExactlyWithTheSparseTrainingAskedForOrRefusedBeforeAnyTraining) {
  const testing::TemporaryFolder folder;
  const std::string table = (folder / "table.txt").string();
  std::ofstream(table) << "conv 0\nhidden 0.5\nclassifier 0.5\n";
  std::map<std::string, int> met;
  const Network network = tiny_network();
  for (const double target : kTargets) {
    for (const Aim& aim : aims(target, table)) {
      for (const Length& length : aim.lengths(target)) {
        int& count = met[aim.name()];
        SCOPED_TRACE(
            fmt::format("{} {} {}x{}", aim.name(), target, length.epochs, length.epoch_updates));
        bool trained = false;
        try {
          const Play result = play(aim.method, aim.options, flat, 1, network, length,
                                   [&trained] { trained = true; });
          ++count;
          ASSERT_NE(target, 0.001) << "leaves none of 326 connections";
          const std::int64_t present = present_for_density(network, target);
          EXPECT_EQ(result.state.mask.present(), present);
          if (!aim.allocation.empty()) {
            EXPECT_EQ(result.state.mask.counts(),
                      allocate(aim.allocation, network, present).counts);
          }
          const Updates asked = asked_at_the_end(aim, result, length);
          EXPECT_GE(result.updates_at_end, asked.least);
          EXPECT_LE(result.updates_at_end, asked.most);
        } catch (const Error& error) {
          EXPECT_FALSE(trained) << error.what();
        }
      }
    }
  }
  for (const auto& [name, count] : met) {
    EXPECT_GE(count, 3) << name;
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
