#pragma once

#include <functional>
#include <string>

#include "record/run_record.h"

namespace gcg {

/// The record that a run goes on with: that of its checkpoint with the facts (network, build, host,
/// threads, execution, libraries, options, command line) of this process, `own`; a finished run
/// keeps the facts of the process that computed it. Another processor, build or set of libraries is
/// a warning in the record and said: equal bits are promised on equal ones. Error, naming `place`:
/// a checkpoint of another run or of other data.
RunRecord resumed_record(RunRecord old, RunRecord own, const std::string& place,
                         const std::function<void(const std::string&)>& say);

}  // namespace gcg
