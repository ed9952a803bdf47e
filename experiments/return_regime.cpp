#include "run_rows.h"

namespace gcg::experiments {

namespace {

/// A task: what it changes of the study's own, and the quantity it differs by.
struct Task {
  std::string family;
  std::string name;
  double level;
  GivenOptions options;
};

std::string short_text(double value) { return fmt::format("{:g}", value); }

/// Families of tasks. If the density that returning finds is what the task needs, it moves with the
/// quantity like this, which was written down before any run and is tested by rank:
///
///   width            falls   the same task in a network of more connections; a law of capacity
///                            would keep density x connections constant. The pilot says that it
///                            does not: the number of connections rises with the width
///   difficulty       rises   of the made images: pose, colour, clutter, occlusion, noise
///   teacher density  rises   of the random network that made the labels
///
/// Other networks (VGG) have redundancy where a ResNet of width 8 has hardly a weight to spare: a
/// lower density is expected than in the ResNet of width 16.
std::vector<Task> tasks(const Scale& scale) {
  const std::string made_images = text(scale.whole("made-images", 1, 10'000'000));
  std::vector<Task> tasks;
  for (const std::int64_t width : scale.wholes("widths", 1, 4096, true)) {
    tasks.push_back({"width",
                     fmt::format("width {}", width),
                     static_cast<double>(width),
                     {{"width", text(width)}}});
  }
  for (const std::string& network : scale.words("networks", {"vgg11", "vgg16"}, true)) {
    tasks.push_back({"network", network, 0, {{"network", network}, {"width", "0"}}});
  }
  for (const double difficulty : scale.numbers("difficulties", kProbability, true)) {
    tasks.push_back({"difficulty",
                     fmt::format("difficulty {:g}", difficulty),
                     difficulty,
                     {{"data", "procedural"},
                      {"data-images", made_images},
                      {"difficulty", short_text(difficulty)}}});
  }
  for (const double density : scale.numbers("teacher-densities", kFraction, true)) {
    tasks.push_back({"teacher density",
                     fmt::format("teacher density {:g}", density),
                     density,
                     {{"data", "teacher"},
                      {"data-images", made_images},
                      {"teacher-density", short_text(density)}}});
  }
  return tasks;
}

/// Of every task a search by growing and returning, and dense training by the recipe.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const Scale& scale = request.scale;
  const std::string epochs = text(epochs_of(scale));
  std::vector<Row> rows;
  for (const Task& task : tasks(scale)) {
    const auto part = [&](const char* role) {
      return Part{role, task.family, {{"level", task.level}}, task.name};
    };
    const GivenOptions own = with(task.options, {{"epochs", epochs}});
    rows.push_back({task.name + ": search",
                    with(own, {{"method", "grow_return"},
                               {"disconnected", "repair"},
                               {"stage-epochs", text(epochs_of(scale, "stage-epochs"))},
                               {"budget-share", number_text(scale.number("budget", kPositive))}}),
                    part("search")});
    rows.push_back({task.name + ": dense", with(own, {{"method", "dense"}}), part("dense")});
  }
  return repeat(rows, scale.options(), request);
}

}  // namespace

ExperimentRuns return_regime() { return {runs}; }

}  // namespace gcg::experiments
