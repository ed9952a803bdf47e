#include "train/recipe.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace gcg {
namespace {

Recipe stretched(const std::string& budget, double cost_ratio) {
  Recipe recipe;
  recipe.epochs = 160;
  recipe.budget = budget;
  recipe.cost_ratio = cost_ratio;
  return with_budget(recipe);
}

TEST(WithBudget, EqualEpochsChangeNothing) {
  EXPECT_EQ(stretched("epochs", 0.1).epochs, 160);
  EXPECT_EQ(stretched("epochs", 0.1).stretch, 1);
}

TEST(WithBudget, EqualCostBuysEpochsUpToFiveTimesAsMany) {
  EXPECT_EQ(stretched("flops", 0.5).epochs, 320);
  EXPECT_EQ(stretched("flops", 0.414).epochs, 386);  // 386.47
  EXPECT_DOUBLE_EQ(stretched("flops", 0.414).stretch, 386.0 / 160);
  EXPECT_EQ(stretched("time", 0.1).epochs, 800);
  EXPECT_EQ(stretched("time", 1.6).epochs, 100);  // what costs more gets fewer
  EXPECT_EQ(stretched("flops", 1e9).epochs, 1);
}

TEST(WithBudget, ACostRatioNeedsABudgetToBeUsed) {
  Recipe recipe;
  OptionList list;
  add_recipe_options(list, recipe);
  EXPECT_EQ(list.find("cost-ratio")->unused(), "the budget is epochs");
  list.set("budget", "time");
  EXPECT_EQ(list.find("cost-ratio")->unused(), "");
  EXPECT_THROW(list.set("cost-ratio", "0"), UsageError);
}

}  // namespace
}  // namespace gcg
