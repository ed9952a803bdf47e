#include "backend/optimiser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/lookup.h"

namespace gcg {

// One row each, made in its optimiser's file.
Optimiser sgd_optimiser();
Optimiser adamw_optimiser();
Optimiser lars_optimiser();

std::span<const Optimiser> optimiser_table() {
  static const std::array table{sgd_optimiser(), adamw_optimiser(), lars_optimiser()};
  return table;
}

namespace {

std::size_t index_of(const Optimiser& optimiser, std::string_view option) {
  const auto found = std::ranges::find(optimiser.options, option, &OptimiserOption::name);
  return static_cast<std::size_t>(found - optimiser.options.begin());
}

bool has(const Optimiser& optimiser, std::string_view option) {
  return index_of(optimiser, option) < optimiser.options.size();
}

/// An option with what the optimisers that share it say of it.
struct SharedOption {
  OptimiserOption option;
  std::string help;
};

std::vector<SharedOption> all_options() {
  std::vector<SharedOption> all;
  for (const Optimiser& optimiser : optimiser_table()) {
    for (const OptimiserOption& option : optimiser.options) {
      const auto found = std::ranges::find_if(
          all, [&](const SharedOption& other) { return other.option.name == option.name; });
      if (found == all.end()) {
        all.push_back({option, std::string(option.help)});
      } else if (found->option.help != option.help) {
        found->help += fmt::format("; {}: {}", optimiser.name, option.help);
      }
    }
  }
  return all;
}

}  // namespace

const Optimiser& find_optimiser(std::string_view name) {
  for (const Optimiser& optimiser : optimiser_table()) {
    if (optimiser.name == name) {
      return optimiser;  // as find_row, but without memory
    }
  }
  return find_row(optimiser_table(), name, "--optimiser");
}

double OptimiserStep::operator[](std::string_view option) const {
  const std::size_t i = index_of(*optimiser, option);
  if (i == optimiser->options.size()) {
    throw Error(optimiser->name, fmt::format("has no option {}", option));
  }
  return values[i];
}

OptimiserSettings::OptimiserSettings() {
  for (const SharedOption& shared : all_options()) {
    const std::string name(shared.option.name);
    if (shared.option.is_switch) {
      switches[name] = shared.option.by_default != 0;
    } else {
      numbers[name] = shared.option.by_default;
    }
  }
}

void add_optimiser_options(OptionList& list, std::string& name, OptimiserSettings& settings) {
  list.add_choice("optimiser", name, row_names(optimiser_table()), "update rule");
  for (const SharedOption& shared : all_options()) {
    const OptimiserOption& option = shared.option;
    const std::string text(option.name);
    Option& added = option.is_switch
                        ? list.add(text, settings.switches.at(text), shared.help)
                        : list.add(text, settings.numbers.at(text), option.range, shared.help);
    added.unused = [&name, &settings, option] {
      if (!has(find_optimiser(name), option.name)) {
        return fmt::format("the optimiser is {}", name);
      }
      const bool in_vain =
          !option.needs.empty() && settings.numbers.find(option.needs)->second == 0;
      return in_vain ? fmt::format("there is no {}", option.needs) : std::string();
    };
  }
}

OptimiserStep make_step(std::string_view optimiser, double learning_rate,
                        const OptimiserSettings& settings) {
  OptimiserStep step{&find_optimiser(optimiser), learning_rate, {}};
  for (std::size_t i = 0; i < step.optimiser->options.size(); ++i) {
    const OptimiserOption& option = step.optimiser->options[i];
    step.values[i] = option.is_switch
                         ? static_cast<double>(settings.switches.find(option.name)->second)
                         : settings.numbers.find(option.name)->second;
  }
  return step;
}

void check_step(const OptimiserStep& step) {
  if (!std::isfinite(step.learning_rate)) {
    throw Error(step.optimiser->name, "a step needs a finite learning rate");
  }
  for (std::size_t i = 0; i < step.optimiser->options.size(); ++i) {
    const OptimiserOption& option = step.optimiser->options[i];
    const double value = step.values[i];
    const Range& range = option.range;
    const bool above = range.low_open ? value > range.low : value >= range.low;
    const bool below = range.high_open ? value < range.high : value <= range.high;
    if (!std::isfinite(value) || !above || !below) {
      throw Error(step.optimiser->name,
                  fmt::format("a step with {} = {}, which must be finite and in {}{}, {}{}",
                              option.name, value, range.low_open ? '(' : '[', range.low, range.high,
                              range.high_open ? ')' : ']'));
    }
  }
}

}  // namespace gcg
