#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "record/run_file.h"
#include "record/run_file_predictions.h"
#include "record/run_file_state.h"
#include "record/run_file_tables.h"
#include "record/schema.h"

namespace gcg::run_file {

using hdf5::Extents;
using hdf5::kAny;
using hdf5::link_name;
using hdf5::Object;
using schema::Field;

namespace {

constexpr const char* kUnits =
    "accuracies and densities in [0, 1]; losses in nats per sample; times in seconds; multiply-add "
    "= "
    "2 FLOP; arrays carry their unit as an attribute, groups of attributes a list of units; 1: no "
    "dimension, none: text or flag";

template <typename Row, typename Value>
void write_column(const Object& table, std::span<const Row> rows, const Extents& extents,
                  const Field<Row, Value>& field) {
  const std::string name(field.name);
  if constexpr (std::is_same_v<Value, bool>) {
    std::vector<bool> values;
    for (const Row& row : rows) {
      values.push_back(row.*field.member);
    }
    label(table.write_flags(name, values, extents), field.unit, field.description);
  } else if constexpr (std::is_same_v<Value, std::string> || std::is_enum_v<Value>) {
    std::vector<std::string> values;
    for (const Row& row : rows) {
      if constexpr (std::is_enum_v<Value>) {
        values.emplace_back(name_of(row.*field.member));
      } else {
        values.push_back(row.*field.member);
      }
    }
    label(table.write_texts(name, values, extents), field.unit, field.description);
  } else {
    std::vector<Value> values;
    for (const Row& row : rows) {
      values.push_back(row.*field.member);
    }
    label(table.write_array<Value>(name, values, extents), field.unit, field.description);
  }
}

template <typename Row, typename Value>
void read_column(const Object& table, std::vector<Row>& rows, const Extents& extents,
                 const Field<Row, Value>& field) {
  const std::string name(field.name);
  const auto assign = [&](const auto& values) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if constexpr (std::is_enum_v<Value>) {
        rows[i].*field.member = value_named<Value>(values[i], table.where(name));
      } else {
        rows[i].*field.member = values[i];
      }
    }
  };
  if constexpr (std::is_same_v<Value, bool>) {
    assign(table.read_flags(name, extents));
  } else if constexpr (std::is_same_v<Value, std::string> || std::is_enum_v<Value>) {
    assign(table.read_texts(name, extents));
  } else {
    assign(table.read_array<Value>(name, extents));
  }
}

/// A table: a group with one array per field.
template <typename Row, typename... Fields>
void write_table(const Object& table, const std::vector<Row>& rows, const Extents& extents,
                 const std::tuple<Fields...>& fields) {
  std::apply(
      [&](const auto&... field) {
        (write_column(table, std::span<const Row>(rows), extents, field), ...);
      },
      fields);
}

template <typename Row, typename... Fields>
void read_table(const Object& table, std::vector<Row>& rows, const Extents& extents,
                const std::tuple<Fields...>& fields) {
  std::apply([&](const auto&... field) { (read_column(table, rows, extents, field), ...); },
             fields);
}

/// The same with one row per entry of the first array, whose length is not known before.
template <typename Row, typename... Fields>
std::vector<Row> read_rows(const Object& table, const std::tuple<Fields...>& fields) {
  using First = std::remove_cvref_t<decltype(std::get<0>(fields))>;
  const std::string name(std::get<0>(fields).name);
  std::int64_t count = 0;
  // Reading it checks its length against its stored bytes.
  if constexpr (std::is_same_v<First, Field<Row, std::string>>) {
    count = std::ssize(table.read_texts(name, {kAny}));
  } else {
    count = std::ssize(table.read_array<std::int64_t>(name, {kAny}));
  }
  std::vector<Row> rows(static_cast<std::size_t>(count));
  read_table(table, rows, {count}, fields);
  return rows;
}

/// A group whose attributes are the fields of one struct; the attribute units lists their units.
template <typename Row, typename... Fields>
void write_attributes(const Object& group, const Row& row, const std::tuple<Fields...>& fields) {
  std::string units;
  const auto write = [&]<typename Value>(const Field<Row, Value>& field) {
    if constexpr (std::is_enum_v<Value>) {
      group.write_attribute(std::string(field.name), std::string(name_of(row.*field.member)));
    } else {
      group.write_attribute(std::string(field.name), row.*field.member);
    }
    if (field.unit != "none") {
      units += fmt::format("{}{}: {}", units.empty() ? "" : "; ", field.name, field.unit);
    }
  };
  std::apply([&](const auto&... field) { (write(field), ...); }, fields);
  group.write_attribute("units", units);
}

