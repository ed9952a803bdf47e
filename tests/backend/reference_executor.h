#pragma once

#include <memory>

#include "backend/executor.h"
#include "graph/network.h"

namespace gcg {

/// An executor to compare others with: naive loops in double precision over the samples, the
/// derivative of every operation written out, the state rounded to single precision after every
/// update. Slow and without any cleverness.
std::unique_ptr<Executor> make_reference_executor(const Network& network);

}  // namespace gcg
