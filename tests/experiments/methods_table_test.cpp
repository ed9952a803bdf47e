// Which runs the table of methods asks for, and its way from runs to the table.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/shell.h"
#include "base/temporary_folder.h"
#include "data/cifar_file.h"
#include "data/procedural.h"
#include "planned_runs.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::shell;
using testing::TemporaryFolder;

std::string methods_table(const TemporaryFolder& folder) {
  return fmt::format("{} --data-dir {} --out {}/runs", GCG_METHODS_TABLE, folder.path().string(),
                     folder.path().string());
}

TEST(MethodsTable, TheSmallScaleHasEveryFamilyAtEveryDensityAndThreeSeeds) {
  const auto runs = testing::runs_of("methods_table", "small");
  std::set<std::string> seeds;
  std::map<std::string, int> of_method;
  std::set<double> densities;
  for (const auto& [curve, part, run, name] : runs) {
    if (part.values.contains("density")) {
      densities.insert(part.values.at("density"));
    }
    EXPECT_EQ(run.at("network"), "resnet8");
    seeds.insert(run.at("seed"));
    const auto method = run.find("method");  // gcg is the default
    ++of_method[method == run.end() ? "gcg" : method->second];
  }
  EXPECT_EQ(seeds, (std::set<std::string>{"1", "2", "3"}));
  EXPECT_EQ(of_method.at("dense"), 3);
  for (const char* method : {"small_dense", "fixed_mask", "set", "rigl", "granet", "gmp", "acdc",
                             "imp", "gcg", "grow_reallocate"}) {
    EXPECT_GE(of_method[method], 9) << method;  // three densities, three seeds
    EXPECT_EQ(of_method[method] % 9, 0) << method;
  }
  EXPECT_GE(static_cast<int>(runs.size()) - 3, 9 * 12);
  EXPECT_EQ(densities, (std::set<double>{0.2, 0.1, 0.05}));
}

TEST(MethodsTable, RunsToItsTable) {
  const TemporaryFolder folder;
  ProceduralOptions options;
  options.train_images = 250;
  options.test_images = 50;
  const DataSet data = make_procedural(options);
  test::write_cifar10_file(folder / "data_batch_1.bin", data.train);
  test::write_cifar10_file(folder / "test_batch.bin", data.test);
  const Outcome outcome = shell(methods_table(folder) + " --jobs 1");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const Outcome analysis = shell(fmt::format("{} {}/analyse.py {}/runs/methods_table-smoke.json",
                                             GCG_PYTHON, GCG_ANALYSIS, folder.path().string()));
  ASSERT_EQ(analysis.status, 0) << analysis.output;
  EXPECT_THAT(analysis.output, ::testing::Not(HasSubstr("Not finished")));
  std::ifstream file(folder.path() / "runs" / "methods_table-smoke.summary.json");
  const nlohmann::json summary = nlohmann::json::parse(file);
  EXPECT_GE(summary.at("methods").size(), 12U);
  EXPECT_TRUE(summary.at("missing").empty());
  for (const auto& [name, cell] : summary.at("cells").items()) {
    EXPECT_EQ(cell.at("epochs").get<int>(), 10) << name;  // equal epochs, iterative methods too
  }
  const std::int64_t epochs = summary.at("cells").at("dense").at("epochs");
  for (const auto& [name, cell] : summary.at("cells").items()) {
    SCOPED_TRACE(name);
    // This scale is too small for equal epochs: pruning in rounds takes one at least in each, and
    // growth one more stage where its few connections round down.
    if (!name.starts_with("IMP") && !name.starts_with("growth")) {
      EXPECT_EQ(cell.at("epochs").get<std::int64_t>(), epochs);
    }
    if (name != "dense") {
      EXPECT_NEAR(cell.at("density").get<double>(), name.starts_with("small dense") ? 1 : 0.2,
                  1e-3);
      EXPECT_LT(cell.at("inference_flops").get<double>(), 1);
    }
  }
}

}  // namespace
}  // namespace gcg