template <typename Row, typename... Fields>
void read_attributes(const Object& group, Row& row, const std::tuple<Fields...>& fields) {
  const auto read = [&]<typename Value>(const Field<Row, Value>& field) {
    const std::string name(field.name);
    if constexpr (std::is_enum_v<Value>) {
      row.*field.member = value_named<Value>(group.read_text_attribute(name), group.where());
    } else if constexpr (std::is_same_v<Value, std::string>) {
      row.*field.member = group.read_text_attribute(name);
    } else {
      row.*field.member = group.read_attribute<Value>(name);
    }
  };
  std::apply([&](const auto&... field) { (read(field), ...); }, fields);
}

void write_layers(const Object& group, const Network& network) {
  group.write_attribute("network", network.name);
  group.write_attribute("norm_count", std::int64_t{network.norm_count});
  write_table(group, network.layers, {std::ssize(network.layers)}, schema::kLayers);
}

/// Names of the fit's parameters: of the run's extrapolator, if it has one.
std::vector<std::string> parameter_names(const RunRecord& record, std::size_t count) {
  std::vector<std::string> names;
  for (const OptionValue& option : record.identity.options) {
    if (option.name == "extrapolator") {
      for (const ExtrapolatorEntry& entry : extrapolator_table()) {
        if (entry.name == option.value) {
          names.assign(entry.parameter_names.begin(), entry.parameter_names.end());
        }
      }
    }
  }
  while (names.size() < count) {
    names.push_back(fmt::format("parameter_{}", names.size()));
  }
  return names;
}

void write_fits(const Object& group, const RunRecord& record) {
  std::vector<Extrapolation> fits;
  std::vector<std::int64_t> counts;
  std::size_t width = 0;
  for (const StageRow& row : record.stages) {
    fits.push_back(row.fit);
    counts.push_back(std::ssize(row.fit.parameters));
    width = std::max(width, row.fit.parameters.size());
  }
  const std::int64_t stages = std::ssize(fits);
  write_table(group, fits, {stages}, schema::kFit);
  const std::vector<std::string> names = parameter_names(record, width);
  std::vector<double> matrix;
  for (const Extrapolation& fit : fits) {
    matrix.insert(matrix.end(), fit.parameters.begin(), fit.parameters.end());
    matrix.resize(matrix.size() + names.size() - fit.parameters.size(),
                  std::numeric_limits<double>::quiet_NaN());
  }
  label(group.write_array<std::int64_t>("parameter_count", counts, {stages}), "1",
        "parameters of the stage's fit, 0 if there is none");
  label(group.write_texts("parameter_names", names, {std::ssize(names)}), "none",
        "names of the columns of parameters");
  label(group.write_array<double>("parameters", matrix, {stages, std::ssize(names)}), "1",
        "fitted parameters, NaN behind the last");
}

void read_fits(const Object& group, std::vector<StageRow>& rows) {
  const std::int64_t stages = std::ssize(rows);
  std::vector<Extrapolation> fits(rows.size());
  read_table(group, fits, {stages}, schema::kFit);
  const std::vector<std::int64_t> counts =
      group.read_array<std::int64_t>("parameter_count", {stages});
  const std::int64_t width = std::ssize(group.read_texts("parameter_names", {kAny}));
  const std::vector<double> matrix = group.read_array<double>("parameters", {stages, width});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (counts[i] < 0 || counts[i] > width) {
      throw Error(group.where("parameter_count"),
                  fmt::format("{} parameters, the matrix has {} columns", counts[i], width));
    }
    const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(i) * width;
    fits[i].parameters.assign(begin, begin + counts[i]);
    rows[i].fit = std::move(fits[i]);
  }
}

void write_joint_fits(const Object& group, const std::vector<StageRow>& rows) {
  std::vector<JointFit> fits;
  std::vector<double> matrix;
  for (const StageRow& row : rows) {
    fits.push_back(row.joint);
    matrix.insert(matrix.end(), row.joint.parameters.begin(), row.joint.parameters.end());
  }
  write_table(group, fits, {std::ssize(rows)}, schema::kJoint);
  const std::vector<std::string> names(kJointParameterNames.begin(), kJointParameterNames.end());
  const std::int64_t width = std::ssize(names);
  label(group.write_texts("parameter_names", names, {width}), "none",
        "names of the columns of parameters");
  label(group.write_array<double>("parameters", matrix, {std::ssize(rows), width}), "1",
        "fitted parameters, NaN without a fit");
}

