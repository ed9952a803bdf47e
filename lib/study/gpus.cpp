#include "study/gpus.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "study/process.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> between_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    parts.emplace_back(trimmed(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

/// A GPU in nvidia-smi's answer: number, identifier, free memory in MiB ("[N/A]" of some).
std::vector<std::vector<std::string>> nvidia_smi() {
  const ProgramAnswer answer = answer_of(
      {"nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits"}, true);
  std::vector<std::vector<std::string>> rows;
  for (const std::string_view line : lines_of(answer.text)) {
    if (std::vector<std::string> row = between_commas(line);
        answer.status == 0 && row.size() == 3) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

/// Whether a GPU, or a part of one, may be called so.
bool is_name(const std::string& text) {
  return text.starts_with("GPU-") || text.starts_with("MIG-") ||
         whole_number_text<std::uint64_t>(text).has_value();
}

bool is_count(std::string_view asked) { return whole_number_text<std::int64_t>(asked).has_value(); }

}  // namespace

FreeGpuMemory free_gpu_memory() {
  FreeGpuMemory free;
  for (const std::vector<std::string>& row : nvidia_smi()) {
    if (const auto mebibytes = whole_number_text<std::int64_t>(row[2])) {
      free[row[0]] = free[row[1]] = *mebibytes << 20;
    }
  }
  return free;
}

std::vector<std::string> visible_gpus(const fs::path& driver) {
  std::vector<std::string> gpus;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
    gpus = between_commas(visible);
    // CUDA shows what stands before the first name that is none.
    gpus.erase(std::ranges::find_if_not(gpus, is_name), gpus.end());
    return gpus;
  }
  for (const std::vector<std::string>& row : nvidia_smi()) {
    gpus.push_back(row[0]);
  }
  if (gpus.empty()) {
    std::error_code none;
    for (fs::directory_iterator folder(driver, none); !none && folder != fs::directory_iterator();
         folder.increment(none)) {
      gpus.push_back(fmt::format("{}", gpus.size()));
    }
  }
  return gpus;
}

std::vector<std::string> chosen_gpus(const std::vector<std::string>& visible,
                                     std::string_view asked) {
  if (asked.empty()) {
    return visible;
  }
  const std::string there = visible.empty()
                                ? "no GPU is seen here"
                                : fmt::format("those seen here: {}", fmt::join(visible, ", "));
  if (is_count(asked)) {
    const std::int64_t count = *whole_number_text<std::int64_t>(asked);
    if (count < 1 || count > std::ssize(visible)) {
      throw UsageError("--gpus", fmt::format("asks for {} GPUs; {}", count, there),
                       "give their number, or a list with a comma in it: \"0,3\", \"3,\"");
    }
    return {visible.begin(), visible.begin() + count};
  }
  std::vector<std::string> gpus = between_commas(asked);
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (std::ranges::find(visible, gpus[i]) == visible.end()) {
      throw UsageError("--gpus", fmt::format("'{}' is no GPU; {}", gpus[i], there),
                       "CUDA_VISIBLE_DEVICES and nvidia-smi say what there is");
    }
    if (std::find(gpus.begin(), gpus.begin() + static_cast<std::ptrdiff_t>(i), gpus[i]) !=
        gpus.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw UsageError("--gpus", fmt::format("names '{}' twice", gpus[i]),
                       "--runs-per-gpu lets a GPU have several runs");
    }
  }
  return gpus;
}

bool has_mps() {
  const char* folder = std::getenv("CUDA_MPS_PIPE_DIRECTORY");
  std::error_code none;
  return fs::exists(fs::path(folder != nullptr ? folder : "/tmp/nvidia-mps") / "control", none);
}

GpuPlaces::GpuPlaces(GpuShare share, std::function<double()> now)
    : share_(std::move(share)),
      now_(std::move(now)),
      places_(share_.names.size()),
      looked_(-std::numeric_limits<double>::infinity()) {
  if (share_.runs_each < 1) {
    throw UsageError("--runs-per-gpu", fmt::format("{} runs", share_.runs_each), "give 1 or more");
  }
}

void GpuPlaces::look() {
  const double now = now_();
  const auto settles = [&](const Place& place) {
    return place.before && now - place.started >= share_.settle_seconds;
  };
  if (places_.empty() ||
      (now - looked_ < kGpuLookSeconds && std::ranges::none_of(places_, settles))) {
    return;
  }
  looked_ = now;
  const FreeGpuMemory free = share_.free_memory();
  for (std::size_t g = 0; g < places_.size(); ++g) {
    Place& place = places_[g];
    const auto found = free.find(share_.names[g]);
    place.free = found == free.end() ? std::nullopt : std::optional(found->second);
    if (place.before && place.free) {
      largest_ = std::max(largest_, *place.before - *place.free);
    }
    if (settles(place)) {
      place.before.reset();
    }
  }
}

bool GpuPlaces::has_room(const Place& place) const {
  if (place.runs >= share_.runs_each) {
    return false;
  }
  if (place.runs == 0) {
    return !place.free || *place.free >= largest_;
  }
  return now_() - place.started >= share_.settle_seconds &&
         (!place.free ||
          static_cast<double>(*place.free) >= kGpuRoom * static_cast<double>(largest_));
}

std::optional<std::size_t> GpuPlaces::find() {
  look();
  const bool idle =
      std::ranges::all_of(places_, [](const Place& place) { return place.runs == 0; });
  std::optional<std::size_t> best;
  const auto order = [&](std::size_t g) {
    return std::pair(places_[g].runs, -places_[g].free.value_or(0));
  };
  for (std::size_t g = 0; g < places_.size(); ++g) {
    if ((idle || has_room(places_[g])) && (!best || order(g) < order(*best))) {
      best = g;
    }
  }
  return best;
}

void GpuPlaces::start(std::size_t gpu) {
  ++places_[gpu].runs;
  places_[gpu].started = now_();
  places_[gpu].before = places_[gpu].free;
}

void GpuPlaces::end(std::size_t gpu) {
  --places_[gpu].runs;
  places_[gpu].before.reset();  // what another one takes can no longer be told from what this frees
  looked_ = -std::numeric_limits<double>::infinity();  // its memory is free now
}

}  // namespace gcg
