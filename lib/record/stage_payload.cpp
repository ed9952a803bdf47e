#include "record/stage_payload.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "record/run_file_tables.h"
#include "record/schema.h"

namespace gcg {

namespace {

static_assert(std::endian::native == std::endian::little, "numbers are stored as they are");

/// Appends values.
class Writer {
 public:
  static constexpr bool kReads = false;
  std::vector<std::byte> bytes;

  /// A number of any type takes 8 bytes.
  template <typename T>
  void operator()(const T& number) {
    static_assert(std::is_arithmetic_v<T>);
    using Stored = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
    const auto stored = static_cast<Stored>(number);
    append(&stored, 1);
  }
  void operator()(const std::string& text) { list(text); }
  void operator()(const std::vector<float>& values) { list(values); }
  void operator()(const LayerMask& mask, std::int64_t /*connections*/) {
    append(mask.words().data(), mask.words().size());
  }
  /// Those of present connections; the others are +0.
  void present(const LayerMask& mask, const std::vector<float>& values, const std::string& layer) {
    if (std::ssize(values) != mask.size()) {
      throw Error(layer, fmt::format("{} values for {} connections", values.size(), mask.size()));
    }
    std::vector<float> kept;
    kept.reserve(at(mask.count()));
    mask.for_each_present([&](std::int64_t i) { kept.push_back(values[at(i)]); });
    const auto is_set = [](float value) { return std::bit_cast<std::uint32_t>(value) != 0; };
    if (std::ranges::count_if(values, is_set) != std::ranges::count_if(kept, is_set)) {
      throw Error(layer, "a weight or slot of an absent connection is not +0");
    }
    append(kept.data(), kept.size());
  }
  template <typename T, typename Each>
  void each(const std::vector<T>& items, Each f) {
    (*this)(std::ssize(items));
    for (const T& item : items) {
      f(item);
    }
  }

 private:
  template <typename List>
  void list(const List& values) {
    (*this)(std::ssize(values));
    append(values.data(), values.size());
  }
  template <typename T>
  void append(const T* values, std::size_t count) {
    const std::span<const std::byte> added = std::as_bytes(std::span(values, count));
    bytes.insert(bytes.end(), added.begin(), added.end());
  }
};

/// Takes values off the front.
class Reader {
 public:
  static constexpr bool kReads = true;

  Reader(std::string where, std::span<const std::byte> bytes)
      : where_(std::move(where)), bytes_(bytes), size_(std::ssize(bytes)) {}

  template <typename T>
  void operator()(T& number) {
    static_assert(std::is_arithmetic_v<T>);
    using Stored = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
    Stored stored{};
    take(&stored, 1);
    number = static_cast<T>(stored);
    if (static_cast<Stored>(number) != stored && stored == stored) {
      fail(fmt::format("{} is out of range", stored));
    }
  }
  void operator()(std::string& text) { list(text); }
  void operator()(std::vector<float>& values) { list(values); }
  void operator()(LayerMask& mask, std::int64_t connections) {
    std::vector<std::uint64_t> words(room_for((connections + 63) / 64, sizeof(std::uint64_t)));
    take(words.data(), words.size());
    mask = LayerMask(connections, std::move(words));
  }
  void present(const LayerMask& mask, std::vector<float>& values, const std::string& /*layer*/) {
    std::vector<float> kept(room_for(mask.count(), sizeof(float)));
    take(kept.data(), kept.size());
    values.assign(at(mask.size()), 0.0F);
    std::size_t next = 0;
    mask.for_each_present([&](std::int64_t i) { values[at(i)] = kept[next++]; });
  }
  template <typename T, typename Each>
  void each(std::vector<T>& items, Each f) {
    std::int64_t count = 0;
    (*this)(count);
    items.resize(room_for(count, sizeof(std::int64_t)));  // an item holds a number at least
    for (T& item : items) {
      f(item);
    }
  }

  void finish() const {
    if (!bytes_.empty()) {
      fail(fmt::format("{} bytes follow its end", bytes_.size()));
    }
  }
  [[noreturn]] void fail(const std::string& what) const { throw Error(here(), what); }
  /// For errors.
  [[nodiscard]] std::string here() const {
    return fmt::format("{}: payload, byte {}", where_, size_ - std::ssize(bytes_));
  }

 private:
  /// A count that what is left can hold.
  std::size_t room_for(std::int64_t count, std::size_t size) const {
    if (count < 0 || static_cast<std::uint64_t>(count) > bytes_.size() / size) {
      fail(
          fmt::format("{} values of {} bytes in the {} that are left", count, size, bytes_.size()));
    }
    return static_cast<std::size_t>(count);
  }
  template <typename List>
  void list(List& values) {
    std::int64_t count = 0;
    (*this)(count);
    values.resize(room_for(count, sizeof(values[0])));
    take(values.data(), values.size());
  }
  template <typename T>
  void take(T* values, std::size_t count) {
    const std::size_t size = count * sizeof(T);
    if (size > bytes_.size()) {
      fail(fmt::format("ends {} bytes too early", size - bytes_.size()));
    }
    if (size > 0) {
      std::memcpy(values, bytes_.data(), size);
    }
    bytes_ = bytes_.subspan(size);
  }

