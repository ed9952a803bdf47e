#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backend/ranks.h"
#include "record/checkpoint.h"

namespace gcg {

// How the ranks of a run stay one run: each decides by itself from the same state, and what a clock
// or a signal decides is told. Without ranks (null) every call is for a run of one process and does
// nothing.

/// What is said where a signal came to another rank.
inline constexpr const char* kStoppedElsewhere =
    "another process of the run was stopped: the same command goes on from here";

/// Whether this process writes the run's files and tells how it goes: rank 0.
inline bool leads(const Ranks* ranks) { return ranks == nullptr || ranks->rank() == 0; }

/// What a rank would do after a step.
struct Wishes {
  bool stop = false;
  bool save = false;
  bool slow = false;  ///< the next step may take long
};

/// What all of them do: end if one is to, the rest as rank 0 would.
Wishes agreed(Ranks* ranks, Wishes mine);

/// Throws on every rank an Error that names the first rank with other facts than rank 0 and what
/// they are. Lines "NAME: VALUE", the same names in the same order everywhere.
void check_same_facts(Ranks* ranks, std::string_view facts);

/// Throws on every rank an Error that names the first rank and layer (or what else) where the
/// state, the mask or the course of a run is another one than rank 0's. `method_state`: of `now`.
void check_same_state(Ranks* ranks, const Checkpoint& now, std::string_view when);

}  // namespace gcg
