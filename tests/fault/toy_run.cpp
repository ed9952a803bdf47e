// A whole run as gcg_run makes it, on a network and images so small that faults can be put into
// hundreds of them: gcg_toy_run FOLDER [EPOCHS]. Saves after every batch, in sparse execution.
// Prints the digest of all that the run file holds of the result.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "base/hash.h"
#include "base/program.h"
#include "base/temporary_files.h"
#include "fault/toy.h"
#include "method/methods.h"
#include "record/run_file.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

/// Of everything but time, memory and what was told.
std::string digest_of(const RunRecord& record) {
  Sha256 digest;
  const auto add = [&](const auto& value) { digest.update(fmt::format("{}\n", value)); };
  for (const TrajectoryRow& row : record.trajectory) {
    add(row.step);
    add(row.density);
    add(row.train_loss);
    add(row.validation_loss);
    add(row.learning_rate);
  }
  for (const StageRow& row : record.stages) {
    add(row.present);
    add(row.decision);
    add(row.training_flops);
  }
  for (const StageMask& mask : record.masks) {
    for (const LayerMask& layer : mask.mask.layers) {
      layer.for_each_present(add);
    }
  }
  for (const StagePredictions& stage : record.predictions.stages) {
    for (const float loss : stage.losses) {
      add(loss);
    }
  }
  for_each_array(record.result.value().state.values,
                 [&](ParameterKind, const std::vector<float>& array) {
                   digest.update(std::as_bytes(std::span(array)));
                 });
  add(record.result->test_loss);
  return hex(digest.finish());
}

int run(const std::filesystem::path& folder, std::int64_t epochs) {
  make_writable_folder(folder);
  const FolderLock lock(folder);
  remove_temporary_files(folder);
  const Network network = test::toy_network();
  const DataSet data = test::toy_data();
  const Recipe recipe = test::toy_recipe(epochs);
  const std::unique_ptr<Method> method = make_method("gcg");
  OptionList options;
  method->add_options(options);
  test::set_toy_options(options, {{"max-stages", "2"}});
  const std::unique_ptr<Executor> executor = make_sparse_executor(network, 1);
  TrainingRun run = test::toy_run(network, data, recipe, *method, *executor, folder);
  run.checkpoint_seconds = 0;
  run.say = [](const std::string& text) { fmt::print(stderr, "{}\n", text); };
  train(std::move(run));
  fmt::print("{}\n", digest_of(read_run_file(folder / kRunFileName)));
  return 0;
}

}  // namespace
}  // namespace gcg

int main(int argc, char** argv) {
  return gcg::run_program("gcg_toy_run", [&] {
    if (argc < 2 || argv[1][0] == '-') {
      throw gcg::UsageError("command line", "the folder of the run is missing",
                            "gcg_toy_run FOLDER [EPOCHS]");
    }
    return gcg::run(argv[1], argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1);
  });
}
