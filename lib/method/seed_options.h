#pragma once

#include <string>

#include "base/options.h"
#include "train/method.h"

namespace gcg {

/// The first mask of a run.
struct SeedOptions {
  std::string rule = "phew";
  double density = 0.05;
  std::string disconnected = "auto";
};

void add_seed_options(OptionList& list, SeedOptions& options);

/// Makes the first mask on the fresh weights of context.state and applies it. A warning goes into
/// the record. Returns the number of connections that a repair moved. Errors: as make_seed.
std::int64_t apply_seed(const SeedOptions& options, MethodContext& context);

}  // namespace gcg
