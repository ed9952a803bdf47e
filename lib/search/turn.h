#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gcg {

/// A stage of a way back on the validation images, the same at every stage and in one order.
struct WayStage {
  std::span<const float> losses;            ///< nats, one an image
  const std::vector<bool>* hits = nullptr;  ///< classified right, one an image
};

/// When a way back has turned and which of its stages is taken: the rule of return_step beside its
/// alternatives, for recorded ways. A rule never sees a stage behind the one it ends at.
struct TurnRule {
  std::string_view name;
  std::int64_t behind = 2;   ///< stages in a row behind the best one that end the way
  bool by_accuracy = false;  ///< the best stage has the most hits; else the least mean loss
  /// A stage is behind if it is worse than the best one by more than the noise of the images
  /// (as_good_as); else every stage after the best one is.
  bool significant = false;
  /// Takes the last stage, the one with the fewest connections, that is as good as the best one by
  /// as_good_as; else the best one. By losses only.
  bool sparsest = false;
};

/// The live rule first.
std::span<const TurnRule> turn_rules();

/// What a rule makes of a way; indexes into it.
struct Turn {
  std::optional<std::size_t> end;  ///< the stage after which the way ends; none: it goes on
  std::size_t taken = 0;           ///< after that stage, or after the last one
};

/// Of equal stages the last one is the best, as in least_loss. Errors: no stage, another number of
/// images at some stage, a loss that is not finite.
Turn turn_of(std::span<const WayStage> way, const TurnRule& rule);

}  // namespace gcg
