#include "record/belongs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace gcg {

void check_same_layers(const std::string& place, const Network& found, const Network& expected) {
  const auto same = [](const Layer& a, const Layer& b) {
    return a.name == b.name && a.outputs == b.outputs && a.inputs == b.inputs &&
           a.kernel_height == b.kernel_height && a.kernel_width == b.kernel_width;
  };
  const auto [here, there] = std::ranges::mismatch(found.layers, expected.layers, same);
  if (here == found.layers.end() && there == expected.layers.end()) {
    return;
  }
  throw Error(place,
              fmt::format("holds another network: {} layers, {} expected; the first that differs "
                          "is {}",
                          found.layers.size(), expected.layers.size(),
                          there == expected.layers.end() ? here->name : there->name),
              "it was changed or belongs to another run: remove it and give the run's command "
              "again");
}

void check_belongs(const std::filesystem::path& place, const RunRecord& found,
                   const RunRecord& run) {
  const auto same = [&](std::string_view what, const std::string& is, const std::string& of) {
    if (is != of) {
      throw Error(
          place.string(),
          fmt::format("belongs to another run: its {} is '{}', this file has '{}'", what, is, of),
          "it was copied there: remove it and give the run's command again");
    }
  };
  same("name", found.identity.name, run.identity.name);
  same("identity", found.identity.hash, run.identity.hash);
  same("data digest", found.identity.data_digest, run.identity.data_digest);
  check_same_layers(place.string(), found.network, run.network);
}

}  // namespace gcg
