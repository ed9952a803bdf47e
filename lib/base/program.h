#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>

namespace gcg {

/// Why something ended, for people: what() of the exception; in words where memory ran out.
std::string reason_of(const std::exception& error);

/// Runs the body of the program `name` and returns its exit status: that of the body, 2 after a
/// UsageError, 1 after any other exception. The error is printed on standard error.
///
/// Faults from outside are treated alike in all programs: /dev/null takes the place of a closed
/// standard stream; writing to a closed pipe or past the file size limit fails in that call
/// (SIGPIPE, SIGXFSZ are ignored); SIGBUS from a truncated mapped file is explained before it ends
/// the process; it is a failure if standard output cannot be written.
int run_program(std::string_view name, const std::function<int()>& body);

}  // namespace gcg
