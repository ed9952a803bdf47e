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

/// What a trained array is: some optimisers treat the weights of maskable layers unlike all other
/// arrays.
enum class ParameterKind : std::uint8_t { weight, bias, norm, token };

/// An option of an optimiser. Optimisers may share an option; its default and range are then the
/// same in all of them. A switch is 0 or 1.
struct OptimiserOption {
  std::string_view name;  ///< on the command line, without "--"
  double by_default = 0;
  Range range{};
  std::string_view help;
  bool is_switch = false;
  std::string_view needs{};  ///< this option has no effect while that one is 0
};

/// What an optimiser keeps for every parameter between updates; zero at first.
struct OptimiserSlot {
  std::string_view name;   ///< its name in checkpoints and run files
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

  /// The value of an option. An Error if the optimiser does not have it.
  double operator[](std::string_view option) const;
};

/// One array to update; all spans have the same size. For maskable weights they hold either all
/// positions or only the present ones.
struct ArrayUpdate {
  ParameterKind kind = ParameterKind::weight;
  std::span<float> values;
  std::span<const float> gradient;
  std::array<std::span<float>, kMostSlots> slots{};  ///< in the order of the optimiser's slots
  std::int64_t number = 1;  ///< 1, 2, ...: updates since the slots were empty, if counted
};

/// One row of the table of optimisers.
struct Optimiser {
  std::string_view name;
  std::string_view about;      ///< one line for --list
  std::string_view reference;  ///< where it is described
  std::span<const OptimiserOption> options;
  std::span<const OptimiserSlot> slots;
  double learning_rate = 0;     ///< the peak learning rate unless the user gives one
  bool counts_updates = false;  ///< whether updates use ArrayUpdate::number
  /// Updates values and slots in single precision; allocates nothing.
  /// Elements whose value, slots and gradient are +0 stay +0 whatever
  /// the others are, so that absent connections stay absent.
  void (*update)(const OptimiserStep&, const ArrayUpdate&);
};

/// All optimisers, in the order of --list. To add one: its file and its row.
std::span<const Optimiser> optimiser_table();

/// The row with this name. UsageError if there is none.
const Optimiser& find_optimiser(std::string_view name);

/// The values of the options of all optimisers, by name; at first the defaults.
struct OptimiserSettings {
  std::map<std::string, double, std::less<>> numbers;
  std::map<std::string, bool, std::less<>> switches;
  OptimiserSettings();
};

/// Adds --optimiser and the options of all optimisers, bound to the arguments. Options that the
/// chosen optimiser does not have count as unused.
void add_optimiser_options(OptionList& list, std::string& name, OptimiserSettings& settings);

/// The update of an optimiser at a learning rate. Allocates nothing.
OptimiserStep make_step(std::string_view optimiser, double learning_rate,
                        const OptimiserSettings& settings);

/// Throws an Error unless all values are finite and in the ranges of their options.
void check_step(const OptimiserStep& step);

}  // namespace gcg
