#include "record/sample_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <limits>
#include <type_traits>

namespace gcg {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Mask sample_mask(const Network& network, std::int64_t stage) {
  Mask mask(network, false);
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    for (std::int64_t i = 0; i < mask.layers[l].size(); ++i) {
      if ((i + static_cast<std::int64_t>(l)) % (4 - stage) == 0) {
        mask.layers[l].set(i);
      }
    }
  }
  return mask;
}

/// Numbers that follow a rule: made up, but different for every member.
MaskStatistics sample_statistics(const Network& network, const Mask& mask, std::int64_t stage) {
  MaskStatistics s;
  s.present = mask.present();
  s.density = mask.density();
  s.effective_density = mask.density() / 2;
  s.disconnected_units = 3 - stage;
  s.fewest_live_channels = 1 + stage;
  s.overlap_previous = stage == 0 ? kNan : 0.25 * static_cast<double>(stage);
  s.ever_present_share = 0.5 + 0.125 * static_cast<double>(stage);
  s.log_path_norm = -std::numeric_limits<double>::infinity();
  s.log_path_kernel_trace = 12.5 + static_cast<double>(stage);
  s.inference_flops = 2048.0 * static_cast<double>(stage + 1);
  s.tau_core_units = 2 + stage;
  s.tau_core_units_random = 5 + stage;
  s.narrowest_layer = 4;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    LayerStatistics row;
    row.present = mask.layers[l].count();
    row.effective = row.present / 2;
    row.dead_inputs = static_cast<std::int64_t>(l);
    row.dead_outputs = stage;
    row.overlap_previous = stage == 0 ? kNan : 0.125 * static_cast<double>(l + 1);
    row.ever_present = row.present + 1;
    if (stage > 0) {
      row.wanted = 0.25 + static_cast<double>(row.present);
      row.integer = row.present + stage;
    }
    row.in_degree.assign(static_cast<std::size_t>(layer.outputs), 0);
    row.out_degree.assign(static_cast<std::size_t>(layer.inputs), 0);
    mask.layers[l].for_each_present([&](std::int64_t i) {
      ++row.in_degree[static_cast<std::size_t>(i / layer.fan_in())];
      ++row.out_degree[static_cast<std::size_t>(i % layer.fan_in() / layer.taps())];
    });
    s.layers.push_back(row);
  }
  return s;
}

/// Value of element i of the array with running number a: exact in float.
float element(std::size_t a, std::size_t i) {
  return static_cast<float>(a + 1) + static_cast<float>(i) / 64.0F;
}

Parameters sample_parameters(const Network& network, bool running) {
  Parameters p = zero_slots(network);
  std::size_t a = 0;
  const auto fill = [&](std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = element(a, i);
    }
    ++a;
  };
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    fill(p.weights[l]);
    fill(p.biases[l]);
  }
  for (NormParameters& norm : p.norms) {
    fill(norm.scale);
    fill(norm.shift);
    if (running) {
      norm.mean.resize(norm.scale.size());
      norm.variance.resize(norm.scale.size());
      fill(norm.mean);
      fill(norm.variance);
    }
  }
  return p;
}

TrainingState sample_state(const Network& network, const Mask& mask) {
  TrainingState state{
      sample_parameters(network, true), mask, {{"momentum", sample_parameters(network, false)}}, 5};
  clear_absent(state);
  return state;
}

std::vector<TrajectoryRow> sample_trajectory() {
  return {{10, 1, 0, Role::stage, 0.25, 0.1, 2.5, 0.125, 2.25, 0.25, 1e9, 1.5},
          {20, 2, 1, Role::stage, 0.375, 0.05, kNan, 0.5, 1.75, 0.5, 3e9, 3.25},
          {30, 3, 2, Role::final, 0.5, 0, 1.25, 0.625, 1.5, 0.5625, 7e9, 5},
          {40, 4, 2, Role::final, 0.5, 0, 1.125, 0.75, 1.5, 0.5625, 9e9, 6.5}};
}

