#include "study/run_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/optimiser.h"
#include "backend/precision.h"
#include "backend/ranks.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/host.h"
#include "base/lookup.h"
#include "base/text.h"
#include "method/methods.h"

namespace gcg {

namespace {

bool has_batch_norm(const RunSettings& settings) {
  const std::span<const Operation> operations = network_operations(settings.network);
  return std::ranges::find(operations, Operation::batch_norm) != operations.end();
}

bool chooses_kernels(const RunSettings& settings) {
  return settings.precision == "bf16" && backend_used(settings).name == "sparse";
}

void add_settings(OptionList& list, RunSettings& settings) {
  list.group("Run");
  // A name holds what deviates from gcg, the default when the first names were given.
  list.add_choice("method", settings.method, row_names(method_table()), "what is run")
      .identified_by([&settings] { return settings.method; }, "gcg");
  list.add_choice("network", settings.network, row_names(network_table()), "network");
  list.add("width", settings.width, {0, 4096},
           "channels of the network's first stage; 0: the network's own default");
  list.add_choice("data", settings.data, row_names(data_source_table()), "images");
  list.add("seed", settings.seed, "seed of all random streams of the run");
  std::vector<std::string> executions = row_names(backend_table());
  std::string abouts = "auto: the first of these that can do what the run asks";
  for (const Backend& backend : backend_table()) {
    abouts += fmt::format("; {}: {}", backend.name, backend.about);
  }
  executions.insert(executions.begin(), "auto");
  list.add_choice("execution", settings.execution, executions, abouts)
      .identified_by([&settings] { return std::string(backend_used(settings).name); },
                     std::string(backend_used(RunSettings()).name));
  list.add_choice("device", settings.device, device_names(),
                  "what the network runs on; cuda: the first GPU that CUDA_VISIBLE_DEVICES shows");
  list.add_choice(
      "precision", settings.precision, {kPrecisionNames.begin(), kPrecisionNames.end()},
      "how the tensors of a batch are stored and multiplied; all arithmetic of sparse "
      "execution is in fp32 either way, but for the factors of tiles (--kernels); tf32: "
      "fp32 with factors of 10 bits, on cuda");
  list.add_choice(
          "kernels", settings.kernels, {"auto", "sparse", "tiles"},
          "of convolutions between tensors in bf16; sparse: present weights; tiles: products "
          "of masked dense tiles in bf16 for layers of a density of 0.04 or more, slow "
          "without AMX; auto: tiles if the processor has AMX, else sparse")
      .used_if([&settings] { return chooses_kernels(settings); },
               "only sparse execution in bf16 has a choice")
      .identified_by([&settings] { return kernels_used(settings); }, "sparse");
  list.add("deterministic", settings.deterministic,
           "the same bits in every repetition; off: faster operations of a GPU too")
      .used_if([&settings] { return settings.device != "cpu"; },
               "the device is cpu, which always gives the same bits");
  list.add("cuda-graphs", settings.cuda_graphs,
           "launch all kernels of a forward and backward pass at once; takes more memory")
      .used_if([&settings] { return settings.device != "cpu"; },
               "the device is cpu, which has no graphs");
  list.add("threads", settings.threads, {1, 1024},
           "threads of one run, over its processes together; dense results depend on it, sparse "
           "ones have the same bits")
      .cosmetic_if([&settings] { return !backend_used(settings).threads_change_bits; });
  list.add("out", settings.out, "folder in which every run has a folder of its own").cosmetic();
  list.add("checkpoint-seconds", settings.checkpoint_seconds, kNotNegative,
           "longest time between two checkpoints; 0: 300, on a GPU 60. Before that there is one "
           "after "
           "an epoch, on a GPU after a stage, as soon as saving takes at most 1 % of the time")
      .cosmetic();
  list.add("keep-stages", settings.keep_stages,
           "keep the state at the end of every stage, for --trunk and gcg_export: 4 bytes per "
           "present connection and as many for each slot of the optimiser")
      .cosmetic();
  list.add(
          "data-threads", settings.data_threads, {0, 256},
          "threads of a process that make batches ahead of the training; 0: one for each core that "
          "--threads leaves free, at least 1")
      .cosmetic();
  list.add("processes", settings.processes, {1, 4096},
           "processes that train the run together, each a share of every batch, here on this "
           "machine; on several: --world")
      .cosmetic_if([&settings] { return settings.sync_norm || !has_batch_norm(settings); });
  list.add("sync-norm", settings.sync_norm,
           "batch normalisation by the moments of the whole batch; off: every process by those of "
           "its share, which makes their number part of the result")
      .used_if([&settings] { return has_batch_norm(settings); },
               "the network has no batch normalisation");
  list.restrict(
      "sync-norm", [&settings] { return settings.processes > 1; }, "there is one process");
  list.add("rank-seconds", settings.rank_seconds, {1, 3600},
           "seconds after which a process that does not answer the others is given up and the run "
           "ends; 15 times as many where it is seen to work, in reading data or writing files")
      .cosmetic()
      .used_if([&settings] { return settings.processes > 1; }, "there is one process");
}

/// A backend that was asked for by name must be able to do all of it.
void check_execution(const RunSettings& settings) {
  const BackendRequest request = request_of(settings);
  const std::string lacks = missing(backend_used(settings), request);
  if (!lacks.empty()) {
    const Backend* able = first_able(request);
    throw UsageError(fmt::format("--execution {}", settings.execution), lacks,
                     able == nullptr
                         ? "no other can do all of it either"
                         : fmt::format("leave it out, or take --execution {}", able->name));
  }
}

/// Every process has threads, and samples of every batch.
void check_processes(const RunSettings& settings) {
  const std::int64_t processes = settings.processes;
  if (settings.threads > 1 && settings.threads % processes != 0) {
    throw UsageError(fmt::format("--threads {}", settings.threads),
                     fmt::format("cannot be shared out evenly over {} processes", processes),
                     "give a multiple of --processes");
  }
  if (processes > 1 && settings.recipe.batch_size < kLeastShare * processes) {
    throw UsageError(fmt::format("--batch-size {}", settings.recipe.batch_size),
                     fmt::format("is too small to be shared out over {} processes", processes),
                     fmt::format("take {} at least, or fewer processes", kLeastShare * processes));
  }
  if (processes > 1 && settings.cuda_graphs) {
    throw UsageError("--cuda-graphs", "a step that several processes share is no CUDA graph",
                     "leave it out, or take one process");
  }
}

/// Who would have used an option that this run does not have.
std::vector<std::string> owners_of(const std::string& name) {
  for (const OptionDescription& option : all_run_options()) {
    if (option.name == name) {
      return option.owners;
    }
  }
  return {};
}

void check_known(const OptionList& list, const GivenOptions& given, const RunSettings& settings) {
  for (const auto& [name, value] : given) {
    if (list.find(name) != nullptr) {
      continue;
    }
    const std::vector<std::string> owners = owners_of(name);
    if (owners.empty()) {
      throw UsageError("--" + name, "there is no such option", "gcg_run --help lists them all");
    }
    throw UsageError(
        "--" + name,
        fmt::format("is not used by method {} with data {}", settings.method, settings.data),
        fmt::format("leave it out; it belongs to {}", fmt::join(owners, ", ")));
  }
}

void set_if_given(OptionList& list, const GivenOptions& given, const std::string& name) {
  if (const auto found = given.find(name); found != given.end()) {
    list.set(name, found->second);
  }
}

std::string short_text(const RunSettings& settings, const std::string& hash) {
  const std::string width = settings.width > 0 ? fmt::format("w{}", settings.width) : "";
  return fmt::format("{}-{}{}-{}-s{}-{}", settings.method, settings.network, width, settings.data,
                     settings.seed, hash.substr(0, 10));
}

const DataSourceEntry& images(const RunSettings& settings) {
  return find_row(data_source_table(), settings.data, "--data");
}

/// What the recipe by a name says and the user does not, as far as the run has a use for it.
void set_named_recipe(RunPlan& plan, const GivenOptions& given) {
  const Recipe& recipe = plan.settings.recipe;
  for (const auto& [name, value] : named_recipe(recipe.name)) {
    if (name == "optimiser" && given.contains(name) && recipe.optimiser != value) {
      throw UsageError(fmt::format("--optimiser {}", recipe.optimiser),
                       fmt::format("the recipe {} is one of {}", recipe.name, value),
                       "leave it out, or leave out --recipe");
    }
    if (!given.contains(name) && plan.options.find(name)->unused().empty()) {
      plan.options.set(name, value);
    }
  }
}

/// What an option is where a command does not have it.
std::string value_if_left_out(const RunPlan& plan, const Option& option) {
  return option.name == "learning-rate"
             ? number_text(find_optimiser(plan.settings.recipe.optimiser).learning_rate)
             : option.default_text;
}

/// The part of the identity that follows from the options alone.
RunIdentity identify(const RunPlan& plan) {
  RunIdentity identity;
  identity.defaults_version = backend_used(plan.settings).results_version;
  identity.seed = plan.settings.seed;
  identity.method = plan.settings.method;
  identity.network = plan.settings.network;
  identity.data = plan.settings.data;
  std::vector<std::string> deviations;
  std::string command = "gcg_run";
  for (const Option& option : plan.options.options()) {
    const std::string text = option.text();
    // An option without any use under the others cannot have been given; it is left out.
    if (!option.unused().empty()) {
      continue;
    }
    identity.options.push_back(
        {option.name, text, text == option.default_text, option.affects_result()});
    if (option.deviates()) {
      deviations.push_back(option.name + "=" + option.identity_text());
    }
    // Also what makes no other run, as the folder of the data: the line shall run as it stands,
    // and be the same run on a processor where a default comes to something else.
    if (!option.is_in_commands) {
      continue;
    }
    if (text != value_if_left_out(plan, option)) {
      command += fmt::format(" --{} {}", option.name, shell_word(text));
    } else if (option.deviates()) {
      command += fmt::format(" --{} {}", option.name, shell_word(option.identity_text()));
    }
  }
  std::sort(deviations.begin(), deviations.end());
  const std::string text =
      fmt::format("defaults={}\n{}\n", identity.defaults_version, fmt::join(deviations, "\n"));
  identity.hash = hex(sha256(text));
  identity.name = short_text(plan.settings, identity.hash);
  identity.command = command;
  return identity;
}

}  // namespace

BackendRequest request_of(const RunSettings& settings) {
  const std::span<const Operation> operations = network_operations(settings.network);
  BackendRequest request;
  request.device = settings.device;
  request.precision = settings.precision;
  request.optimiser = settings.recipe.optimiser;
  request.operations.assign(operations.begin(), operations.end());
  if (settings.recipe.stochastic_depth > 0) {
    request.operations.push_back(Operation::drop_path);
  }
  request.processes = settings.processes;
  return request;
}

std::int64_t threads_of_a_process(const RunSettings& settings) {
  return std::max<std::int64_t>(1, settings.threads / settings.processes);
}

const Backend& backend_used(const RunSettings& settings) {
  if (settings.execution != "auto") {
    return find_backend(settings.execution);
  }
  const BackendRequest request = request_of(settings);
  const Backend* able = first_able(request);
  if (able == nullptr) {
    std::string reasons;
    for (const Backend& backend : backend_table()) {
      reasons += fmt::format("{}{} {}", reasons.empty() ? "" : "; ", backend.name,
                             missing(backend, request));
    }
    throw UsageError("--execution auto", reasons, "change what is asked for");
  }
  return *able;
}

std::string kernels_used(const RunSettings& settings) {
  if (!chooses_kernels(settings)) {
    return "sparse";
  }
  if (settings.kernels != "auto") {
    return settings.kernels;
  }
  return amx_facts().usable ? "tiles" : "sparse";
}

std::filesystem::path RunPlan::folder() const {
  return std::filesystem::path(settings.out) / identity.name;
}

std::unique_ptr<RunPlan> make_run_plan(const GivenOptions& given) {
  auto plan = std::make_unique<RunPlan>();
  OptionList& list = plan->options;
  add_settings(list, plan->settings);
  // The method and the data set first: the other options depend on them.
  set_if_given(list, given, "method");
  set_if_given(list, given, "data");
  add_recipe_options(list, plan->settings.recipe);
  const RunSettings& settings = plan->settings;
  for (const char* name : {"stochastic-depth", "recipe"}) {
    list.restrict(
        name, [&settings] { return network_entry(settings.network).stochastic_depth; },
        "the network is no vision transformer");
  }
  for (const char* name : {"resized-crop", "colour-jitter"}) {
    list.restrict(
        name, [&settings] { return images(settings).shape.channels == 3; },
        "the images do not have three colours");
    list.restrict(
        name, [&settings] { return images(settings).labels_stay; },
        "it would change the labels of these images");
  }
  plan->data = make_data_source(plan->settings.data);
  list.group(fmt::format("Data {}", plan->settings.data));
  plan->data->add_options(list);
  plan->method = make_method(plan->settings.method);
  list.group(fmt::format("Method {}", plan->settings.method));
  plan->method->add_options(list);
  check_known(list, given, plan->settings);
  for (const auto& [name, value] : given) {
    list.set(name, value);
  }
  set_named_recipe(*plan, given);
  // Said by the environment here, and by the recorded command elsewhere.
  if (const Option* folder = list.find("data-dir"); folder != nullptr && folder->text().empty()) {
    list.set("data-dir", data_folder_of_environment());
  }
  if (!given.contains("learning-rate")) {
    list.set("learning-rate", number_text(recipe_learning_rate(plan->settings.recipe)));
  }
  for (const auto& [name, value] : given) {
    const std::string reason = list.find(name)->unused();
    if (!reason.empty()) {
      throw UsageError("--" + name, "has no effect here: " + reason, "leave it out");
    }
  }
  check_execution(plan->settings);
  check_processes(plan->settings);
  plan->method->check(with_budget(plan->settings.recipe));  // with the epochs that it will have
  plan->identity = identify(*plan);
  return plan;
}

std::vector<OptionDescription> all_run_options() {
  std::vector<OptionDescription> all;
  const auto add = [&](const OptionList& list, const std::string& owner) {
    for (const Option& option : list.options()) {
      const auto same = [&](const OptionDescription& other) { return other.name == option.name; };
      const auto found = std::find_if(all.begin(), all.end(), same);
      if (found == all.end()) {
        all.push_back({option.name, option.group, option.help, option.default_text, {}});
        if (!owner.empty()) {
          all.back().owners.push_back(owner);
        }
      } else {
        found->owners.push_back(owner);
        if (option.default_text != found->default_text) {
          found->help += fmt::format("; default of {}: {}", owner, option.default_text);
        }
      }
    }
  };
  RunSettings settings;
  OptionList common;
  add_settings(common, settings);
  add_recipe_options(common, settings.recipe);
  add(common, "");
  for (const DataSourceEntry& entry : data_source_table()) {
    OptionList list;
    list.group(fmt::format("Data {}", entry.name));
    const std::unique_ptr<DataSource> source = entry.make();
    source->add_options(list);
    add(list, fmt::format("data {}", entry.name));
  }
  for (const MethodEntry& entry : method_table()) {
    OptionList list;
    list.group(fmt::format("Method {}", entry.name));
    const std::unique_ptr<Method> method = entry.make();
    method->add_options(list);
    add(list, fmt::format("method {}", entry.name));
  }
  return all;
}

}  // namespace gcg
