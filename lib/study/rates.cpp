#include "study/rates.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "study/estimate.h"

namespace gcg {

namespace {

/// Numbers of devices that a study's hours are told for.
constexpr std::int64_t kDevices[] = {1, 8, 64};

Rate read_rate(const toml::table& table, const std::string& file) {
  const std::string where = fmt::format("{}:{}", file, table.source().begin.line);
  const auto text = [&](const char* key) {
    const std::optional<std::string> value = table[key].value<std::string>();
    if (!value) {
      throw UsageError(where, fmt::format("a rate lacks the text {}", key),
                       "docs/clusters.md shows such a file");
    }
    return *value;
  };
  Rate rate;
  rate.device = text("device");
  rate.network = text("network");
  rate.data = text("data");
  rate.images = table["images_per_second"].value<double>().value_or(0);
  if (!(rate.images > 0)) {
    throw UsageError(where, "images_per_second is not a number above 0");
  }
  if (table.contains("width")) {
    rate.width = table["width"].value<std::int64_t>().value_or(0);
    if (rate.width < 1) {
      throw UsageError(where, "width is not a number above 0");
    }
  }
  for (const auto& [key, value] : table) {
    static const std::set<std::string_view> known{"device", "network", "data", "width",
                                                  "images_per_second"};
    if (!known.contains(key.str())) {
      throw UsageError(where, fmt::format("'{}' is not part of a rate", std::string(key.str())));
    }
  }
  return rate;
}

/// The rate that holds for a run on a device: one for its width before one for any.
const Rate* rate_of(const std::vector<Rate>& rates, const std::string& device, const RunPlan& plan,
                    const WorkTimes& images) {
  const RunSettings& settings = plan.settings;
  NetworkRequest request{images.input, images.classes, settings.width,
                         settings.recipe.stochastic_depth};
  const std::int64_t width = plan.method->width(settings.network, request);
  const Rate* found = nullptr;
  for (const Rate& rate : rates) {
    if (rate.device == device && rate.network == settings.network && rate.data == settings.data &&
        (rate.width == width || (rate.width == 0 && found == nullptr))) {
      found = &rate;
    }
  }
  return found;
}

}  // namespace

std::vector<Rate> read_rates(const std::filesystem::path& file) {
  toml::table document;
  try {
    document = toml::parse_file(file.string());
  } catch (const toml::parse_error& error) {
    const auto line = error.source().begin.line;  // 0: the file cannot be read
    throw UsageError(line > 0 ? fmt::format("{}:{}", file.string(), line) : file.string(),
                     std::string(error.description()), "docs/clusters.md shows such a file");
  }
  const toml::array* list = document["rate"].as_array();
  if (list == nullptr || document.size() != 1 || !list->is_array_of_tables()) {
    throw UsageError(file.string(), "has something other than tables [[rate]]",
                     "docs/clusters.md shows such a file");
  }
  std::vector<Rate> rates;
  for (const toml::node& entry : *list) {
    rates.push_back(read_rate(*entry.as_table(), file.string()));
  }
  return rates;
}

std::vector<DeviceHours> device_hours(const std::vector<PlannedRun>& planned,
                                      const std::vector<Rate>& rates) {
  std::vector<DeviceHours> all;
  for (const Rate& rate : rates) {
    if (std::ranges::find(all, rate.device, &DeviceHours::device) != all.end()) {
      continue;
    }
    DeviceHours hours;
    hours.device = rate.device;
    std::set<std::string> seen;
    for (const PlannedRun& run : planned) {
      if (!run.selected || run.disk.state == DiskState::finished ||
          !seen.insert(run.plan->identity.name).second) {
        continue;
      }
      WorkTimes work;
      count_published(work, *run.plan);
      const Rate* of_run = rate_of(rates, hours.device, *run.plan, work);
      if (of_run == nullptr) {
        ++hours.unknown_runs;
        const std::string kind =
            fmt::format("{} on {}", run.plan->settings.network, run.plan->settings.data);
        if (std::ranges::find(hours.unknown, kind) == hours.unknown.end()) {
          hours.unknown.push_back(kind);
        }
        continue;
      }
      work.densities = {1};
      work.train = {1 / of_run->images};
      work.evaluate = {1 / of_run->images / 3};
      work.gradients = 1 / of_run->images;
      const double done =
          std::min(1.0, static_cast<double>(run.disk.epochs) /
                            static_cast<double>(std::max<std::int64_t>(1, run.planned_epochs)));
      const double seconds = (1 - done) * plan_seconds(*run.plan, work);
      hours.total += seconds;
      hours.longest = std::max(hours.longest, seconds);
    }
    all.push_back(std::move(hours));
  }
  return all;
}

std::string device_text(const DeviceHours& hours) {
  std::string text = hours.device + ":";
  for (const std::int64_t devices : kDevices) {
    const double seconds = std::max(hours.longest, hours.total / static_cast<double>(devices));
    text += fmt::format("{} {:.1f} h on {}", devices == kDevices[0] ? "" : ",", seconds / 3600,
                        devices);
  }
  if (hours.unknown_runs > 0) {
    text += fmt::format("; not counted, for want of a rate: {} runs of {}", hours.unknown_runs,
                        fmt::join(hours.unknown, ", "));
  }
  return text;
}

}  // namespace gcg
