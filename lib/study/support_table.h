#pragma once

#include <string>

namespace gcg {

/// What runs where, from the rows of the backends, as a table in Markdown: operations, optimisers
/// and precisions by execution and device. `gcg_run --list` ends with it.
std::string support_table();

}  // namespace gcg
