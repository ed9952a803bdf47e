#pragma once

#include <string>

#include "record/run_record.h"

namespace gcg {

/// Adds a warning to the record unless one is there that differs in nothing but the numbers behind
/// its last " (": what happens at many stages or updates is told with the numbers of the first.
void warn_once(RunRecord& record, const std::string& warning);

}  // namespace gcg
