#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "study/planned_run.h"

namespace gcg {

/// Training images per second (forward, backward and update) that a device was measured to do.
struct Rate {
  std::string device, network, data;
  std::int64_t width = 0;  ///< of the network; 0: any
  double images = 0;
};

/// Reads a TOML file of tables [[rate]] with device, network, data, images_per_second and, if the
/// rate holds for one width only, width. Errors name file and line.
std::vector<Rate> read_rates(const std::filesystem::path& file);

/// Seconds that the rest of a study takes on one device.
struct DeviceHours {
  std::string device;
  double total = 0, longest = 0;       ///< of all runs; of the longest run
  std::vector<std::string> unknown{};  ///< "resnet50 on imagenet": no rate, so not counted
  std::int64_t unknown_runs = 0;
};

/// Per device, in the order of the rates. Numbers of images are those of the published sets.
/// Evaluating an image takes a third of a training step, dense gradients a whole one; starts,
/// records, statistics and path scores are not counted. Finished parts of a run are subtracted.
std::vector<DeviceHours> device_hours(const std::vector<PlannedRun>& planned,
                                      const std::vector<Rate>& rates);

/// "A100: 812.0 h on 1, 101.5 h on 8, 14.2 h on 64": hours on several devices, one per run.
std::string device_text(const DeviceHours& hours);

}  // namespace gcg
