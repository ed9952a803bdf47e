#pragma once

#include <string_view>
#include <tuple>

#include "record/run_record.h"

/// The members of the record's structs as a run file stores them: name, unit and meaning, defined
/// once for writing, reading and docs/run_file.md. A new member of a struct needs a row here; those
/// of a trajectory and of its stages are in rows.h.
namespace gcg::schema {

inline constexpr std::tuple kIdentity{
    Field{"name", &RunIdentity::name, "none", "readable prefix and hash: the run folder's name"},
    Field{"hash", &RunIdentity::hash, "none",
          "SHA-256 over the options that affect the result and the defaults' version"},
    Field{"defaults_version", &RunIdentity::defaults_version, "1",
          "version of the defaults and of the backend's results"},
    Field{"seed", &RunIdentity::seed, "1", "the one seed of all random streams"},
    Field{"method", &RunIdentity::method, "none", "method"},
    Field{"network", &RunIdentity::network, "none", "network"},
    Field{"data", &RunIdentity::data, "none", "data set"},
    Field{"data_digest", &RunIdentity::data_digest, "none", "digest of the data set's content"},
    Field{"classes", &RunIdentity::classes, "1", "classes of the data set"},
    Field{"train_images", &RunIdentity::train_images, "images", "images trained on"},
    Field{"validation_images", &RunIdentity::validation_images, "images",
          "images of the validation split"},
    Field{"test_images", &RunIdentity::test_images, "images", "images of the test set"},
    Field{"command", &RunIdentity::command, "none", "the command line that makes this run"},
};

inline constexpr std::tuple kOptions{
    Field{"name", &OptionValue::name, "none", "name of the option, without leading dashes"},
    Field{"value", &OptionValue::value, "none", "resolved value, canonical text"},
    Field{"is_default", &OptionValue::is_default, "none", "the value is the default"},
    Field{"affects_result", &OptionValue::affects_result, "none", "part of the run's hash"},
};

inline constexpr std::tuple kBuild{
    Field{"version", &BuildFacts::version, "none", "version of the project"},
    Field{"commit", &BuildFacts::commit, "none", "commit, or unknown"},
    Field{"dirty", &BuildFacts::dirty, "none", "the checkout had uncommitted changes"},
    Field{"compiler", &BuildFacts::compiler, "none", "compiler and its version"},
    Field{"build_type", &BuildFacts::build_type, "none", "build type"},
};

inline constexpr std::tuple kHost{
    Field{"name", &HostFacts::name, "none", "host name"},
    Field{"processor", &HostFacts::processor, "none", "processor model"},
    Field{"instructions", &HostFacts::instructions, "none", "widest vector extension"},
    Field{"cores", &HostFacts::cores, "cores", "cores usable by the process"},
    Field{"memory_bytes", &HostFacts::memory_bytes, "bytes", "memory of the machine"},
    Field{"system", &HostFacts::system, "none", "kernel name and release"},
};

inline constexpr std::tuple kExecution{
    Field{"asked", &ExecutionFacts::asked, "none",
          "execution as asked for: auto, sparse, dense or device"},
    Field{"used", &ExecutionFacts::used, "none",
          "sparse: present connections only; dense, device: masks on dense weights in LibTorch"},
    Field{"device", &ExecutionFacts::device, "none", "device it ran on, as `--device` calls it"},
    Field{"precision", &ExecutionFacts::precision, "none",
          "how activations and their gradients are stored"},
    Field{"kernels", &ExecutionFacts::kernels, "none",
          "instruction set of the sparse kernels, empty under other execution"},
    Field{"fused", &ExecutionFacts::fused, "none",
          "multiply-adds of the sparse kernels round once: equal bits on every such processor"},
    Field{"rule", &ExecutionFacts::rule, "none",
          "how each layer's kernel is chosen by shape and density"},
};

inline constexpr std::tuple kLibraries{
    Field{"name", &Library::name, "none", "library"},
    Field{"version", &Library::version, "none", "its version"},
};

inline constexpr std::tuple kLayers{
    Field{"name", &Layer::name, "none", "maskable layer, in the network's order"},
    Field{"outputs", &Layer::outputs, "channels", "output channels (units)"},
    Field{"inputs", &Layer::inputs, "channels", "input channels"},
    Field{"kernel_height", &Layer::kernel_height, "taps", "height of the kernel, 1 if linear"},
    Field{"kernel_width", &Layer::kernel_width, "taps", "width of the kernel, 1 if linear"},
};

inline constexpr std::tuple kSearch{
    Field{"outcome", &SearchResult::outcome, "none",
          "none, found, needs_dense, budget or smallest"},
    Field{"stage", &SearchResult::stage, "1", "stage whose state was trained to the end, -1: none"},
    Field{"density", &SearchResult::density, "1", "of the network that was found"},
    Field{"low", &SearchResult::low, "1",
          "smallest density that the validation images do not tell from it"},
    Field{"high", &SearchResult::high, "1", "largest such density"},
};

/// StageRow::fit. Its parameters are stored beside it, as a matrix.
inline constexpr std::tuple kFit{
    Field{"outcome", &Extrapolation::outcome, "none",
          "too_few_stages, found, needs_dense, not_resolvable or undetermined"},
    Field{"accuracy_at_one", &Extrapolation::accuracy_at_one, "1",
          "fitted accuracy at density 1; NaN if there is none, as in all columns of the fit"},
    Field{"standard_error", &Extrapolation::standard_error, "1", "of accuracy_at_one"},
    Field{"epsilon", &Extrapolation::epsilon, "1", "accuracy one gives away, absolute"},
    Field{"chi_square", &Extrapolation::chi_square, "1", "weighted sum of squares of the fit"},
    Field{"d_star", &Extrapolation::d_star, "1",
          "smallest density within epsilon of accuracy_at_one"},
    Field{"d_low", &Extrapolation::d_low, "1", "lower end of the interval of d_star"},
    Field{"d_high", &Extrapolation::d_high, "1", "upper end of the interval of d_star"},
    Field{"note", &Extrapolation::note, "none", "why, in a sentence"},
};

/// StageRow::joint. Its parameters are stored beside it, as a matrix.
inline constexpr std::tuple kJoint{
    Field{"outcome", &JointFit::outcome, "none",
          "too_few_stages, found, needs_dense, not_resolvable or undetermined"},
    Field{"accuracy_at_one", &JointFit::accuracy_at_one, "1",
          "fitted accuracy at density 1 after the recipe's epochs; NaN if there is none, as in all "
          "columns of the fit"},
    Field{
        "d_star", &JointFit::d_star, "1",
        "smallest density within epsilon of accuracy_at_one after the recipe's epochs (as many as "
        "growth so far where no final training follows)"},
    Field{"d_low", &JointFit::d_low, "1", "lower end of the interval of d_star"},
    Field{"d_high", &JointFit::d_high, "1", "upper end of the interval of d_star"},
    Field{"union_low", &JointFit::union_low, "1",
          "lower end of the union of the intervals of the joint, power and logistic forms"},
    Field{"union_high", &JointFit::union_high, "1", "upper end of that union"},
    Field{"difference_error", &JointFit::difference_error, "1",
          "standard error of the accuracy given away at d_star"},
    Field{"own_noise", &JointFit::own_noise, "1",
          "standard deviation of a stage's accuracy that is its own"},
    Field{"common_noise", &JointFit::common_noise, "1",
          "standard deviation that all stages have in common: they share the validation images"},
    Field{"note", &JointFit::note, "none", "why, in a sentence"},
};

inline constexpr std::tuple kStatistics{
    Field{"present", &MaskStatistics::present, "connections", "present connections"},
    Field{"density", &MaskStatistics::density, "1", "present / all connections"},
    Field{"effective_density", &MaskStatistics::effective_density, "1",
          "connections on an input-output path / all connections"},
    Field{"disconnected_units", &MaskStatistics::disconnected_units, "units", "units on no path"},
    Field{"fewest_live_channels", &MaskStatistics::fewest_live_channels, "channels",
          "fewest live channels among the tensors that every path crosses"},
    Field{"overlap_previous", &MaskStatistics::overlap_previous, "1",
          "Jaccard index with the stage before, NaN at the first"},
    Field{"ever_present_share", &MaskStatistics::ever_present_share, "1",
          "connections present at this or an earlier stage / all connections"},
    Field{"log_path_norm", &MaskStatistics::log_path_norm, "1",
          "natural logarithm of the path norm"},
    Field{"log_path_kernel_trace", &MaskStatistics::log_path_kernel_trace, "1",
          "natural logarithm of the trace of the path kernel"},
    Field{"inference_flops", &MaskStatistics::inference_flops, "FLOP/sample", "one forward pass"},
    Field{"tau_core_units", &MaskStatistics::tau_core_units, "units", "size of the tau-core found"},
    Field{"tau_core_units_random", &MaskStatistics::tau_core_units_random, "units",
          "the same for a random mask with the same layer counts"},
    Field{"narrowest_layer", &MaskStatistics::narrowest_layer, "units",
          "hidden units of the narrowest hidden layer"},
};

/// Matrices [stages][layers]. The degrees are stored beside them, one matrix per layer.
inline constexpr std::tuple kLayerStatistics{
    Field{"present", &LayerStatistics::present, "connections", "present connections"},
    Field{"effective", &LayerStatistics::effective, "connections",
          "present connections on an input-output path"},
    Field{"dead_inputs", &LayerStatistics::dead_inputs, "channels",
          "input channels that carry no path"},
    Field{"dead_outputs", &LayerStatistics::dead_outputs, "units",
          "output units that carry no path"},
    Field{"overlap_previous", &LayerStatistics::overlap_previous, "1",
          "Jaccard index with the stage before, NaN at the first"},
    Field{"ever_present", &LayerStatistics::ever_present, "connections",
          "connections present at this or an earlier stage"},
    Field{"wanted", &LayerStatistics::wanted, "connections",
          "what the allocation behind the mask wanted, NaN without one"},
    Field{"integer", &LayerStatistics::integer, "connections",
          "the same in whole connections, -1 without one; realised: present"},
};

inline constexpr std::tuple kCost{
    Field{"density_epochs", &CostRecord::density_epochs, "epochs", "sum over epochs of density"},
    Field{"training_flops", &CostRecord::training_flops, "FLOP", "training steps"},
    Field{"scoring_flops", &CostRecord::scoring_flops, "FLOP", "path sweeps"},
    Field{"dense_gradient_flops", &CostRecord::dense_gradient_flops, "FLOP",
          "gradients of absent connections"},
    Field{"train_seconds", &CostRecord::train_seconds, "s", "training"},
    Field{"evaluate_seconds", &CostRecord::evaluate_seconds, "s", "evaluation"},
    Field{"grow_seconds", &CostRecord::grow_seconds, "s", "scores and mask changes"},
    Field{"statistics_seconds", &CostRecord::statistics_seconds, "s", "measures of masks"},
    Field{"record_seconds", &CostRecord::record_seconds, "s", "checkpoints and run files"},
    Field{"data_wait_seconds", &CostRecord::data_wait_seconds, "s",
          "of train_seconds: waiting for a batch to be made"},
    Field{"peak_memory_bytes", &CostRecord::peak_memory_bytes, "bytes",
          "largest resident memory of the process"},
    Field{"steps", &CostRecord::steps, "updates", "updates"},
    Field{"epochs", &CostRecord::epochs, "epochs", "epochs"},
};

inline constexpr std::tuple kResult{
    Field{"density", &RunResult::density, "1", "present / all connections"},
    Field{"validation_accuracy", &RunResult::validation_accuracy, "1",
          "accuracy on the validation split"},
    Field{"validation_loss", &RunResult::validation_loss, "nats/sample",
          "mean loss on the validation split"},
    Field{"test_accuracy", &RunResult::test_accuracy, "1", "accuracy on the test set"},
    Field{"test_loss", &RunResult::test_loss, "nats/sample", "mean loss on the test set"},
    Field{"inference_flops", &RunResult::inference_flops, "FLOP/sample", "one forward pass"},
};

}  // namespace gcg::schema
