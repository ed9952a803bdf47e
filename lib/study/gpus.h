#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// Free memory of GPUs, bytes, by each name that CUDA_VISIBLE_DEVICES may call them: number ("0")
/// and identifier ("GPU-5f..."). What cannot be known is not there.
using FreeGpuMemory = std::map<std::string, std::int64_t>;

/// As nvidia-smi says it now; empty where there is none, or where it fails.
FreeGpuMemory free_gpu_memory();

/// The GPUs that this process may use, as CUDA_VISIBLE_DEVICES calls them: those that it names;
/// where it is not set the numbers of nvidia-smi's, or as many as the driver has a folder of in
/// `driver`.
std::vector<std::string> visible_gpus(
    const std::filesystem::path& driver = "/proc/driver/nvidia/gpus");

/// Those of them that --gpus asks for: "": all; "2": the first two; "0,3", "3," or "GPU-5f...":
/// these. UsageError: more than there are, one that is not visible, one that is named twice.
std::vector<std::string> chosen_gpus(const std::vector<std::string>& visible,
                                     std::string_view asked);

/// Whether CUDA's multi-process service runs: without it the processes of a GPU take turns.
bool has_mps();

/// The GPUs of a launch.
struct GpuShare {
  std::vector<std::string> names{};  ///< as CUDA_VISIBLE_DEVICES calls them
  std::int64_t runs_each = 1;        ///< at most, side by side
  /// What is free now, by these names; a GPU that is not in it is not watched.
  std::function<FreeGpuMemory()> free_memory = free_gpu_memory;
  /// Seconds after which a run has taken the memory that it takes.
  double settle_seconds = 30;
};

/// Seconds between two looks at the memory of GPUs.
inline constexpr double kGpuLookSeconds = 5;

/// Free memory that a run needs on a GPU beside others, by what the largest run so far has taken:
/// the most that was less free in the time from a start to GpuShare::settle_seconds later, in which
/// no other run starts there. What others take afterwards is not counted.
inline constexpr double kGpuRoom = 1.25;

/// Which GPU the next run of a launch gets. On one without a run of this launch it is started if
/// what is free there is as much as the largest run has taken so far; beside others once those have
/// taken theirs, and kGpuRoom times as much is free. Where nothing is under way it is started in
/// any case, so that a launch goes on. Of several GPUs: the one with fewest runs, then with most
/// memory.
class GpuPlaces {
 public:
  /// `now`: seconds on any clock. Errors: runs below 1.
  GpuPlaces(GpuShare share, std::function<double()> now);

  /// Looks at the memory if that is due; to be called often.
  void look();
  /// The place of one more run, none: not now.
  [[nodiscard]] std::optional<std::size_t> find();
  void start(std::size_t gpu);
  void end(std::size_t gpu);

  [[nodiscard]] const std::string& name(std::size_t gpu) const { return share_.names[gpu]; }

 private:
  struct Place {
    std::int64_t runs = 0;
    double started = 0;                    ///< when the last of them was
    std::optional<std::int64_t> free{};    ///< at the last look
    std::optional<std::int64_t> before{};  ///< free when the last run started; none once it settled
  };

  [[nodiscard]] bool has_room(const Place& place) const;

  GpuShare share_;
  std::function<double()> now_;
  std::vector<Place> places_;
  std::int64_t largest_ = 0;  ///< memory of a run so far, bytes
  double looked_;
};

}  // namespace gcg
