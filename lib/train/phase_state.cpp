#include "train/phase_state.h"

#include <nlohmann/json.hpp>

namespace gcg {

std::string phase_text(const PhaseState& state) {
  const Phase& phase = state.phase;
  return nlohmann::json{{"counted", state.counted},
                        {"first_update", phase.first_update},
                        {"mask_interval", phase.mask_interval},
                        {"mask_until", phase.mask_until},
                        {"gradient_average", phase.gradient_average},
                        {"scores", phase.scores},
                        {"wanted", phase.allocation.wanted},
                        {"integer", phase.allocation.counts},
                        {"name", phase.name},
                        {"stage", phase.stage},
                        {"epochs", phase.epochs},
                        {"shape", static_cast<int>(phase.schedule.shape)},
                        {"peak", phase.schedule.peak},
                        {"warmup", phase.schedule.warmup},
                        {"grown", phase.grown},
                        {"repaired", phase.repaired},
                        {"growth_overlap", phase.growth_overlap}}
      .dump();
}

PhaseState read_phase(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text);
  PhaseState state;
  state.counted = json.value("counted", state.counted);
  Phase& phase = state.phase;
  phase.first_update = json.value("first_update", phase.first_update);
  phase.mask_interval = json.value("mask_interval", phase.mask_interval);
  phase.mask_until = json.value("mask_until", phase.mask_until);
  phase.scores = json.value("scores", phase.scores);
  phase.allocation.wanted = json.value("wanted", phase.allocation.wanted);
  phase.allocation.counts = json.value("integer", phase.allocation.counts);
  phase.gradient_average = json.value("gradient_average", phase.gradient_average);
  phase.name = json.at("name");
  phase.stage = json.at("stage");
  phase.epochs = json.at("epochs");
  phase.schedule.shape = static_cast<ScheduleShape>(json.at("shape").get<int>());
  phase.schedule.peak = json.at("peak");
  phase.schedule.warmup = json.at("warmup");
  phase.grown = json.at("grown");
  phase.repaired = json.at("repaired");
  // JSON has no NaN and says null.
  if (const nlohmann::json& overlap = json.at("growth_overlap"); !overlap.is_null()) {
    phase.growth_overlap = overlap;
  }
  return state;
}

}  // namespace gcg
