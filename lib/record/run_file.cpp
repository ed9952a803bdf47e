#include "record/run_file.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "record/layout.h"

namespace gcg {

void write_run_file(const std::filesystem::path& path, const RunRecord& record) {
  const hdf5::Image image(path.string());
  layout::write_record(image.root(), record);
  write_file_atomically(path, image.bytes());
}

RunRecord read_run_file(const std::filesystem::path& path) {
  const hdf5::Image image(path.string(), read_file(path));
  return layout::read_record(image.root());
}

Mask read_stage_mask(const std::filesystem::path& path, std::int64_t stage) {
  const hdf5::Image image(path.string(), read_file(path));
  const Network network = layout::read_layers(image.root());
  if (stage == -1) {
    const std::vector<std::int64_t> stages =
        image.root().open_group("statistics").read_array<std::int64_t>("stage", {hdf5::kAny});
    if (stages.empty()) {
      throw Error(path.string(), "holds no mask: no stage has ended");
    }
    stage = stages.back();
  }
  const hdf5::Object masks = image.root().open_group("masks");
  return layout::read_mask(masks.open_group(layout::stage_name(stage)), network);
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) {
    throw Error("HDF5", "the library does not tell its version");
  }
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace gcg
