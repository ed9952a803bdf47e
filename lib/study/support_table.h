#pragma once

#include <string>

namespace gcg {

/// What runs where, from the rows of the backends, as a table in Markdown: operations, optimisers
/// and precisions by execution and device. docs/gpus.md contains it.
std::string support_table();

}  // namespace gcg