std::vector<StageRow> sample_stages() {
  StageRow first{0, Role::stage, 40, 0.25, 1,      2.25, 0.25, 0,
                 0, kNan,        "", {},   "grow", 1e9,  1.5,  0.25};
  first.fit.outcome = Outcome::too_few_stages;
  first.fit.note = "1 stage of 5";
  StageRow second{1,    Role::stage,       60, 0.375,  1,   1.75, 0.5,  20, 2,
                  0.25, "path: no images", {}, "grow", 2e9, 1.75, 0.625};
  second.fit = {
      Outcome::found, {0.75, 2.5, 0.125},         0.71875, 0.015625, 0.005, 3.5, 0.625, 0.5,
      0.875,          "d* lies beyond the stages"};
  StageRow third{2,  Role::stage,        90,  0.5,  1,    1.5, 0.5625, 30, 0, 1, "path: no images",
                 {}, "stop: reached d*", 4e9, 1.75, 1.125};
  third.fit = {
      Outcome::needs_dense, {0.875, 2}, 0.75, 0.03125, 0.005, 2.25, 1, kNan, kNan, "≥ dense"};
  second.joint.outcome = Outcome::found;
  second.joint.parameters = {0.25, 0.75, -3, -0.5, 0.125, 2, 0.0625};
  second.joint.accuracy_at_one = 0.6875;
  second.joint.d_star = 0.5;
  second.joint.d_low = 0.375;
  second.joint.d_high = 0.75;
  second.joint.difference_error = 0.0625;
  second.joint.union_low = 0.25;
  second.joint.union_high = 0.875;
  second.joint.own_noise = 0.03125;
  second.joint.common_noise = 0.125;
  second.joint.note = "d* lies within the stages";
  second.above_best = {0.25, 0.03125, -0.0625, 0.015625};
  third.above_best = {0, 0, 0, 0};
  return {first, second, third};
}

/// Every fifth image; loss i + stage / 4 of image i, of which every third is a hit.
PredictionRecord sample_predictions() {
  PredictionRecord predictions;
  for (std::int64_t i = 0; i < 20; ++i) {
    predictions.images.push_back(5 * i);
  }
  for (std::int64_t stage = 0; stage < 3; ++stage) {
    StagePredictions& row = predictions.stages.emplace_back();
    row.stage = stage;
    for (std::int64_t i = 0; i < 20; ++i) {
      row.losses.push_back(static_cast<float>(i) + 0.25F * static_cast<float>(stage));
      row.hits.push_back((i + stage) % 3 == 0);
    }
  }
  return predictions;
}

// ---------------------------------------------------------------- description

std::string text(double value) {
  return fmt::format("{:#018x}", std::bit_cast<std::uint64_t>(value));
}
std::string text(float value) {
  return fmt::format("{:#010x}", std::bit_cast<std::uint32_t>(value));
}
std::string text(const std::string& value) { return fmt::format("\"{}\"", value); }
template <typename T>
requires std::is_enum_v<T> std::string text(T value) { return std::string(name_of(value)); }
template <typename T>
requires std::is_integral_v<T> std::string text(T value) { return fmt::format("{}", value); }
template <typename T>
std::string text(const std::vector<T>& values) {
  std::string all;
  for (const T& value : values) {
    all += text(value) + " ";
  }
  return all;
}

/// One line: what it is and the texts of all members.
template <typename... T>
std::string line(std::string_view name, const T&... values) {
  return fmt::format("{}: {}\n", name, fmt::join({text(values)...}, ", "));
}

std::string describe(const Parameters& p) {
  const auto& [weights, biases, norms, tokens] = p;
  std::string out;
  for (std::size_t l = 0; l < weights.size(); ++l) {
    out += line("weights", weights[l]) + line("biases", biases[l]);
  }
  for (const auto& [scale, shift, mean, variance] : norms) {
    out += line("norm", scale, shift, mean, variance);
  }
  if (!tokens.class_token.empty()) {
    out += line("tokens", tokens.class_token, tokens.positions);
  }
  return out;
}

std::string describe(const Mask& mask) {
  std::string out;
  for (const LayerMask& layer : mask.layers) {
    out += line("mask", layer.size(),
                std::vector<std::uint64_t>(layer.words().begin(), layer.words().end()));
  }
  return out;
}

}  // namespace

