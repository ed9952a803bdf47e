#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/option_file.h"
#include "base/options.h"
#include "growth/seed.h"
#include "train/method.h"

namespace gcg {

/// The first mask of a run.
struct SeedOptions {
  std::string rule = "phew";
  double density = 0.05;
  std::string disconnected = "auto";
  OptionFile allocation_file{};
  std::int64_t batches = 1;  ///< of images, for scores that look at them
  std::int64_t rounds = 100;
  bool inverted = false;
};

void add_seed_options(OptionList& list, SeedOptions& options);

/// UsageError: the seed rule needs a file that is not named.
void check_seed_options(const SeedOptions& options);

/// The names of the options that add_seed_options adds.
std::vector<std::string> seed_option_names();

/// Applies --disconnected to a mask that no seed rule made (`origin` in messages); auto: warn. A
/// warning goes into the record. Returns how many connections a repair moved.
std::int64_t hold_to_policy(const SeedOptions& options, MethodContext& context, Mask& mask,
                            std::string_view origin);

/// "fail", "warn" or "repair".
DisconnectedPolicy disconnected_policy(std::string_view name);

/// Makes the first mask on the fresh weights of context.state and applies it. A warning goes into
/// the record. Errors: as make_seed.
MaskReport apply_seed(const SeedOptions& options, MethodContext& context);

}  // namespace gcg
