#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace gcg {

/// A failure that the library reports: what went wrong, where, and what to do about it. what()
/// reads "WHERE: PROBLEM\n  remedy: REMEDY" (the second line only if there is a remedy).
class Error : public std::runtime_error {
 public:
  /// `where` names a file and position, a layer, an option or a stage; never empty.
  Error(std::string_view where, std::string_view problem, std::string_view remedy = {});
};

/// A command line or configuration file asks for something that is impossible, unknown or unused.
/// Programs print it and exit with status 2 (any other failure: status 1).
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace gcg
