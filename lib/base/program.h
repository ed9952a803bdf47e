#pragma once

#include <functional>
#include <string_view>

namespace gcg {

/// Runs the body of a program named `name` and returns its exit status: the body's, 2 for a
/// UsageError, 1 for every other failure, which standard error tells.
///
/// What a program may meet from outside is the same for all: a standard stream that is closed takes
/// no other file's place; a reader that went away and a file that may not grow are errors of the
/// call that writes (no SIGPIPE, no SIGXFSZ); a mapped file that was cut is told before SIGBUS ends
/// the process; a result that standard output did not take is a failure.
int run_program(std::string_view name, const std::function<int()>& body);

}  // namespace gcg
