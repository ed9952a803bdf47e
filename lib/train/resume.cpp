#include "train/resume.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/error.h"

namespace gcg {

namespace {

std::string libraries_text(const RunRecord& record) {
  std::string text;
  for (const Library& library : record.libraries) {
    text += fmt::format("{} {};", library.name, library.version);
  }
  return text;
}

std::string build_text(const RunRecord& record) {
  return record.build.commit + (record.build.dirty ? " with changes" : "");
}

void check_same(std::string_view what, const std::string& was, const std::string& is,
                const std::string& place) {
  if (was != is) {
    throw Error(
        place,
        fmt::format("the checkpoint belongs to another run: its {} is {}, not {}", what, was, is),
        "choose another output folder, or remove this one");
  }
}

}  // namespace

RunRecord resumed_record(RunRecord old, RunRecord own, const std::string& place,
                         const std::function<void(const std::string&)>& say) {
  check_same("identity", old.identity.hash, own.identity.hash, place);
  check_same("data digest", old.identity.data_digest, own.identity.data_digest, place);
  if (old.status == RunStatus::finished) {
    old.network = std::move(own.network);
    return old;
  }
  const auto compare = [&](std::string_view what, const std::string& was, const std::string& is) {
    if (was != is) {
      const std::string warning = fmt::format(
          "resumed with another {} ({}, before: {}): results may differ from a run in one piece",
          what, is, was);
      old.warnings.push_back(warning);
      say("warning: " + warning);
    }
  };
  compare("type of processor", old.host.processor, own.host.processor);
  compare("vector extension", old.host.instructions, own.host.instructions);
  compare("set of libraries", libraries_text(old), libraries_text(own));
  compare("build", build_text(old), build_text(own));
  old.network = std::move(own.network);
  old.build = std::move(own.build);
  old.host = std::move(own.host);
  old.threads = own.threads;
  old.execution = std::move(own.execution);
  old.libraries = std::move(own.libraries);
  old.identity.options = std::move(own.identity.options);
  old.identity.command = std::move(own.identity.command);
  return old;
}

}  // namespace gcg