void read_joint_fits(const Object& group, std::vector<StageRow>& rows) {
  std::vector<JointFit> fits(rows.size());
  read_table(group, fits, {std::ssize(rows)}, schema::kJoint);
  if (!std::ranges::equal(group.read_texts("parameter_names", {kJointParameters}),
                          kJointParameterNames)) {
    throw Error(group.where("parameter_names"), "are not those of the joint fit");
  }
  const std::vector<double> matrix = group.read_array<double>(
      "parameters", {std::ssize(rows), static_cast<std::int64_t>(kJointParameters)});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(i * kJointParameters);
    std::copy_n(begin, kJointParameters, fits[i].parameters.begin());
    rows[i].joint = std::move(fits[i]);
  }
}

void write_comparisons(const Object& group, const std::vector<StageRow>& rows) {
  std::vector<StageComparison> comparisons;
  comparisons.reserve(rows.size());
  for (const StageRow& row : rows) {
    comparisons.push_back(row.above_best);
  }
  write_table(group, comparisons, {std::ssize(rows)}, schema::kAboveBest);
}

void read_comparisons(const Object& group, std::vector<StageRow>& rows) {
  std::vector<StageComparison> comparisons(rows.size());
  read_table(group, comparisons, {std::ssize(rows)}, schema::kAboveBest);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].above_best = comparisons[i];
  }
}

/// Degrees of one layer at all stages: a matrix [stages][units].
void write_degrees(const Object& group, const RunRecord& record, std::size_t layer,
                   std::vector<std::int32_t> LayerStatistics::*member, std::int64_t units) {
  const std::string name = link_name(record.network.layers[layer].name);
  std::vector<std::int32_t> matrix;
  for (const StageMask& stage : record.masks) {
    const std::vector<std::int32_t>& degrees = stage.statistics.layers[layer].*member;
    if (std::ssize(degrees) != units) {
      throw Error(group.where(name), fmt::format("{} degrees at stage {}, expected {}",
                                                 degrees.size(), stage.stage, units));
    }
    matrix.insert(matrix.end(), degrees.begin(), degrees.end());
  }
  group.write_array<std::int32_t>(name, matrix, {std::ssize(record.masks), units});
}

void read_degrees(const Object& group, RunRecord& record, std::size_t layer,
                  std::vector<std::int32_t> LayerStatistics::*member, std::int64_t units) {
  const std::vector<std::int32_t> matrix = group.read_array<std::int32_t>(
      link_name(record.network.layers[layer].name), {std::ssize(record.masks), units});
  auto next = matrix.begin();
  for (StageMask& stage : record.masks) {
    (stage.statistics.layers[layer].*member).assign(next, next + units);
    next += units;
  }
}

void write_statistics(const Object& group, const RunRecord& record) {
  std::vector<std::int64_t> stages;
  std::vector<MaskStatistics> rows;
  std::vector<LayerStatistics> layers;
  for (const StageMask& stage : record.masks) {
    if (stage.statistics.layers.size() != record.network.layers.size()) {
      throw Error(
          group.where(),
          fmt::format("statistics of {} layers at stage {}, the network has {}",
                      stage.statistics.layers.size(), stage.stage, record.network.layers.size()));
    }
    stages.push_back(stage.stage);
    rows.push_back(stage.statistics);
    layers.insert(layers.end(), stage.statistics.layers.begin(), stage.statistics.layers.end());
  }
  const std::int64_t count = std::ssize(stages);
  label(group.write_array<std::int64_t>("stage", stages, {count}), "1",
        "stage of the row: the masks' order");
  write_table(group, rows, {count}, schema::kStatistics);
  write_table(group.create_group("layers"), layers, {count, std::ssize(record.network.layers)},
              schema::kLayerStatistics);
  const Object in = group.create_group("in_degree");
  label(in, "connections", "per stage and output unit: present incoming connections");
  const Object out = group.create_group("out_degree");
  label(out, "connections", "per stage and input channel: present outgoing connections");
  for (std::size_t l = 0; l < record.network.layers.size(); ++l) {
    const Layer& layer = record.network.layers[l];
    write_degrees(in, record, l, &LayerStatistics::in_degree, layer.outputs);
    write_degrees(out, record, l, &LayerStatistics::out_degree, layer.inputs);
  }
}

