#include "record/run_file.h"

#include <fmt/format.h>

#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "record/run_file_state.h"
#include "record/run_file_tables.h"

namespace gcg {

namespace {

/// Marks the checksum behind the HDF5 content, which readers of HDF5 pass over.
constexpr std::string_view kTrailer = "GCGSHA2\n";

/// The HDF5 content of a run file. A checksum that is missing or does not match is an Error before
/// the HDF5 library sees the file: version 1.10 may crash on damaged content.
std::vector<std::byte> read_content(const std::filesystem::path& path) {
  std::vector<std::byte> content = read_file(path);
  const auto fail = [&](const char* problem) {
    throw Error(path.string(), problem,
                "run the run's command again: it rebuilds the file from the checkpoint");
  };
  constexpr std::size_t length = kTrailer.size() + sizeof(Digest);
  if (content.size() < length || std::memcmp(content.data() + content.size() - length,
                                             kTrailer.data(), kTrailer.size()) != 0) {
    fail("is not a run file, or is truncated: it does not end with a checksum");
  }
  Digest stored{};
  std::memcpy(stored.data(), content.data() + content.size() - sizeof(Digest), sizeof(Digest));
  content.resize(content.size() - length);
  if (sha256(content) != stored) {
    fail("the checksum does not match: the file is damaged");
  }
  return content;
}

}  // namespace

void write_run_file(const std::filesystem::path& path, const RunRecord& record) {
  const hdf5::Image image(path.string());
  run_file::write_record(image.root(), record);
  std::vector<std::byte> content = image.bytes();
  const Digest digest = sha256(content);
  const auto trailer = std::as_bytes(std::span(kTrailer.data(), kTrailer.size()));
  const auto sum = std::as_bytes(std::span(digest));
  content.insert(content.end(), trailer.begin(), trailer.end());
  content.insert(content.end(), sum.begin(), sum.end());
  write_file_atomically(path, content);
}

RunRecord read_run_file(const std::filesystem::path& path) {
  const hdf5::Image image(path.string(), read_content(path));
  return run_file::read_record(image.root());
}

std::int64_t run_file_schema(const std::filesystem::path& path) {
  const hdf5::Image image(path.string(), read_content(path));
  return image.root().read_attribute<std::int64_t>("schema_version");
}

Mask read_stage_mask(const std::filesystem::path& path, std::int64_t stage) {
  const hdf5::Image image(path.string(), read_content(path));
  const Network network = run_file::read_layers(image.root());
  if (stage == -1) {
    const std::vector<std::int64_t> stages =
        image.root().open_group("statistics").read_array<std::int64_t>("stage", {hdf5::kAny});
    if (stages.empty()) {
      throw Error(path.string(), "holds no mask: no stage has ended");
    }
    stage = stages.back();
  }
  const hdf5::Object masks = image.root().open_group("masks");
  return run_file::read_mask(masks.open_group(run_file::stage_name(stage)), network);
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) {
    throw Error("HDF5", "the library does not give its version");
  }
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace gcg