Network sample_network() {
  NetworkBuilder net("sample", {3, 6, 6});
  std::int32_t x = net.convolution("stem.conv", 0, 5, {3, 3, 1, 1});
  x = net.relu("relu1", net.batch_norm("stem.norm", x));
  x = net.convolution("block/1 100%", x, 4, {1, 3, 1, 0}, true);
  x = net.relu("relu2", net.batch_norm("block/norm", x));
  x = net.global_average_pool("pool", x);
  x = net.linear("größe", x, 37);
  net.linear(".", x, 40);
  return net.finish();
}

RunRecord fresh_record() {
  RunRecord record;
  record.network = sample_network();
  return record;
}

RunRecord sample_record() {
  RunRecord r;
  r.network = sample_network();
  r.identity = {"gcg-sample-0123456789",
                "00ff",
                3,
                std::numeric_limits<std::uint64_t>::max(),
                {{"extrapolator", "logistic", true, true},
                 {"growth-ratio", "0.4", false, true},
                 {"run-folder", "runs/Größe", false, false}},
                "gcg",
                "sample",
                "shapes",
                "abcd",
                40,
                100,
                20,
                8,
                "gcg_run --growth-ratio 0.4"};
  r.build = {"0.1.0", "0123456789abcdef0123456789abcdef01234567", true, "GNU 12.2.0", "Release"};
  r.host = {"host-1", "A processor", "avx2", 2, 25'000'000'000, "Linux 6.1"};
  r.threads = 2;
  r.execution = {"auto", "sparse", "cpu", "fp32", "AVX2", true, "sparse kernels everywhere"};
  r.libraries = {{"HDF5", "1.10.8"}, {"fmt", "9.1.0"}};
  r.status = RunStatus::finished;
  r.failure = "none, but stored";
  r.warnings = {"first warning", "zweite Warnung: ä"};
  r.trajectory = sample_trajectory();
  r.stages = sample_stages();
  for (std::int64_t stage = 0; stage < 3; ++stage) {
    const Mask mask = sample_mask(r.network, stage);
    r.masks.push_back({stage, mask, sample_statistics(r.network, mask, stage)});
  }
  r.predictions = sample_predictions();
  r.search = {SearchOutcome::found, 2, 0.5, 0.375, 0.625};
  r.cost = {1.125, 7e9, 1e6, 2e6, 5, 0.5, 0.25, 0.125, 0.0625, 0.03125, 123'456'789, 30, 3};
  r.result = RunResult{sample_state(r.network, r.masks.back().mask),
                       r.masks.back().mask.density(),
                       0.5625,
                       1.5,
                       0.625,
                       1.375,
                       {0, 1, 2, 3, 4, 5, 39, 0},
                       {0, 1, 2, 3, 4, 6, 39, 1},
                       6144};
  return r;
}

Checkpoint sample_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.record = sample_record();
  checkpoint.record.status = RunStatus::running;
  checkpoint.record.result.reset();
  checkpoint.state = sample_state(checkpoint.record.network, checkpoint.record.masks.back().mask);
  std::vector<float>& weights = checkpoint.state.values.weights[3];
  weights[0] = -0.0F;
  weights[1] = std::bit_cast<float>(std::uint32_t{0x7fc12345});  // quiet NaN with a payload
  weights[2] = std::bit_cast<float>(std::uint32_t{0xffa00001});  // signalling NaN
  weights[3] = std::bit_cast<float>(std::uint32_t{0x00000001});  // smallest denormal
  weights[4] = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i <= 4; ++i) {
    checkpoint.state.mask.layers[3].set(i);
  }
  clear_absent(checkpoint.state);
  checkpoint.position = {2, 1, 17, 123.456, 77, 2176};
  checkpoint.method_state = R"({"fits": [0.1, null], "phase": "stage ä"})";
  return checkpoint;
}

std::string describe(const TrainingState& state) {
  const auto& [values, mask, slots, updates] = state;
  std::string text = "values\n" + describe(values) + describe(mask);
  for (const auto& [name, slot] : slots) {
    text += name + "\n" + describe(slot);
  }
  return text + fmt::format("{} updates\n", updates);
}

