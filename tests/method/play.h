#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "method/methods.h"
#include "paths/statistics.h"

namespace gcg::testing {

/// A method's decisions on an invented trajectory: nothing is trained, the accuracy of a stage is a
/// function of its density. Its validation loss is 1 - accuracy, spread over kPlayedImages.
struct Play {
  Network network;
  Recipe recipe;
  RunRecord record;
  TrainingState state;
  std::vector<Stage> stages;
  std::vector<TrainingState> begun;  ///< state at the start of every phase
  std::vector<TrainingState> ended;  ///< and at its end, before the decision
  MethodMemory memory;
  std::vector<TrainingState> updated;  ///< state after every mask update
};

inline constexpr std::int64_t kEpochUpdates = 10;
inline constexpr std::int64_t kPlayedImages = 100;

/// Losses around a mean that the images of one stage differ by, and as many hits as the accuracy.
inline StagePredictions played_predictions(std::int64_t stage, double accuracy) {
  StagePredictions predictions{stage, {}, {}};
  for (std::int64_t i = 0; i < kPlayedImages; ++i) {
    const double away = (i % 2 == 0 ? 0.01 : -0.01) * static_cast<double>(i / 2 + stage % 3);
    predictions.losses.push_back(static_cast<float>(1 - accuracy + away));
    predictions.hits.push_back(static_cast<double>(i) < accuracy * kPlayedImages);
  }
  return predictions;
}

inline Network small_network() { return build_network("resnet8", {{3, 16, 16}, 10, 4}); }

inline Play play(const std::string& name, const std::map<std::string, std::string>& options,
                 const std::function<double(double)>& accuracy, std::uint64_t seed = 1,
                 const Network& network = small_network()) {
  const std::unique_ptr<Method> method = make_method(name);
  OptionList list;
  method->add_options(list);
  if (list.find("disconnected") != nullptr) {
    list.set("disconnected", "repair");  // so narrow a network has units that no walk meets
  }
  for (const auto& [option, value] : options) {
    list.set(option, value);
  }
  Play result{network, {}, {}, {}, {}, {}, {}, {}, {}};
  result.recipe.epochs = 20;
  method->check(result.recipe);
  result.record.network = network;
  result.record.identity.validation_images = 100000;
  result.record.predictions.images.resize(kPlayedImages);
  result.state = initial_state(network, Mask(network, true), seed);
  // A gradient that depends on the position alone: enough for the rule to have something to rank.
  MethodContext context{result.network,
                        result.recipe,
                        seed,
                        kEpochUpdates,
                        result.record,
                        result.state,
                        result.memory,
                        [&](const TrainingState&, std::uint64_t index) {
                          RandomStream stream(seed, "test-gradient", index);
                          std::vector<std::vector<float>> gradients;
                          for (const Layer& layer : network.layers) {
                            auto& values = gradients.emplace_back(layer.connections());
                            for (float& value : values) {
                              value = static_cast<float>(stream.normal());
                            }
                          }
                          return gradients;
                        },
                        [](const TrainingState&, const ConnectionValues& direction, std::uint64_t) {
                          return direction;
                        }};
  std::optional<Stage> stage = method->begin(context);
  while (stage) {
    const Phase& phase = stage->phase;
    result.stages.push_back(*stage);
    result.begun.push_back(result.state);
    // Training would move every present weight.
    const auto train = [&] {
      if (result.state.slots.empty()) {
        result.state.slots = empty_slots(result.network, find_optimiser("sgd"));
      }
      for (std::size_t l = 0; l < network.layers.size(); ++l) {
        result.state.mask.layers[l].for_each_present([&](std::int64_t i) {
          result.state.values.weights[l][static_cast<std::size_t>(i)] += 0.01F;
          result.state.slots[0].values.weights[l][static_cast<std::size_t>(i)] = 0.5F;
        });
      }
    };
    if (phase.snapshot == 0) {
      result.memory.kept = result.state;
    }
    train();
    if (phase.gradient_average > 0) {
      result.memory.gradient_average = context.gradients(result.state, 1);
    }
    if (phase.snapshot > 0) {
      result.memory.kept = result.state;
    }
    for (std::int64_t done = phase.mask_interval; done > 0 && done <= phase.mask_until;
         done += phase.mask_interval) {
      if (done > phase.first_update) {
        method->update(context, phase, done);
        result.updated.push_back(result.state);
        train();
      }
    }
    StageRow row;
    row.stage = phase.stage;
    row.phase = phase.role;
    row.present = result.state.mask.present();
    row.density = result.state.mask.density();
    row.epochs = phase.epochs;
    row.validation_accuracy = accuracy(row.density);
    row.validation_loss = 1 - row.validation_accuracy;
    row.grown = stage->mask.grown;
    row.scores = stage->mask.scores;
    result.record.cost.density_epochs += row.density * static_cast<double>(phase.epochs);
    row.density_epochs = result.record.cost.density_epochs;
    result.ended.push_back(result.state);
    result.record.stages.push_back(row);
    result.record.predictions.stages.push_back(
        played_predictions(row.stage, row.validation_accuracy));
    result.record.masks.push_back({phase.stage, result.state.mask,
                                   mask_statistics(network, result.state.values, result.state.mask,
                                                   nullptr, result.state.mask, {})});
    stage = method->next(context, *stage);
  }
  return result;
}

}  // namespace gcg::testing
