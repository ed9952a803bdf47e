#include "score/score_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/lookup.h"

namespace gcg {

namespace {

std::string path_context(const ScoreRequest& request) {
  return fmt::format("no images, {} batch norm, float64",
                     request.path_norm == PathNorm::folded ? "folded" : "identity");
}

std::string gradient_context(const ScoreRequest& request) {
  return fmt::format("{} batch{} from number {} on, batch norm in training mode, float32",
                     request.batches, request.batches == 1 ? "" : "es", request.first_batch);
}

Scored path(const ScoreRequest& request, int power) {
  const TrainingState& state = request.state;
  return {path_scores(request.network, state.values, state.mask, {request.path_norm, power}),
          path_context(request), path_score_flops(request.network, state.mask)};
}

Scored score_path(const ScoreRequest& request) { return path(request, 1); }

Scored score_path_l2(const ScoreRequest& request) { return path(request, 2); }

Scored score_synflow(const ScoreRequest& request) {
  const TrainingState& state = request.state;
  return {synflow_scores(request.network, state.values, state.mask, {request.path_norm, 1}),
          path_context(request), path_score_flops(request.network, state.mask)};
}

ConnectionValues gradients(const ScoreRequest& request) {
  return mean_gradients(request.gradients, request.state, request.first_batch, request.batches);
}

Scored score_gradient(const ScoreRequest& request) {
  return {magnitude_scores(request.network, gradients(request)), gradient_context(request)};
}

Scored score_momentum(const ScoreRequest& request) {
  if (request.gradient_average == nullptr || request.gradient_average->empty()) {
    throw Error("score momentum", "no gradients were averaged during training");
  }
  return {magnitude_scores(request.network, *request.gradient_average),
          "average over the updates, batch norm in training mode, float32"};
}

Scored score_random(const ScoreRequest& request) {
  return {uniform_scores(request.network), "no images"};
}

Scored score_magnitude(const ScoreRequest& request) {
  return {magnitude_scores(request.network, request.state.values.weights), "no images, float32"};
}

Scored score_snip(const ScoreRequest& request) {
  return {snip_scores(request.network, request.state, gradients(request)),
          gradient_context(request)};
}

Scored score_grasp(const ScoreRequest& request) {
  const ConnectionValues product =
      hessian_gradient_product(request.network, request.gradients, request.curvature, request.state,
                               request.first_batch, request.batches);
  return {grasp_scores(request.network, request.state, product),
          gradient_context(request) + ", Hessian of fixed activation patterns"};
}

constexpr std::string_view kGcg =
    "Gradual Capacity Growth for Sparse Network Discovery, arXiv 2509.25665";

constexpr std::array<ScoreRule, 9> kScores{{
    {.name = "path",
     .about = "sum over paths of the product of the |w| of the other connections (PathGrow)",
     .reference = kGcg,
     .score = score_path,
     .grows = true,
     .paths = true},
    {.name = "path_l2",
     .about = "the same with w^2: the exact gain of the path kernel's trace",
     .reference = "Patil & Dovrolis 2021, PHEW",
     .score = score_path_l2,
     .grows = true,
     .paths = true},
    {.name = "gradient",
     .about = "magnitude of the loss gradient on training images",
     .reference = "Evci et al. 2020, Rigging the lottery",
     .score = score_gradient,
     .grows = true,
     .images = true},
    {.name = "random",
     .about = "all connections equal",
     .reference = "",
     .score = score_random,
     .grows = true,
     .prunes = true,
     .equal = true},
    {.name = "momentum",
     .about = "magnitude of the average of dense gradients over the updates",
     .reference = "Dettmers & Zettlemoyer 2019, Sparse networks from scratch",
     .score = score_momentum,
     .grows = true,
     .images = true,
     .averaged = true},
    {.name = "magnitude",
     .about = "|w|",
     .reference = "Han et al. 2015, Learning both weights and connections",
     .score = score_magnitude,
     .prunes = true},
    {.name = "snip",
     .about = "|w g|: sensitivity of the loss",
     .reference = "Lee et al. 2019, SNIP",
     .score = score_snip,
     .prunes = true,
     .images = true},
    {.name = "grasp",
     .about = "w (H g): what gradient flow would lose",
     .reference = "Wang et al. 2020, GraSP",
     .score = score_grasp,
     .prunes = true,
     .images = true,
     .curvature = true},
    {.name = "synflow",
     .about = "path weight through the connection",
     .reference = "Tanaka et al. 2020, Pruning neural networks without any data",
     .score = score_synflow,
     .prunes = true},
}};

void check(const ScoreRule& rule, const ScoreRequest& request, const Scores& scores) {
  const Mask& mask = request.state.mask;
  bool any = false;
  for (std::size_t l = 0; l < scores.log_values.size(); ++l) {
    const std::vector<double>& values = scores.log_values[l];
    for (std::size_t c = 0; c < values.size(); ++c) {
      if (std::isnan(values[c])) {
        throw Error(fmt::format("{}: {}", request.network.name, request.network.layers[l].name),
                    fmt::format("score {} of connection {} is NaN", rule.name, c));
      }
      const bool present = mask.layers[l].test(static_cast<std::int64_t>(c));
      any = any || (values[c] > -std::numeric_limits<double>::infinity() &&
                    (present ? rule.prunes : rule.grows));
    }
  }
  const bool ranks = rule.prunes ? mask.present() > 0 : mask.present() < mask.connections();
  if (ranks && !any) {
    throw Error(request.network.name,
                fmt::format("score {} is zero at all {} connections it ranks", rule.name,
                            rule.prunes ? mask.present() : mask.connections() - mask.present()),
                "no path goes through the network: ask for a higher density");
  }
}

}  // namespace

std::span<const ScoreRule> score_table() { return kScores; }

const ScoreRule& find_score(std::string_view name) { return find_row(kScores, name, "score"); }

Scored score(std::string_view rule, const ScoreRequest& request) {
  const ScoreRule& row = find_score(rule);
  Scored result = row.score(request);
  check(row, request, result.scores);
  return result;
}

}  // namespace gcg
