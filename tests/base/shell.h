#pragma once

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/temporary_folder.h"

namespace gcg::testing {

struct Outcome {
  int status = 0;      ///< exit status; 128 + signal for a killed process
  std::string output;  ///< standard output and error together
};

/// Runs a shell command line.
inline Outcome shell(const std::string& command) {
  const TemporaryFolder folder;
  const std::string log = (folder.path() / "log").string();
  const int code = std::system(fmt::format("{{ {} ; }} > {} 2>&1", command, log).c_str());
  std::ifstream file(log);
  return {WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code),
          {std::istreambuf_iterator<char>(file), {}}};
}

}  // namespace gcg::testing
