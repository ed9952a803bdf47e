// What every format looks like, against the files in tests/record/formats: one for each version,
// which is never changed. A change that a reader can see needs a new version; then
// GCG_WRITE_FORMATS=1 record_tests --gtest_filter='Formats.*' writes the file of the new one, and
// leaves those that are there alone.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/hash.h"
#include "base/temporary_folder.h"
#include "graph/networks.h"
#include "record/checkpoint.h"
#include "record/export.h"
#include "record/network_file.h"
#include "record/npz.h"
#include "record/run_file.h"
#include "record/run_summary.h"
#include "record/sample_record.h"
#include "record/visit_objects.h"
#include "record/write_bytes.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

std::string type_text(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  const char* const name = kind == H5T_INTEGER  ? "int"
                           : kind == H5T_FLOAT  ? "float"
                           : kind == H5T_STRING ? "text"
                           : kind == H5T_ENUM   ? "enum"
                                                : "other";
  const bool is_signed = kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
  return kind == H5T_STRING
             ? "text"
             : fmt::format("{}{}{}", kind == H5T_INTEGER && !is_signed ? "unsigned " : "", name,
                           8 * H5Tget_size(type));
}

herr_t list_attribute(hid_t object, const char* name, const H5A_info_t*, void* lines) {
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  const hid_t type = H5Aget_type(attribute);
  *static_cast<std::string*>(lines) += fmt::format("  @{} {}\n", name, type_text(type));
  H5Tclose(type);
  H5Aclose(attribute);
  return 0;
}

herr_t list_object(hid_t root, const char* name, const H5O_info_t* info, void* lines) {
  std::string& text = *static_cast<std::string*>(lines);
  text += name;
  const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
  if (info->type == H5O_TYPE_DATASET) {
    const hid_t type = H5Dget_type(object);
    const hid_t space = H5Dget_space(object);
    std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
    H5Sget_simple_extent_dims(space, extents.data(), nullptr);
    text += fmt::format(" {} [{}]", type_text(type), fmt::join(extents, ", "));
    H5Sclose(space);
    H5Tclose(type);
  }
  text += '\n';
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, list_attribute, lines);
  H5Oclose(object);
  return 0;
}

/// Every object of an HDF5 file in the order of names: type and shape of arrays, attributes.
std::string hdf5_layout(const fs::path& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  std::string lines;
  testing::visit_objects(file, H5_ITER_INC, list_object, &lines);
  H5Fclose(file);
  return lines;
}

void expect_pinned(const std::string& format, std::int64_t version, const std::string& text) {
  const fs::path path = fs::path(GCG_FORMATS) / fmt::format("{}.{}.txt", format, version);
  if (std::getenv("GCG_WRITE_FORMATS") != nullptr && !fs::exists(path)) {
    std::ofstream(path) << text;
  }
  std::ifstream file(path);
  std::stringstream pinned;
  pinned << file.rdbuf();
  EXPECT_EQ(text, pinned.str()) << "the form of version " << version << " changed, or " << path
                                << " is missing: raise the version of the " << format
                                << ", then write its file (see the head of this test)";
}

TEST(Formats, RunFile) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  expect_pinned("run_file", kRunFileSchema, hdf5_layout(folder / "run.h5"));
}

/// Header and payload of a checkpoint that holds all that one can.
void expect_pinned_container(const std::string& format, const std::vector<std::byte>& content) {
  const TemporaryFolder folder;
  constexpr std::size_t version_at = 40;
  constexpr std::size_t payload_at = 56;
  const std::string magic(reinterpret_cast<const char*>(content.data()), 8);
  write_bytes(folder / "payload.h5", std::span(content).subspan(payload_at));
  expect_pinned(format, std::to_integer<std::int64_t>(content.at(version_at)),
                magic + "\n" + hdf5_layout(folder / "payload.h5"));
}

Checkpoint full_checkpoint() {
  Checkpoint checkpoint = sample_checkpoint();
  checkpoint.memory.kept = checkpoint.state;
  for (const Layer& layer : checkpoint.record.network.layers) {
    checkpoint.memory.gradient_average.emplace_back(layer.connections(), 0.25F);
  }
  return checkpoint;
}

TEST(Formats, Checkpoint) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), full_checkpoint());
  expect_pinned_container("checkpoint", read_file(folder / "checkpoint.gcg"));
}

TEST(Formats, StageState) {
  const TemporaryFolder folder;
  write_stage(folder.path(), 3, full_checkpoint())();
  const std::vector<std::byte> content = read_file(folder / "stages/stage_003.gcg");
  const auto payload = std::span(content).subspan(56);
  expect_pinned("stage", std::to_integer<std::int64_t>(content.at(40)),
                fmt::format("{} bytes, SHA-256 {}\n", payload.size(), hex(sha256(payload))));
}

TEST(Formats, LayerGraph) {
  const Network network = build_network("resnet8", {{3, 32, 32}, 10, 1});
  expect_pinned("network", kNetworkFileVersion, network_text(network));
}

TEST(Formats, ExportedArchive) {
  const Network network = build_network("resnet8", {{3, 32, 32}, 10, 1});
  const TrainingState state = initial_state(network, Mask(network, true), 3);
  std::string lines;
  for (const NpzArray& array : parse_npz("x.npz", export_content(network, state))) {
    lines += fmt::format("{} {} [{}]\n", array.name, array.type, fmt::join(array.shape, ", "));
  }
  expect_pinned("export", kNetworkFileVersion, lines);
}

TEST(Formats, Status) {
  const TemporaryFolder folder;
  write_run_file(folder / kRunFileName, sample_record());
  write_run_summary(folder.path(), summary_of(sample_record(), 1 << 20));
  std::ifstream file(folder / kRunSummaryName);
  std::string lines;
  const nlohmann::json json = nlohmann::json::parse(file);
  for (const auto& [key, value] : json.items()) {
    lines += fmt::format("{} {}\n", key, value.type_name());
  }
  expect_pinned("status", kRunSummaryVersion, lines);
}

}  // namespace
}  // namespace gcg
