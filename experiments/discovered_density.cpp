#include <cmath>

#include "run_rows.h"

namespace gcg::experiments {

namespace {

/// A task with what it changes, and how many times the epochs it needs for equal updates: tasks
/// with fewer images have as many more epochs.
struct Task {
  std::string family;
  double level = 0;
  GivenOptions options;
  double stretch = 1;

  [[nodiscard]] std::string name() const {
    return family == "base" ? family : fmt::format("{} {:g}", family, level);
  }
};

std::string short_text(double value) { return fmt::format("{:g}", value); }

/// Families of tasks that differ in one quantity. If d* follows what a task needs, then with the
/// quantity it moves like this, which was written down before any run and is tested by rank:
///
///   width            falls   the same task in a network of more connections
///   classes          rises   more to tell apart
///   samples          rises   more images, more that can be learnt from them
///   label noise      falls   less can be learnt from the same images
///   difficulty       rises   of the made images: pose, colour, clutter, occlusion, noise
///   teacher density  rises   of the random network that made the labels
///
/// The base is the study's data as it is: a member of the first four families.
std::vector<Task> tasks(const Scale& scale) {
  const auto classes = static_cast<double>(scale.whole("classes", 2, 100'000));
  const double made_stretch = scale.number("made-stretch", kPositive);
  const std::string made_images = text(scale.whole("made-images", 1, 10'000'000));
  std::vector<Task> tasks{{"base", 0, {}, 1}};
  for (const std::int64_t width : scale.wholes("widths", 1, 4096, true)) {
    tasks.push_back({"width", static_cast<double>(width), {{"width", text(width)}}, 1});
  }
  for (const std::int64_t fewer : scale.wholes("fewer-classes", 2, 100'000, true)) {
    const auto level = static_cast<double>(fewer);
    tasks.push_back({"classes", level, {{"class-subset", text(fewer)}}, classes / level});
  }
  for (const double share : scale.numbers("train-shares", kFraction, true)) {
    tasks.push_back({"samples", share, {{"train-share", short_text(share)}}, 1 / share});
  }
  for (const double noise : scale.numbers("label-noise", kProbability, true)) {
    tasks.push_back({"label noise", noise, {{"label-noise", short_text(noise)}}, 1});
  }
  const auto add_made = [&](const std::string& family, double level, GivenOptions options) {
    options["data-images"] = made_images;
    tasks.push_back({family, level, std::move(options), made_stretch});
  };
  for (const double difficulty : scale.numbers("difficulties", kProbability, true)) {
    add_made("difficulty", difficulty,
             {{"data", "procedural"}, {"difficulty", short_text(difficulty)}});
  }
  for (const double density : scale.numbers("teacher-densities", kFraction, true)) {
    add_made("teacher density", density,
             {{"data", "teacher"}, {"teacher-density", short_text(density)}});
  }
  return tasks;
}

/// Of every task growth until its stop with the recipe on its mask and fresh weights, and the dense
/// run: their difference is that of density alone.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const Scale& scale = request.scale;
  const std::int64_t recipe_epochs = epochs_of(scale);
  const std::int64_t stage_epochs = epochs_of(scale, "stage-epochs");
  std::vector<Row> rows;
  for (const Task& task : tasks(scale)) {
    const auto epochs = [&](std::int64_t of_base) {
      return text(std::int64_t{std::lround(task.stretch * static_cast<double>(of_base))});
    };
    const GivenOptions own = with(task.options, {{"epochs", epochs(recipe_epochs)}});
    const auto part = [&](const char* role) {
      return Part{role, task.family, {{"level", task.level}}, task.name()};
    };
    rows.push_back({task.name() + ": growth",
                    with(own, {{"method", "gcg"},
                               {"disconnected", "repair"},
                               {"stage-epochs", epochs(stage_epochs)},
                               {"growth-ratio", text(growth_ratio_of(scale))},
                               {"epsilon", number_text(epsilon_of(scale))},
                               {"epsilon-relative", "on"},
                               {"final", "rewind"}}),
                    part("growth")});
    rows.push_back({task.name() + ": dense", with(own, {{"method", "dense"}}), part("dense")});
  }
  return repeat(rows, scale.options(), request);
}

}  // namespace

ExperimentRuns discovered_density() { return {runs}; }

}  // namespace gcg::experiments
