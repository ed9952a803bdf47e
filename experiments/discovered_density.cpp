#include "run_rows.h"

namespace {

using namespace gcg;

/// Sizes of one scale. Tasks with fewer images have as many more epochs: the updates are those of
/// the base.
struct Scale {
  std::string network;
  int width;
  int epochs;        ///< of the recipe
  int stage_epochs;  ///< per stage of growth
  double growth_ratio;
  std::string epsilon;  ///< a share of what is learnt beyond chance: tasks differ in both
  int classes;          ///< of the study's data
  std::vector<int> fewer_classes, other_widths;
  std::vector<double> shares, noise, difficulties, teachers;
  int made_images;  ///< of the made data sets
  std::int64_t seeds;
};

Scale scale_of(const std::string& name) {
  if (name == "smoke") {
    return {"resnet8", 4, 2, 1, 0.6, "0.1", 10, {2}, {}, {}, {0.4}, {0.25, 0.75}, {}, 1000, 1};
  }
  if (name == "small") {
    return {"resnet8",
            8,
            8,
            2,
            0.4,
            "0.05",
            10,
            {2, 5},
            {4, 16},
            {0.25, 0.5},
            {0.2, 0.4},
            {0.25, 0.5, 0.75},
            {0.05, 0.2, 0.8},
            4000,
            3};
  }
  return {"resnet20",
          16,
          160,
          16,
          0.25,
          "0.02",
          10,
          {2, 5},
          {8, 32},
          {0.125, 0.25, 0.5},
          {0.2, 0.4},
          {0.25, 0.5, 0.75, 1},
          {0.05, 0.1, 0.2, 0.4, 0.8},
          40000,
          5};
}

/// A task with what it changes, and how many times the epochs it needs for equal updates.
struct Task {
  std::string name;
  GivenOptions options;
  double stretch = 1;
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
  std::vector<Task> tasks{{"base", {}}};
  for (const int width : scale.other_widths) {
    tasks.push_back({fmt::format("width {}", width), {{"width", fmt::format("{}", width)}}});
  }
  for (const int classes : scale.fewer_classes) {
    tasks.push_back({fmt::format("classes {}", classes),
                     {{"class-subset", fmt::format("{}", classes)}},
                     static_cast<double>(scale.classes) / classes});
  }
  for (const double share : scale.shares) {
    tasks.push_back(
        {"samples " + short_text(share), {{"train-share", short_text(share)}}, 1 / share});
  }
  for (const double noise : scale.noise) {
    tasks.push_back({"label noise " + short_text(noise), {{"label-noise", short_text(noise)}}});
  }
  const GivenOptions made{{"data-images", fmt::format("{}", scale.made_images)}};
  for (const double difficulty : scale.difficulties) {
    GivenOptions options{{"data", "procedural"}, {"difficulty", short_text(difficulty)}};
    options.insert(made.begin(), made.end());
    tasks.push_back({"difficulty " + short_text(difficulty), std::move(options)});
  }
  for (const double density : scale.teachers) {
    GivenOptions options{{"data", "teacher"}, {"teacher-density", short_text(density)}};
    options.insert(made.begin(), made.end());
    tasks.push_back({"teacher density " + short_text(density), std::move(options)});
  }
  return tasks;
}

/// Of every task growth until its stop with its final training, and the dense run.
std::vector<ExperimentRun> discovered_density(const ExperimentRequest& request) {
  const Scale scale = scale_of(request.scale);
  std::vector<Row> rows;
  for (const Task& task : tasks(scale)) {
    const auto epochs = [&](int of_base) {
      return fmt::format("{}", std::lround(task.stretch * of_base));
    };
    const GivenOptions own = with(task.options, {{"epochs", epochs(scale.epochs)}});
    rows.push_back({task.name + ": growth", with(own, {{"method", "gcg"},
                                                       {"disconnected", "repair"},
                                                       {"stage-epochs", epochs(scale.stage_epochs)},
                                                       {"growth-ratio", text(scale.growth_ratio)},
                                                       {"epsilon", scale.epsilon},
                                                       {"epsilon-relative", "on"}})});
    rows.push_back({task.name + ": dense", with(own, {{"method", "dense"}})});
  }
  return repeat(rows, {{"network", scale.network}, {"width", text(scale.width)}}, request,
                scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"discovered_density",
                               "the density that growth finds, its gap to dense and its cost over "
                               "tasks of known difficulty",
                               discovered_density});
}
