// A growth rule, a network and a data set of one's own with an installed gcg. The tables of the
// library name what gcg_run offers; a program of one's own needs no table: a network, a data set
// and a method are values, and train() takes them.
#include <fmt/format.h>

#include <cmath>
#include <exception>
#include <filesystem>

#include "base/error.h"
#include "data/dataset.h"
#include "growth/grow.h"
#include "growth/seed.h"
#include "record/run_file.h"
#include "sparse/sparse_executor.h"
#include "train/trainer.h"

namespace {

/// Grey images of 12 x 12 noisy stripes; the class is their direction.
gcg::ImageSet stripes(std::int64_t count, std::string_view stream_name) {
  gcg::ImageSet images;
  images.shape = {1, 12, 12};
  gcg::RandomStream stream(7, stream_name);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(i % 4);
    const double phase = 6 * stream.uniform();
    for (int y = 0; y < 12; ++y) {
      for (int x = 0; x < 12; ++x) {
        const int along[] = {x, y, x + y, x - y};
        const double value = 128 + 60 * std::sin(along[label] + phase) + 40 * stream.normal();
        images.pixels.push_back(static_cast<std::uint8_t>(std::fmin(std::fmax(value, 0), 255)));
      }
    }
    images.labels.push_back(label);
  }
  return images;
}

gcg::DataSet own_data() {
  gcg::DataSet data;
  data.name = "stripes";
  data.classes = 4;
  data.train = stripes(600, "stripes-train");
  data.test = stripes(200, "stripes-test");
  data.digest = gcg::data_digest(data.train, data.test);
  data.flip = false;  // a mirror image of a diagonal is another class
  data.crop_padding = 1;
  return data;
}

gcg::Network own_network() {
  gcg::NetworkBuilder net("two_convolutions", {1, 12, 12});
  std::int32_t x = net.convolution("conv1", 0, 12, {3, 3, 1, 1});
  x = net.relu("relu1", net.batch_norm("norm1", x));
  x = net.convolution("conv2", x, 24, {3, 3, 2, 1});
  x = net.relu("relu2", net.batch_norm("norm2", x));
  net.linear("classifier", net.global_average_pool("pool", x), 4);
  return net.finish();
}

/// The growth rule: a connection is worth the more the fewer its unit has, 1 / (1 + inputs).
gcg::Scores fewest_inputs(const gcg::Network& network, const gcg::Mask& mask) {
  gcg::Scores scores;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::int64_t fan_in = network.layers[l].fan_in();
    std::vector<double> inputs(static_cast<std::size_t>(network.layers[l].outputs));
    mask.layers[l].for_each_present(
        [&](std::int64_t i) { ++inputs[static_cast<std::size_t>(i / fan_in)]; });
    std::vector<double>& values = scores.log_values.emplace_back();
    for (const double count : inputs) {
      values.insert(values.end(), static_cast<std::size_t>(fan_in), -std::log(1 + count));
    }
  }
  return scores;
}

/// Four stages: a random seed of density 0.1, then half as many connections again after each.
class FewestInputs final : public gcg::Method {
 public:
  void add_options(gcg::OptionList& /*list*/) override {}
  void check(const gcg::Recipe& /*recipe*/) const override {}
  std::vector<gcg::PlannedPart> planned_course(const gcg::Recipe& recipe,
                                               const gcg::Network&) const override {
    std::vector<gcg::PlannedPart> course;
    double density = kSeedDensity;
    for (std::int64_t stage = 0; stage < kStages; ++stage, density *= 1.5) {
      course.push_back({stage, density, static_cast<double>(recipe.epochs)});
    }
    return course;
  }
  gcg::Stage begin(gcg::MethodContext& context) const override {
    context.state.mask = gcg::make_seed(context.network, context.state.values, "erk", kSeedDensity,
                                        gcg::DisconnectedPolicy::repair, context.seed)
                             .mask;
    gcg::clear_absent(context.state);
    return {training(context, 0)};
  }

  std::optional<gcg::Stage> next(gcg::MethodContext& context,
                                 const gcg::Stage& finished) const override {
    const std::int64_t number = finished.phase.stage + 1;
    context.record.stages.back().decision = number < kStages ? "grow" : "done";
    if (number == kStages) {
      return std::nullopt;
    }
    const gcg::Mask& mask = context.state.mask;
    const auto index = static_cast<std::uint64_t>(number);
    const gcg::Mask added = gcg::select_global(
        context.network, mask, fewest_inputs(context.network, mask), mask.present() / 2,
        gcg::SamplingLaw{}, gcg::RandomStream(context.seed, "fewest-inputs", index));
    gcg::add_connections(context.network, context.state, added, gcg::NewWeight::zero,
                         gcg::initial_parameters(context.network, context.seed),
                         gcg::RandomStream(context.seed, "new-weights", index));
    return gcg::Stage{training(context, number), {.grown = added.present()}};
  }

 private:
  static constexpr std::int64_t kStages = 4;
  static constexpr double kSeedDensity = 0.1;

  static gcg::Phase training(const gcg::MethodContext& context, std::int64_t number) {
    gcg::Phase phase;
    phase.stage = number;
    phase.epochs = context.recipe.epochs;
    phase.schedule = gcg::recipe_schedule(context.recipe);
    return phase;
  }
};

void run(const std::filesystem::path& folder) {
  const gcg::Network network = own_network();
  const gcg::DataSet data = own_data();
  const FewestInputs method;
  gcg::Recipe recipe;
  recipe.epochs = 4;
  recipe.batch_size = 32;
  recipe.schedule = "cosine";
  const std::unique_ptr<gcg::Executor> executor = gcg::make_sparse_executor(network, 1);
  gcg::TrainingRun training{network, data, recipe, method, *executor};
  training.folder = folder;
  // What a run is: change the hash whenever the result would change.
  training.record.identity.name = "own_parts";
  training.record.identity.hash = "own_parts 1";
  training.record.identity.seed = training.seed;
  training.say = [](const std::string& text) { fmt::print("{}\n", text); };
  std::filesystem::create_directories(folder);
  const gcg::RunRecord record = gcg::train(std::move(training));
  fmt::print("density {:.4f}  test {:.1f} %  {}\n", record.result->density,
             100 * record.result->test_accuracy, (folder / gcg::kRunFileName).string());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
      throw gcg::UsageError("command line", "takes one folder", "own_parts [FOLDER]");
    }
    run(argc > 1 ? argv[1] : "own_parts_run");
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "own_parts: {}\n", error.what());
    return 1;
  }
}
