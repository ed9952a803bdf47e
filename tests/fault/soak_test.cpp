// A run of a thousand short stages: what it keeps in memory. The stages are written down as those
// of any run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "base/host.h"
#include "base/progress.h"
#include "base/temporary_folder.h"
#include "fault/toy.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

constexpr std::int64_t kStages = 1000;
/// A stage adds its rows, masks and predictions to the record, which is held twice: some 12 KiB.
/// A lost image of one file a stage would be 40 MiB and more.
constexpr std::int64_t kMostGrowth = 24 << 20;

/// Stages of one epoch at one mask, without the fits of a method, whose time would hide the rest.
class ManyStages final : public Method {
 public:
  void add_options(OptionList& /*list*/) override {}
  void check(const Recipe& /*recipe*/) const override {}
  std::vector<PlannedPart> planned_course(const Recipe& /*recipe*/,
                                          const Network& /*network*/) const override {
    return {{0, 1, kStages}};
  }
  Stage begin(MethodContext& context) const override {
    for (std::int64_t i = 0; i < 5; ++i) {
      context.state.mask.layers[1].reset(i);
    }
    clear_absent(context.state);
    return stage(0);
  }
  std::optional<Stage> next(MethodContext& context, const Stage& finished) const override {
    context.record.stages.back().decision = "go on";
    return finished.phase.stage + 1 < kStages ? std::optional(stage(finished.phase.stage + 1))
                                              : std::nullopt;
  }

 private:
  static Stage stage(std::int64_t number) {
    Phase phase;
    phase.stage = number;
    return {phase};
  }
};

TEST(Soak, AThousandStagesDoNotGrowTheMemory) {
  const testing::TemporaryFolder folder;
  const Network network = test::toy_network();
  const DataSet data = test::toy_data();
  const Recipe recipe = test::toy_recipe(1);
  const ManyStages method;
  const std::unique_ptr<Executor> executor = make_sparse_executor(network, 1);
  TrainingRun run = test::toy_run(network, data, recipe, method, *executor, folder.path());
  std::int64_t early = 0;
  std::int64_t late = 0;
  run.progress = [&](const TrainingProgress& progress) {
    if (progress.stage == 100) {
      early = anonymous_memory_bytes();
    } else if (progress.stage == kStages - 1) {
      late = anonymous_memory_bytes();
    }
  };
  const double begin = now_seconds();
  const RunRecord record = train(std::move(run));
  const double seconds = now_seconds() - begin;
  EXPECT_EQ(std::ssize(record.stages), kStages);
  fmt::print(
      "{} stages in {:.1f} s, {:.1f} s of it for writing them down; {:.1f} MiB at stage 100, "
      "{:.1f} MiB at the end\n",
      record.stages.size(), seconds, record.cost.record_seconds,
      static_cast<double>(early) / (1 << 20), static_cast<double>(late) / (1 << 20));
  EXPECT_GT(early, 0);
  EXPECT_LT(late - early, kMostGrowth);
}

}  // namespace
}  // namespace gcg
