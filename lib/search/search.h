#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/named.h"

/// Rules that find a density while they pay for it. Each is a function of the stages so far alone:
/// a run asks it what to do next, and a recorded run is replayed by asking it again.
namespace gcg {

/// A stage that has ended, as a search sees it.
struct SearchStage {
  bool returning = false;    ///< on the way back; else a stage of growth
  std::int64_t present = 0;  ///< connections it was trained with
  double loss = 0;           ///< mean validation loss at its end
  double spent = 0;          ///< density x epochs up to its end, in epochs of dense training
};

struct SearchOptions {
  std::int64_t connections = 0;  ///< of the dense network
  double growth_ratio = 0.4;     ///< connections a stage of growth adds over those present
  std::int64_t peak = 0;         ///< connections where growth ends and the way back begins
  double return_share = 0.2;  ///< of the present connections that a stage of the way back removes
  std::int64_t smallest = 1;  ///< no stage of the way back has fewer connections
  std::int64_t stage_epochs = 2;
  std::int64_t final_epochs = 10;  ///< 0: no final training
  /// What all stages and the final training may cost, in epochs of dense training.
  double budget = 0;
};

/// How a search ended.
enum class SearchOutcome : std::uint8_t {
  none,         ///< no search, or it goes on
  found,        ///< the loss turned: more connections and fewer are worse
  needs_dense,  ///< the loss is smallest at density 1
  budget,       ///< the budget set the density, it was not searched
  smallest,     ///< the way back came to the smallest density before the loss had turned twice
};
template <>
inline constexpr auto kNames<SearchOutcome> =
    std::to_array<std::string_view>({"none", "found", "needs_dense", "budget", "smallest"});
static_assert(kNames<SearchOutcome>.size() ==
              static_cast<std::size_t>(SearchOutcome::smallest) + 1);

enum class SearchAction : std::uint8_t { grow, prune, finish };

/// What a search does next.
struct SearchStep {
  SearchAction action = SearchAction::finish;
  std::int64_t present = 0;  ///< connections of the next stage; of the network that was found
  std::size_t from = 0;      ///< index of the stage from whose state it starts
  SearchOutcome outcome = SearchOutcome::none;  ///< of finish
};

/// The way back that the last stage belongs to: the last stage of growth (the peak), and all
/// behind.
std::span<const SearchStage> way_back(std::span<const SearchStage> stages);

/// The stage of least loss; of equal ones the last, which has the fewest connections. Errors: no
/// stage, a loss that is not finite.
std::size_t least_loss(std::span<const SearchStage> stages);

/// Grow to the peak, then return until the validation loss turns:
///  1. Growth adds round(ratio x present) connections a stage; the last stage lands on the peak
///     exactly. A stage that the budget does not pay with a final training at its density is not
///     begun: the way back begins where growth stands.
///  2. Every stage of the way back keeps round((1 - share) x present); m is its stage of least
///  loss,
///     the peak included. It ends when the last two stages both lie above m, or spent + next stage
///     + final training at m would pass the budget, or the next stage would fall below the
///     smallest.
///  3. If m is the peak of a way back that began and the budget did not end it, growth takes one
///     more stage from the peak's state, and returns again; at density 1 the network needs to be
///     dense.
///  4. Else m's state is trained to the end.
/// All that a run spends stays within the budget if its first stage with a final training does.
/// Errors: no stage, a loss that is not finite.
SearchStep return_step(std::span<const SearchStage> stages, const SearchOptions& options);

/// Grow as long as the budget pays the next stage and a final training at its density; then grow
/// once more, to the density whose final training takes exactly what is left, rounded down to whole
/// connections, at most 1. Its outcome is `budget`: what is affordable, not what is needed. The
/// peak and the way back are not used; final_epochs > 0. Errors: as above; a way back; no final
/// training.
SearchStep landing_step(std::span<const SearchStage> stages, const SearchOptions& options);

}  // namespace gcg