void read_statistics(const Object& group, RunRecord& record) {
  const std::vector<std::int64_t> stages = group.read_array<std::int64_t>("stage", {kAny});
  const std::int64_t count = std::ssize(stages);
  const std::size_t width = record.network.layers.size();
  std::vector<MaskStatistics> rows(stages.size());
  read_table(group, rows, {count}, schema::kStatistics);
  const Object layer_group = group.open_group("layers");
  const Extents extents{count, static_cast<std::int64_t>(width)};
  // Reading one column checks the size of all before the rows are made.
  std::vector<LayerStatistics> layers(
      layer_group.read_array<std::int64_t>("present", extents).size());
  read_table(layer_group, layers, extents, schema::kLayerStatistics);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    StageMask& stage = record.masks.emplace_back();
    stage.stage = stages[i];
    stage.statistics = std::move(rows[i]);
    const auto begin = layers.begin() + static_cast<std::ptrdiff_t>(i * width);
    stage.statistics.layers.assign(begin, begin + static_cast<std::ptrdiff_t>(width));
  }
  const Object in = group.open_group("in_degree");
  const Object out = group.open_group("out_degree");
  for (std::size_t l = 0; l < width; ++l) {
    const Layer& layer = record.network.layers[l];
    read_degrees(in, record, l, &LayerStatistics::in_degree, layer.outputs);
    read_degrees(out, record, l, &LayerStatistics::out_degree, layer.inputs);
  }
}

void write_masks(const Object& group, const RunRecord& record) {
  label(group, "1", "present connections of every stage, one bit each, lowest bit first");
  std::set<std::int64_t> seen;
  for (const StageMask& stage : record.masks) {
    if (stage.stage < 0 || !seen.insert(stage.stage).second) {
      throw Error(group.where(), fmt::format("stage {} is negative or has two masks", stage.stage));
    }
    write_mask(group.create_group(stage_name(stage.stage)), record.network, stage.mask);
  }
}

void write_result(const Object& group, const Network& network, const RunResult& result) {
  write_attributes(group, result, schema::kResult);
  const auto write = [&](const std::string& name, const std::vector<std::int32_t>& values,
                         std::string_view description) {
    label(group.write_array<std::int32_t>(name, values, {std::ssize(values)}), "1", description);
  };
  write("test_predictions", result.test_predictions,
        "predicted class per test image, in file order");
  write("test_labels", result.test_labels, "true class per test image, in file order");
  write_state(group, network, result.state);
}

RunResult read_result(const Object& group, const Network& network) {
  RunResult result;
  read_attributes(group, result, schema::kResult);
  result.test_predictions = group.read_array<std::int32_t>("test_predictions", {kAny});
  result.test_labels = group.read_array<std::int32_t>("test_labels", {kAny});
  result.state = read_state(group, network);
  return result;
}

void check_version(const Object& root) {
  const auto version = root.read_attribute<std::int64_t>("schema_version");
  if (version != kRunFileSchema) {
    throw Error(
        root.where(),
        fmt::format("has schema version {}, this program reads {}", version, kRunFileSchema),
        "read it with the version of the project that wrote it");
  }
}

void write_schema_version(const Object& root) {
  root.write_attribute("schema_version", kRunFileSchema);
}

void write_warnings(const Object& root, const std::vector<std::string>& warnings) {
  label(root.write_texts("warnings", warnings, {std::ssize(warnings)}), "none",
        "warnings of the run, in order");
}

}  // namespace

