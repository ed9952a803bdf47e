#include "run/execute.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/host.h"
#include "base/progress.h"
#include "data/task.h"
#include "dense/curvature.h"
#include "dense/torch_executor.h"
#include "extrapolate/curve.h"
#include "record/run_file.h"
#include "sparse/kernels.h"
#include "sparse/layer.h"
#include "sparse/sparse_executor.h"
#include "train/trainer.h"

namespace gcg {

namespace {

/// The way a plan is run: what the record says of it and how to make it.
struct MadeBackend {
  ExecutionFacts facts;
  std::vector<Library> libraries;
  std::string warning;
  std::unique_ptr<Executor> executor;
};

MadeBackend sparse_execution(const RunPlan& plan, const Network& network) {
  const std::vector<const sparse::Kernels*> fastest = sparse::vector_kernels();
  const sparse::Kernels& kernels = fastest.empty() ? sparse::reference_kernels() : *fastest.front();
  return {{plan.settings.execution, "sparse", kernels.name, kernels.fused,
           fmt::format("as if it had all its weights from a density of {} of the layer on",
                       sparse::kRunsAllFrom)},
          {},
          {},
          make_sparse_executor(network, plan.settings.threads, kernels)};
}

MadeBackend dense_execution(const RunPlan& plan, const Network& network) {
  const BlasFacts blas = blas_facts();
  return {
      {plan.settings.execution, "dense", {}, false, "dense everywhere"},
      {{"LibTorch", torch_version()}, {"BLAS", fmt::format("{} ({})", blas.version, blas.library)}},
      blas.warning,
      make_torch_executor(network, plan.settings.threads)};
}

MadeBackend execution_of(const RunPlan& plan, const Network& network) {
  return execution_used(plan.settings) == "sparse" ? sparse_execution(plan, network)
                                                   : dense_execution(plan, network);
}

RunRecord fresh_record(const RunPlan& plan, const MadeBackend& execution) {
  RunRecord record;
  record.identity = plan.identity;
  record.build = build_facts();
  record.host = host_facts();
  record.threads = plan.settings.threads;
  record.execution = execution.facts;
  record.libraries = execution.libraries;
  record.libraries.push_back({"HDF5", hdf5_version()});
  record.libraries.push_back({"Ceres", ceres_version()});
  if (!execution.warning.empty()) {
    record.warnings.push_back(execution.warning);
  }
  return record;
}

std::string progress_text(const TrainingProgress& progress) {
  return fmt::format("{} {}  epoch {}/{}  density {:.4f}  loss {:.3f}", name_of(progress.phase),
                     progress.stage, progress.epoch, progress.phase_epochs, progress.density,
                     progress.loss);
}

/// What a killed process left half written; nobody else works in the folder while it is locked.
void remove_temporary_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".tmp") {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

}  // namespace

Network run_network(const RunPlan& plan, const DataSet& data) {
  NetworkRequest request;
  request.input = data.train.shape;
  request.classes = data.classes;
  request.width = plan.settings.width;
  request.width = plan.method->width(plan.settings.network, request);
  return build_network(plan.settings.network, request);
}

std::unique_ptr<Executor> run_executor(const RunPlan& plan, const Network& network) {
  return execution_of(plan, network).executor;
}

RunRecord execute(RunPlan& plan) {
  make_writable_folder(plan.folder());
  const FolderLock lock(plan.folder());
  remove_temporary_files(plan.folder());
  const Task task = make_task(plan.data->load(), plan.settings.recipe.task,
                              plan.settings.recipe.validation_fraction, plan.settings.seed);
  const DataSet& data = task.data;
  const Network network = run_network(plan, data);
  const MadeBackend execution = execution_of(plan, network);
  ProgressLine line;
  const Recipe recipe = with_budget(plan.settings.recipe);
  TrainingRun run{network, data, recipe, *plan.method, *execution.executor};
  run.seed = plan.settings.seed;
  run.split = task.split;
  run.folder = plan.folder();
  run.checkpoint_seconds = plan.settings.checkpoint_seconds;
  run.keep_stages = plan.settings.keep_stages;
  run.loader_threads = plan.settings.data_threads;
  run.curvature = [&](const TrainingState& state, const ConnectionValues& direction,
                      const Batch& batch) {
    return hessian_product(network, state, direction, batch, plan.settings.threads);
  };
  run.record = fresh_record(plan, execution);
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
