#include "run/execute.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "base/file.h"
#include "base/folder_lock.h"
#include "base/hash.h"
#include "base/host.h"
#include "base/program.h"
#include "base/progress.h"
#include "base/temporary_files.h"
#include "data/task.h"
#include "dense/curvature.h"
#include "extrapolate/curve.h"
#include "record/run_file.h"
#include "run/backends.h"
#include "run/libtorch.h"
#include "study/estimate.h"
#include "train/agree.h"
#include "train/trainer.h"
#include "world/world.h"

namespace gcg {

namespace {

/// Where an epoch may take a second, and saving a state has to wait for the device.
constexpr double kGpuCheckpointSeconds = 60;

/// As many decode for the fastest device that is known.
constexpr std::int64_t kMostLoaderThreads = 64;

RunRecord fresh_record(const RunPlan& plan, const MadeBackend& backend) {
  RunRecord record;
  record.identity = plan.identity;
  record.build = build_facts();
  record.host = host_facts();
  record.threads = plan.settings.threads;
  record.execution = backend.facts;
  record.libraries = backend.libraries;
  if (const std::optional<Library> library = libtorch()) {
    record.libraries.push_back(*library);
  }
  record.libraries.push_back({"HDF5", hdf5_version()});
  record.libraries.push_back({"Ceres", ceres_version()});
  if (!backend.warning.empty()) {
    record.warnings.push_back(backend.warning);
  }
  return record;
}

std::string progress_text(const TrainingProgress& progress) {
  return fmt::format("{} {}  epoch {}/{}  density {:.4f}  loss {:.3f}", name_of(progress.phase),
                     progress.stage, progress.epoch, progress.phase_epochs, progress.density,
                     progress.loss);
}

/// Lets whoever ends the process give the folder back, as long as there is something to give.
class Leave {
 public:
  Leave(Stop& stop, std::function<void()> leave) : stop_(stop) {
    const std::lock_guard guard(stop_.recording);
    stop_.leave = std::move(leave);
  }
  ~Leave() {
    const std::lock_guard guard(stop_.recording);
    stop_.leave = {};
  }
  Leave(const Leave&) = delete;
  Leave& operator=(const Leave&) = delete;