void write_record(const Object& root, const RunRecord& record) {
  write_schema_version(root);
  root.write_attribute("project", std::string("gcg"));
  root.write_attribute("status", std::string(name_of(record.status)));
  root.write_attribute("failure", record.failure);
  root.write_attribute("units", std::string(kUnits));
  write_attributes(root.create_group("identity"), record.identity, schema::kIdentity);
  write_table(root.create_group("options"), record.identity.options,
              {std::ssize(record.identity.options)}, schema::kOptions);
  write_attributes(root.create_group("build"), record.build, schema::kBuild);
  const Object host = root.create_group("host");
  write_attributes(host, record.host, schema::kHost);
  host.write_attribute("threads", record.threads);
  write_attributes(root.create_group("execution"), record.execution, schema::kExecution);
  write_table(root.create_group("libraries"), record.libraries, {std::ssize(record.libraries)},
              schema::kLibraries);
  write_warnings(root, record.warnings);
  write_layers(root.create_group("layers"), record.network);
  write_table(root.create_group("trajectory"), record.trajectory, {std::ssize(record.trajectory)},
              schema::kTrajectory);
  const Object stages = root.create_group("stages");
  write_table(stages, record.stages, {std::ssize(record.stages)}, schema::kStages);
  write_fits(stages.create_group("fit"), record);
  write_joint_fits(stages.create_group("joint"), record.stages);
  write_comparisons(stages.create_group("above_best"), record.stages);
  write_statistics(root.create_group("statistics"), record);
  write_masks(root.create_group("masks"), record);
  write_predictions(root.create_group("predictions"), record.predictions);
  write_attributes(root.create_group("search"), record.search, schema::kSearch);
  write_attributes(root.create_group("cost"), record.cost, schema::kCost);
  if (record.result) {
    write_result(root.create_group("final"), record.network, *record.result);
  }
}

Network read_layers(const Object& root) {
  check_version(root);
  const Object group = root.open_group("layers");
  Network network;
  network.name = group.read_text_attribute("network");
  const auto norms = group.read_attribute<std::int64_t>("norm_count");
  if (norms < 0 || norms > std::numeric_limits<std::int32_t>::max()) {
    throw Error(group.where(), fmt::format("{} normalisations", norms));
  }
  network.norm_count = static_cast<std::int32_t>(norms);
  network.layers = read_rows<Layer>(group, schema::kLayers);
  check_layers(group.where(), network.layers);
  return network;
}

void check_layers(const std::string& where, const std::vector<Layer>& layers) {
  std::set<std::string> names;
  for (const Layer& layer : layers) {
    constexpr std::int64_t kLargest = std::int64_t{1} << 48;
    std::int64_t size = 1;
    for (const std::int64_t extent :
         {layer.outputs, layer.inputs, layer.kernel_height, layer.kernel_width}) {
      if (extent < 1 || extent > kLargest / size) {
        throw Error(where, fmt::format("layer {} has an impossible shape", layer.name));
      }
      size *= extent;
    }
    if (layer.name.empty() || !names.insert(layer.name).second) {
      throw Error(where, fmt::format("layer name \"{}\" is empty or not unique", layer.name));
    }
  }
}

RunRecord read_record(const Object& root) {
  RunRecord record;
  record.network = read_layers(root);
  record.status = value_named<RunStatus>(root.read_text_attribute("status"), root.where("status"));
  record.failure = root.read_text_attribute("failure");
  read_attributes(root.open_group("identity"), record.identity, schema::kIdentity);
  record.identity.options = read_rows<OptionValue>(root.open_group("options"), schema::kOptions);
  read_attributes(root.open_group("build"), record.build, schema::kBuild);
  const Object host = root.open_group("host");
  read_attributes(host, record.host, schema::kHost);
  record.threads = host.read_attribute<std::int64_t>("threads");
  read_attributes(root.open_group("execution"), record.execution, schema::kExecution);
  record.libraries = read_rows<Library>(root.open_group("libraries"), schema::kLibraries);
  record.warnings = root.read_texts("warnings", {kAny});
  record.trajectory = read_rows<TrajectoryRow>(root.open_group("trajectory"), schema::kTrajectory);
  const Object stages = root.open_group("stages");
  record.stages = read_rows<StageRow>(stages, schema::kStages);
  read_fits(stages.open_group("fit"), record.stages);
  read_joint_fits(stages.open_group("joint"), record.stages);
  read_comparisons(stages.open_group("above_best"), record.stages);
  read_statistics(root.open_group("statistics"), record);
  const Object masks = root.open_group("masks");
  for (StageMask& stage : record.masks) {
    stage.mask = read_mask(masks.open_group(stage_name(stage.stage)), record.network);
  }
  record.predictions = read_predictions(root.open_group("predictions"));
  read_attributes(root.open_group("search"), record.search, schema::kSearch);
  read_attributes(root.open_group("cost"), record.cost, schema::kCost);
  if (root.has("final")) {
    record.result = read_result(root.open_group("final"), record.network);
  }
  return record;
}

}  // namespace gcg::run_file