std::string describe(const RunRecord& record) {
  const auto& [identity, build, host, threads, execution, libraries, status, failure, warnings,
               network, trajectory, stages, masks, on_validation, search, cost, result] = record;
  std::string out;
  {
    const auto& [name, hash, version, seed, options, method, net, data, digest, classes, train,
                 validation, test, command] = identity;
    out += line("identity", name, hash, version, seed, method, net, data, digest, classes, train,
                validation, test, command);
    for (const auto& [option, value, is_default, affects] : options) {
      out += line("option", option, value, is_default, affects);
    }
  }
  {
    const auto& [version, commit, dirty, compiler, type] = build;
    out += line("build", version, commit, dirty, compiler, type);
  }
  {
    const auto& [name, processor, instructions, cores, memory, system] = host;
    out += line("host", name, processor, instructions, cores, memory, system, threads);
  }
  {
    const auto& [asked, used, device, precision, kernels, fused, rule] = execution;
    out += line("execution", asked, used, device, precision, kernels, fused, rule);
  }
  for (const auto& [name, version] : libraries) {
    out += line("library", name, version);
  }
  out += line("status", status, failure, warnings);
  out += line("network", network.name, network.norm_count);
  for (const auto& [name, node, outputs, inputs, height, width] : network.layers) {
    out += line("layer", name, outputs, inputs, height, width);  // nodes are not stored
  }
  for (const auto& [step, epoch, stage, phase, density, rate, train_loss, train_accuracy,
                    validation_loss, validation_accuracy, flops, seconds] : trajectory) {
    out += line("row", step, epoch, stage, phase, density, rate, train_loss, train_accuracy,
                validation_loss, validation_accuracy, flops, seconds);
  }
  for (const auto& [stage, phase, present, density, epochs, loss, accuracy, grown, repaired,
                    growth_overlap, scores, fit, decision, flops, seconds, density_epochs, above,
                    joint] : stages) {
    out += line("stage", stage, phase, present, density, epochs, loss, accuracy, grown, repaired,
                growth_overlap, scores, decision, flops, seconds, density_epochs);
    const auto& [above_loss, loss_error, above_accuracy, accuracy_error] = above;
    out += line("above best", above_loss, loss_error, above_accuracy, accuracy_error);
    {
      const auto& [outcome, parameters, at_one, error, epsilon, chi_square, d_star, d_low, d_high,
                   note] = fit;
      out += line("fit", outcome, parameters, at_one, error, epsilon, chi_square, d_star, d_low,
                  d_high, note);
    }
    {
      const auto& [outcome, parameters, at_one, d_star, d_low, d_high, error, low, high, own,
                   common, note] = joint;
      out += line("joint", outcome, std::vector<double>(parameters.begin(), parameters.end()),
                  at_one, d_star, d_low, d_high, error, low, high, own, common, note);
    }
  }
  out += line("images", on_validation.images);
  for (const auto& [stage, losses, hits] : on_validation.stages) {
    out += line("predictions", stage, losses, std::vector<std::int64_t>(hits.begin(), hits.end()));
  }
  {
    const auto& [outcome, stage, density, low, high] = search;
    out += line("search", outcome, stage, density, low, high);
  }
  for (const auto& [stage, mask, statistics] : masks) {
    const auto& [layers, present, density, effective, disconnected, fewest, overlap, ever, norm,
                 trace, flops, core, core_random, narrowest] = statistics;
    out += line("mask of stage", stage) + describe(mask);
    out += line("statistics", present, density, effective, disconnected, fewest, overlap, ever,
                norm, trace, flops, core, core_random, narrowest);
    for (const auto& [count, on_path, dead_in, dead_out, previous, ever_layer, wanted, integer, in,
                      out_degree] : layers) {
      out += line("of layer", count, on_path, dead_in, dead_out, previous, ever_layer, wanted,
                  integer, in, out_degree);
    }
  }
  {
    const auto& [density_epochs, training, scoring, gradients, train, evaluate, grow, statistics,
                 recording, waiting, memory, steps, epochs] = cost;
    out += line("cost", density_epochs, training, scoring, gradients, train, evaluate, grow,
                statistics, recording, waiting, memory, steps, epochs);
  }
  if (result) {
    const auto& [state, density, accuracy, loss, test_accuracy, test_loss, predictions, labels,
                 flops] = *result;
    out += line("result", density, accuracy, loss, test_accuracy, test_loss, predictions, labels,
                flops);
    out += describe(state);
  }
  return out;
}

}  // namespace gcg