  std::string where_;
  std::span<const std::byte> bytes_;
  std::int64_t size_;
};

// One description of what there is, for both ways. A parameter is const where it is written.
// Structs are taken apart, so that a member that is forgotten does not compile.

template <typename Archive, typename Row, typename... Fields>
void fields(Archive& archive, Row& row, const std::tuple<Fields...>& schema) {
  std::apply([&](const auto&... field) { (archive(row.*field.member), ...); }, schema);
}

template <typename Archive, typename N>
void network_fields(Archive& archive, N& network) {
  archive(network.name);
  archive(network.norm_count);
  archive.each(network.layers, [&](auto& layer) { fields(archive, layer, schema::kLayers); });
  if constexpr (Archive::kReads) {
    if (network.norm_count < 0) {
      archive.fail(fmt::format("{} normalisations", network.norm_count));
    }
    run_file::check_layers(archive.here(), network.layers);
  }
}

/// Of a reading: whether the arrays have the sizes of the layers.
void check_parameters(const Reader& archive, const Network& network, const Parameters& parameters) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::int64_t size = std::ssize(parameters.biases[l]);
    if (size != 0 && size != network.layers[l].outputs) {
      archive.fail(fmt::format("layer {} has {} biases", network.layers[l].name, size));
    }
  }
  if (std::ssize(parameters.norms) != network.norm_count) {
    archive.fail(fmt::format("{} normalisations, the network has {}", parameters.norms.size(),
                             network.norm_count));
  }
  for (const NormParameters& norm : parameters.norms) {
    const std::size_t channels = norm.scale.size();
    if (norm.shift.size() != channels || norm.mean.size() != norm.variance.size() ||
        (!norm.mean.empty() && norm.mean.size() != channels)) {
      archive.fail("the arrays of a normalisation differ in size");
    }
  }
  const TokenParameters& tokens = parameters.tokens;
  if (tokens.class_token.empty() ? !tokens.positions.empty()
                                 : tokens.positions.size() % tokens.class_token.size() != 0) {
    archive.fail(fmt::format("a position table of {} values for {} channels",
                             tokens.positions.size(), tokens.class_token.size()));
  }
}

template <typename Archive, typename P>
void parameter_fields(Archive& archive, const Network& network, const Mask& mask, P& parameters) {
  auto& [weights, biases, norms, tokens] = parameters;
  if constexpr (Archive::kReads) {
    weights.resize(network.layers.size());
    biases.resize(network.layers.size());
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    archive.present(mask.layers[l], weights[l], network.layers[l].name);
    archive(biases[l]);
  }
  archive.each(norms, [&](auto& norm) {
    auto& [scale, shift, mean, variance] = norm;
    archive(scale);
    archive(shift);
    archive(mean);
    archive(variance);
  });
  auto& [class_token, positions] = tokens;
  archive(class_token);
  archive(positions);
  if constexpr (Archive::kReads) {
    check_parameters(archive, network, parameters);
  }
}

template <typename Archive, typename S>
void state_fields(Archive& archive, const Network& network, S& state) {
  auto& [values, mask, slots, updates] = state;
  if constexpr (Archive::kReads) {
    mask.layers.resize(network.layers.size());
  } else {
    check_sizes(network, mask);
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    archive(mask.layers[l], network.layers[l].connections());
  }
  parameter_fields(archive, network, mask, values);
  archive(updates);
  archive.each(slots, [&](auto& slot) {
    auto& [name, of_slot] = slot;
    archive(name);
    parameter_fields(archive, network, state.mask, of_slot);
  });
  if constexpr (Archive::kReads) {
    if (updates < 0) {
      archive.fail(fmt::format("{} updates", updates));
    }
  }
}

template <typename Archive, typename C>
void checkpoint_fields(Archive& archive, C& checkpoint) {
  auto& [record, state, position, method_state, memory] = checkpoint;
  fields(archive, record.identity, schema::kIdentity);
  archive.each(record.warnings, [&](auto& warning) { archive(warning); });
  network_fields(archive, record.network);
  fields(archive, record.cost, schema::kCost);
  auto& [phase, epoch_in_phase, batch_in_epoch, loss_sum, correct, samples] = position;
  archive(phase);
  archive(epoch_in_phase);
  archive(batch_in_epoch);
  archive(loss_sum);
  archive(correct);
  archive(samples);
  archive(method_state);
  state_fields(archive, record.network, state);
  auto& [kept, gradient_average] = memory;
  bool has_kept = kept.has_value();
  archive(has_kept);
  if (has_kept) {
    if constexpr (Archive::kReads) {
      kept.emplace();
    }
    state_fields(archive, record.network, *kept);
  }
  archive.each(gradient_average, [&](auto& layer) { archive(layer); });
}

}  // namespace

std::vector<std::byte> stage_payload(std::int64_t stage, const Checkpoint& checkpoint) {
  Writer writer;
  writer(stage);
  checkpoint_fields(writer, checkpoint);
  return std::move(writer.bytes);
}

StageState read_stage_payload(const std::string& where, std::span<const std::byte> payload) {
  Reader reader(where, payload);
  StageState read;
  reader(read.stage);
  checkpoint_fields(reader, read.checkpoint);
  const std::vector<std::vector<float>>& average = read.checkpoint.memory.gradient_average;
  const std::vector<Layer>& layers = read.checkpoint.record.network.layers;
  if (!average.empty() &&
      !std::ranges::equal(
          average, layers, {}, [](const auto& values) { return std::ssize(values); },
          &Layer::connections)) {
    reader.fail("the averaged gradients do not fit the layers");
  }
  reader.finish();
  return read;
}

}  // namespace gcg
