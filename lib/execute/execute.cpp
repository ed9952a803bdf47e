#include "execute/execute.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/host.h"
#include "base/progress.h"
#include "dense/torch_executor.h"
#include "extrapolate/curve.h"
#include "record/run_file.h"
#include "train/trainer.h"

namespace gcg {

namespace {

Network network_for(const RunPlan& plan, const DataSet& data) {
  NetworkRequest request;
  request.input = data.train.shape;
  request.classes = data.classes;
  request.width = plan.settings.width;
  return build_network(plan.settings.network, request);
}

RunRecord fresh_record(const RunPlan& plan) {
  RunRecord record;
  record.identity = plan.identity;
  record.build = build_facts();
  record.host = host_facts();
  record.threads = plan.settings.threads;
  const BlasFacts blas = blas_facts();
  record.libraries = {{"LibTorch", torch_version()},
                      {"BLAS", fmt::format("{} ({})", blas.version, blas.library)},
                      {"HDF5", hdf5_version()},
                      {"Ceres", ceres_version()}};
  if (!blas.warning.empty()) {
    record.warnings.push_back(blas.warning);
  }
  return record;
}

std::string progress_text(const TrainingProgress& progress) {
  return fmt::format("{} {}  epoch {}/{}  density {:.4f}  loss {:.3f}", progress.phase,
                     progress.stage, progress.epoch, progress.phase_epochs, progress.density,
                     progress.loss);
}

/// What a killed process left half written; nobody else works in the folder while it is locked.
void remove_temporary_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".tmp") {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

}  // namespace

RunRecord execute(RunPlan& plan) {
  make_writable_folder(plan.folder());
  const FolderLock lock(plan.folder());
  remove_temporary_files(plan.folder());
  const DataSet data = plan.data->load();
  const Network network = network_for(plan, data);
  const std::unique_ptr<Executor> executor = make_torch_executor(network, plan.settings.threads);
  ProgressLine line;
  TrainingRun run{network, data, plan.settings.recipe, *plan.method, *executor};
  run.seed = plan.settings.seed;
  run.folder = plan.folder();
  run.checkpoint_seconds = plan.settings.checkpoint_seconds;
  run.loader_threads = plan.settings.data_threads;
  run.record = fresh_record(plan);
  for (const std::string& warning : run.record.warnings) {
    line.say("warning: " + warning);
  }
  run.progress = [&](const TrainingProgress& progress) {
    line.show(progress_text(progress), progress.done);
  };
  run.say = [&](const std::string& text) { line.say(text); };
  line.say(fmt::format("{}: {} connections, {} training images", plan.identity.name,
                       network.connections(), data.train.size()));
  return train(std::move(run));
}

}  // namespace gcg
