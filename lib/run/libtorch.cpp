#include "run/libtorch.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "run/backends.h"
#include "score/score_table.h"

namespace gcg {

namespace {

bool uses_curvature(const OptionValue& option) {
  return std::ranges::any_of(score_table(), [&](const ScoreRule& rule) {
    return rule.curvature && rule.name == option.value;
  });
}

}  // namespace

bool needs_libtorch(const RunPlan& plan) {
  return std::ranges::find(backend_makers(), backend_used(plan.settings).name,
                           &BackendMaker::name) == backend_makers().end() ||
         plan.settings.processes > 1 || std::ranges::any_of(plan.identity.options, uses_curvature);
}

void restart_with_libtorch(std::span<const char* const> arguments) {
  const std::string program =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "gcg_run_libtorch").string();
  std::vector<std::string> words(arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  throw Error(program, std::strerror(errno),
              "this run needs LibTorch: build or install gcg_run_libtorch beside gcg_run");
}

}  // namespace gcg
