#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/options.h"

namespace gcg {

/// What a trained array belongs to: some optimisers treat the weights of maskable layers unlike the
/// rest.
enum class ParameterKind : std::uint8_t { weight, bias, norm, token };

/// An option of an optimiser. One that several optimisers have is one option: its default and range
/// are the same in all of them. A switch is 0 or 1.
struct OptimiserOption {
  std::string_view name;  ///< on the command line, without "--"
  double by_default = 0;
  Range range{};
  std::string_view help;
  bool is_switch = false;
  std::string_view needs{};  ///< an option without which (0) this one has no effect
};

/// What an optimiser keeps of every parameter between updates; zero at first.
struct OptimiserSlot {
  std::string_view name;   ///< in checkpoints and run files
  std::string_view about;  ///< what it holds
};

inline constexpr std::size_t kMostOptions = 6;
inline constexpr std::size_t kMostSlots = 3;

struct Optimiser;

/// One update of all parameters.
struct OptimiserStep {
  const Optimiser* optimiser = nullptr;
  double learning_rate = 0;
  std::array<double, kMostOptions> values{};  ///< of the optimiser's options, in their order

  /// The value of an option; one that the optimiser does not have is an Error.
  double operator[](std::string_view option) const;
};

/// One array under an update. Equal sizes; for maskable weights either all positions or the present
/// ones alone.
struct ArrayUpdate {
  ParameterKind kind = ParameterKind::weight;
  std::span<float> values;
  std::span<const float> gradient;
  std::array<std::span<float>, kMostSlots> slots{};  ///< in the order of the optimiser's
  std::int64_t number = 1;  ///< of this update since the slots were empty, if they are counted
};

/// One row of the table of optimisers.
struct Optimiser {
  std::string_view name;
  std::string_view about;      ///< one line for --list
  std::string_view reference;  ///< where it is described
  std::span<const OptimiserOption> options;
  std::span<const OptimiserSlot> slots;
  double learning_rate = 0;     ///< the peak of a schedule that says nothing else
  bool counts_updates = false;  ///< whether the number of an update matters
  /// Sets values and slots in single precision and allocates nothing. Where value, slots and
  /// gradient are +0 they stay +0, whatever the other elements are: an absent connection stays
  /// absent.
  void (*update)(const OptimiserStep&, const ArrayUpdate&);
};

/// Every optimiser, in the order of --list. To add one: its file and its row.
std::span<const Optimiser> optimiser_table();

/// The row of a name; an unknown one is an Error.
const Optimiser& find_optimiser(std::string_view name);

/// Values of the options of all optimisers, by name; at first the defaults.
struct OptimiserSettings {
  std::map<std::string, double, std::less<>> numbers;
  std::map<std::string, bool, std::less<>> switches;
  OptimiserSettings();
};

/// Adds --optimiser and the options of all optimisers, bound to these; an option that the chosen
/// one does not have is unused.
void add_optimiser_options(OptionList& list, std::string& name, OptimiserSettings& settings);

/// An update by an optimiser at a learning rate. Allocates nothing.
OptimiserStep make_step(std::string_view optimiser, double learning_rate,
                        const OptimiserSettings& settings);

/// Throws an Error unless every number is finite and in its option's range.
void check_step(const OptimiserStep& step);

}  // namespace gcg
