#include <fmt/format.h>

#include <array>
#include <boost/program_options.hpp>
#include <iostream>
#include <span>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/options.h"
#include "base/program.h"
#include "base/progress.h"
#include "record/belongs.h"
#include "record/checkpoint.h"
#include "record/export.h"
#include "record/network_file.h"
#include "record/run_file.h"
#include "study/program_words.h"

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

struct Settings {
  std::string run, out;
  std::int64_t stage = -1;
  bool help = false;
};

Settings parse(int argc, const char* const* argv) {
  Settings settings;
  gcg::OptionList numbers;
  const gcg::Option stage = numbers.add("stage", settings.stage, {-1, 1e6},
                                        "state at the end of this stage; -1: of the finished run");
  po::options_description options("gcg_export RUN: a run's weights and masks as an .npz file");
  options.add_options()("help", po::bool_switch(&settings.help), "print this and exit")(
      "run", po::value(&settings.run), "folder of the run")(
      "stage", po::value<std::string>()->default_value("-1")->notifier(stage.set),
      stage.help.c_str())("out", po::value(&settings.out)->default_value(""),
                          "file to write; empty: final.npz or stage_KKK.npz in the run's folder");
  gcg::parse_words(std::span(argv, static_cast<std::size_t>(argc)).subspan(1), options,
                   "gcg_export RUN [--stage K] [--out FILE]", std::array{"run"});
  // The run file stands for the folder that it lies in.
  if (const fs::path run = settings.run;
      run.filename() == gcg::kRunFileName && fs::is_regular_file(run)) {
    settings.run = run.has_parent_path() ? run.parent_path().string() : ".";
  }
  if (settings.help) {
    std::cout << options;
  } else if (settings.run.empty()) {
    throw gcg::UsageError("RUN", "the folder of the run is missing",
                          "gcg_export RUN [--stage K] [--out FILE]");
  }
  return settings;
}

/// The run's network with its nodes, which a run file does not hold.
gcg::Network network_of(const fs::path& run, const gcg::RunRecord& record) {
  const fs::path path = run / gcg::kNetworkFileName;
  if (!fs::exists(path)) {
    throw gcg::Error(path.string(), "is missing: the run was made before it was written",
                     fmt::format("run the run's command again, it adds the file and repeats "
                                 "nothing: {}",
                                 record.identity.command));
  }
  const std::vector<std::byte> text = gcg::read_file(path);
  gcg::Network network = gcg::parse_network(
      path.string(), std::string_view(reinterpret_cast<const char*>(text.data()), text.size()),
      record.identity.name);
  gcg::check_same_layers(path.string(), network, record.network);
  return network;
}

gcg::TrainingState state_of(const Settings& settings, gcg::RunRecord& record) {
  if (settings.stage >= 0) {
    gcg::Checkpoint stage = gcg::read_stage(settings.run, settings.stage);
    gcg::check_belongs(gcg::stage_path(settings.run, settings.stage), stage.record, record);
    return std::move(stage.state);
  }
  if (!record.result) {
    throw gcg::Error(settings.run,
                     fmt::format("the run is not finished but {}", gcg::name_of(record.status)),
                     "finish it, or export a stage: --stage K");
  }
  return std::move(record.result->state);
}

/// A folder may be called what its owner likes, but a run's own is called as the run: under another
/// name it may have been copied there.
void tell_other_name(const fs::path& run, const std::string& name) {
  const fs::path folder = fs::canonical(run).filename();
  if (folder != name && fs::absolute(run / "").parent_path().filename() != name) {
    gcg::put(stderr, fmt::format("warning: {}: is the run file of {}, which is what is exported\n",
                                 (run / gcg::kRunFileName).string(), name));
  }
}

void export_run(const Settings& settings) {
  const fs::path run = settings.run;
  gcg::RunRecord record = gcg::read_run_file(run / gcg::kRunFileName);
  tell_other_name(run, record.identity.name);
  const gcg::Network network = network_of(run, record);
  const gcg::TrainingState state = state_of(settings, record);
  const std::string name =
      settings.stage < 0 ? "final.npz" : fmt::format("stage_{:03}.npz", settings.stage);
  const fs::path out = settings.out.empty() ? run / name : fs::path(settings.out);
  gcg::check_replaces(out, "PK", ".npz file");
  gcg::write_file_atomically(
      out, gcg::export_content(network, state, {record.identity.name, settings.stage}));
  fmt::print("{}: {} of density {:.4f}\n", out.string(), network.name, state.mask.density());
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::run_program("gcg_export", [&] {
    const Settings settings = parse(argc, argv);
    if (!settings.help) {
      export_run(settings);
    }
    return 0;
  });
}
