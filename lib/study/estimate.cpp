#include "study/estimate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/lookup.h"
#include "data/split.h"

namespace gcg {

namespace {

/// Linear between the points, constant beyond them.
double at_density(const std::vector<double>& densities, const std::vector<double>& seconds,
                  double density) {
  const auto above = std::ranges::lower_bound(densities, density);
  if (above == densities.begin()) {
    return seconds.front();
  }
  if (above == densities.end()) {
    return seconds.back();
  }
  const auto i = static_cast<std::size_t>(above - densities.begin());
  const double share = (density - densities[i - 1]) / (densities[i] - densities[i - 1]);
  return seconds[i - 1] + share * (seconds[i] - seconds[i - 1]);
}

}  // namespace

void count_published(WorkTimes& work, const RunPlan& plan) {
  const DataSourceEntry& published = find_row(data_source_table(), plan.settings.data, "--data");
  const Recipe& recipe = plan.settings.recipe;
  work.input = published.shape;
  work.classes = recipe.task.classes > 0 ? recipe.task.classes : published.classes;
  const double kept = static_cast<double>(work.classes) / static_cast<double>(published.classes);
  const auto images = std::llround(kept * static_cast<double>(published.train_images));
  const double fraction = recipe.validation_fraction > 0 ? recipe.validation_fraction
                                                         : default_validation_fraction(images);
  work.test_images = std::llround(kept * static_cast<double>(published.test_images));
  work.validation_images = std::llround(fraction * static_cast<double>(images));
  work.train_images = std::max<std::int64_t>(
      1,
      std::llround(recipe.task.train_share * static_cast<double>(images - work.validation_images)));
}

double course_seconds(const WorkTimes& work, const std::vector<PlannedPart>& course,
                      std::int64_t batch_size) {
  const auto train = static_cast<double>(work.train_images);
  const auto validation = static_cast<double>(work.validation_images);
  const auto batch = static_cast<double>(std::min(batch_size, work.train_images));
  double seconds = work.start;
  std::int64_t stage = -1;
  for (const PlannedPart& part : course) {
    const double step = at_density(work.densities, work.train, part.density);
    const double evaluate = at_density(work.densities, work.evaluate, part.density);
    // The gradients of `gradients` batches at every one of train / batch steps.
    const double gradients = train / batch * part.gradients * batch * work.gradients;
    seconds += part.epochs * (train * step + gradients + validation * evaluate + work.record);
    if (part.stage != stage) {
      seconds += work.statistics + work.score + work.record;
      stage = part.stage;
    }
  }
  if (!course.empty()) {
    seconds += static_cast<double>(work.test_images) *
               at_density(work.densities, work.evaluate, course.back().density);
  }
  return seconds;
}

double plan_seconds(const RunPlan& plan, const WorkTimes& work) {
  const Recipe recipe = with_budget(plan.settings.recipe);
  const Network network = planned_network(plan, work.input, work.classes);
  return course_seconds(work, plan.method->planned_course(recipe, network), recipe.batch_size);
}

Network planned_network(const RunPlan& plan, const Shape& input, std::int64_t classes) {
  NetworkRequest request{input, classes, plan.settings.width,
                         plan.settings.recipe.stochastic_depth};
  request.width = plan.method->width(plan.settings.network, request);
  return build_network(plan.settings.network, request);
}

Network planned_network(const RunPlan& plan) {
  const DataSourceEntry& data = find_row(data_source_table(), plan.settings.data, "--data");
  const std::int64_t classes = plan.settings.recipe.task.classes;
  return planned_network(plan, data.shape, classes > 0 ? classes : data.classes);
}

std::string estimate_text(const RunPlan& plan, const WorkTimes& work) {
  const nlohmann::json json{{"run", plan.identity.name},
                            {"seconds", plan_seconds(plan, work)},
                            {"input", {work.input.channels, work.input.height, work.input.width}},
                            {"classes", work.classes},
                            {"train_images", work.train_images},
                            {"validation_images", work.validation_images},
                            {"test_images", work.test_images},
                            {"data_read", work.data_read},
                            {"densities", work.densities},
                            {"train", work.train},
                            {"evaluate", work.evaluate},
                            {"gradients", work.gradients},
                            {"statistics", work.statistics},
                            {"score", work.score},
                            {"record", work.record},
                            {"start", work.start}};
  return json_text(json);
}

WorkTimes read_estimate(const std::string& text) {
  try {
    const nlohmann::json json = parse_json(text, "estimate");
    WorkTimes work;
    const auto integer = [&](const char* key) {
      return json_integer(json.at(key), "estimate", key);
    };
    const auto input = json_integers(json.at("input"), "estimate", "input");
    work.input = {input.at(0), input.at(1), input.at(2)};
    work.classes = integer("classes");
    work.train_images = integer("train_images");
    work.validation_images = integer("validation_images");
    work.test_images = integer("test_images");
    work.data_read = json.at("data_read");
    json.at("densities").get_to(work.densities);
    json.at("train").get_to(work.train);
    json.at("evaluate").get_to(work.evaluate);
    work.gradients = json.at("gradients");
    work.statistics = json.at("statistics");
    work.score = json.at("score");
    work.record = json.at("record");
    work.start = json.at("start");
    if (work.densities.empty() || work.train.size() != work.densities.size() ||
        work.evaluate.size() != work.densities.size() || work.train_images < 1) {
      throw Error("estimate", "lacks densities, their seconds or images");
    }
    return work;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error("estimate", error.what());
  }
}

}  // namespace gcg
