#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/option_file.h"
#include "base/options.h"
#include "growth/sampling.h"
#include "score/score_table.h"
#include "train/method.h"

namespace gcg {

/// How one growth stage chooses its connections.
struct GrowthRuleOptions {
  std::string rule = "path";
  std::string selection = "sampled";
  double beta = 1;
  double lambda = 0;
  std::string path_norm = "folded";
  std::string quotas = "global";
  std::string new_weights = "zero";
  bool repair = true;
  bool inverted = false;
  OptionFile allocation_file;
};

/// The scores that rank absent connections, in the order of the table of scores.
std::vector<std::string> growth_rule_names();

/// The dense gradients that a stage under these options has to average: Phase::gradient_average.
double gradient_average(const GrowthRuleOptions& options);

void add_growth_rule_options(OptionList& list, GrowthRuleOptions& options);

/// UsageError: the quotas need a file that is not named.
void check_growth_rule_options(const GrowthRuleOptions& options);

/// Before any training: an Error where the table of the quotas cannot be read or cannot hold the
/// connections that growth comes to in any case; 0: that is not known.
void check_quotas(const Network& network, const GrowthRuleOptions& options, std::int64_t largest);

/// Before any training, at the first mask: growth by so many connections is tried on a copy if it
/// goes by paths, for a mask can be too sparse for it: the Error would else come after the first
/// stage. Rules that look at images are not tried.
void check_first_growth(const MethodContext& context, const GrowthRuleOptions& options,
                        std::int64_t count);

/// The score of a rule on context.state; its sweeps are counted. `batch` is the number of the first
/// batch of images.
Scored rule_score(std::string_view rule, MethodContext& context, PathNorm norm,
                  std::uint64_t batch);

/// Adds exactly `count` connections to context.state for the stage that follows `stage`: repairs
/// dead units first, then scores, then selects. Streams are keyed by the stage. Errors name layer
/// and number.
MaskReport grow(MethodContext& context, const GrowthRuleOptions& options, std::int64_t count,
                std::int64_t stage);

}  // namespace gcg