 private:
  Stop& stop_;
};

/// What has to be the same for all ranks before they begin, by line.
std::string facts(const RunPlan& plan) {
  const BuildFacts build = build_facts();
  // Two programs with changes differ by their bytes alone.
  const std::string bytes = hex(sha256(read_file("/proc/self/exe"))).substr(0, 12);
  std::string text = fmt::format("the program: {} {}{}, SHA-256 {}\n", build.version, build.commit,
                                 build.dirty ? " with changes" : "", bytes);
  for (const OptionValue& option : plan.identity.options) {
    if (option.affects_result) {
      text += fmt::format("--{}: {}\n", option.name, option.value);
    }
  }
  return text;
}

/// Trains as rank of a world, or alone.
RunRecord run_plan(RunPlan& plan, const std::shared_ptr<Stop>& stop, World* world) {
  const bool leading = leads(world);
  if (world != nullptr) {
    check_same_facts(world, facts(plan));
  }
  std::optional<FolderLock> lock;
  if (leading) {
    make_writable_folder(plan.folder());
    lock.emplace(plan.folder(), [stop, name = plan.identity.name] {
      stop->lost = true;
      stop->asked = true;
      put(stderr,
          fmt::format("\nanother process has taken {} over: this one was silent too long\n", name));
    });
    remove_temporary_files(plan.folder());
  }
  const Leave leave(*stop, [&] {
    if (lock) {
      lock->give_back_lease();
    }
    if (world != nullptr) {
      world->leave(World::kStopped);
    }
  });
  Task task;
  Network network;
  MadeBackend backend;
  try {
    task = make_task(plan.data->load(), plan.settings.recipe.task,
                     plan.settings.recipe.validation_fraction, plan.settings.seed);
    network = planned_network(plan, task.data.train.shape, task.data.classes);
    backend = make_backend(plan.settings, network);
    if (world != nullptr) {
      world->meet();
      check_same_facts(world, "the digest of the data: " + task.data.digest);
      backend.executor->join(*world, plan.settings.sync_norm);
    }
  } catch (const RanksStopped&) {
    throw;
  } catch (const std::exception& error) {
    if (leading) {
      record_early_failure(*stop, plan.folder(), plan.identity.hash,
                           "at the start: " + reason_of(error),
                           [](const std::string& text) { put(stderr, text + "\n"); });
    }
    throw;
  }
  const DataSet& data = task.data;
  ProgressLine line;
  const Recipe recipe = with_budget(plan.settings.recipe);
  TrainingRun run{network, data, recipe, *plan.method, *backend.executor};
  run.seed = plan.settings.seed;
  run.split = task.split;
  run.folder = plan.folder();
  const bool on_gpu = plan.settings.device != "cpu";
  run.checkpoint_seconds = plan.settings.checkpoint_seconds > 0 ? plan.settings.checkpoint_seconds
                           : on_gpu                             ? kGpuCheckpointSeconds
                                                                : run.checkpoint_seconds;
  run.save_after_epochs = !on_gpu;
  run.stop = stop;
  run.ranks = world;
  run.keep_stages = plan.settings.keep_stages;
  run.loader_threads =
      plan.settings.data_threads > 0
          ? plan.settings.data_threads
          : std::clamp<std::int64_t>(own_cores() - threads_of_a_process(plan.settings), 1,
                                     kMostLoaderThreads);
  // Its bits depend on the threads: where those of the run must not, it has one.
  const std::int64_t curvature_threads =
      backend_used(plan.settings).threads_change_bits ? threads_of_a_process(plan.settings) : 1;
  run.curvature = [&](const TrainingState& state, const ConnectionValues& direction,
                      const Batch& batch) {
    return hessian_product(network, state, direction, batch, curvature_threads);
  };
  run.record = fresh_record(plan, backend);
  if (leading) {
    for (const std::string& warning : run.record.warnings) {
      line.say("warning: " + warning);
    }
    run.progress = [&](const TrainingProgress& progress) {
      line.show(progress_text(progress), progress.done);
    };
    run.say = [&](const std::string& text) { line.say(text); };
    run.say(fmt::format("{}: {} connections, {} training and {} validation images",
                        plan.identity.name, network.connections(), task.split.train.size(),
                        task.split.validation.size()));
  }
  return train(std::move(run));
}

}  // namespace

std::unique_ptr<Executor> run_executor(const RunPlan& plan, const Network& network) {
  return make_backend(plan.settings, network).executor;
}

RunRecord execute(RunPlan& plan, const std::shared_ptr<Stop>& stop, const RankPlace* place) {
  if (place == nullptr) {
    return run_plan(plan, stop, nullptr);
  }
  if (plan.settings.device == "cuda") {
    const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
    const std::string gpu = gpu_of(visible == nullptr ? "" : visible, place->local_rank);
    ::setenv("CUDA_VISIBLE_DEVICES", gpu.c_str(), 1);  // nothing has asked for a GPU yet
  }
  const std::unique_ptr<World> world =
      join_world(*place, plan.settings.rank_seconds, wanted_exchange());
  try {
    RunRecord record = run_plan(plan, stop, world.get());
    world->leave(World::kFinished);
    return record;
  } catch (const RanksStopped&) {
    world->leave(World::kStopped);
    throw Stopped();
  } catch (const Stopped&) {
    world->leave(World::kStopped);
    throw;
  } catch (const BusyError&) {
    world->leave(World::kStopped);
    throw;
  } catch (const std::exception& error) {
    world->leave(reason_of(error));
    if (leads(world.get())) {
      throw;
    }
    throw Error(fmt::format("rank {} of {}", place->rank, place->ranks), reason_of(error));
  }
}

}  // namespace gcg
