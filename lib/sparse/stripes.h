#pragma once

#include "graph/network.h"
#include "sparse/plan.h"

namespace gcg::sparse {

/// Cuts the planes of every segment into stripes, so that what a step writes is still in the second
/// cache when the next one reads it. A step's stripe reaches as far down as the steps behind it
/// need for theirs; the last ones of all steps reach the end. A stripe may be empty.
void cut_into_stripes(const Network& network, Plan& plan);

}  // namespace gcg::sparse
