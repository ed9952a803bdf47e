#include "record/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "record/run_file_state.h"
#include "record/run_file_tables.h"
#include "record/stage_payload.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

// The container: magic, SHA-256 of all that follows, version, payload size (both 64 bits,
// little-endian), payload: an HDF5 image, of stages plain bytes (stage_payload.h). The magic stands
// for this container, the version for the payload.
constexpr std::string_view kMagic = "GCGCKPT1";

/// What a payload holds. No version is used twice, so that neither kind is taken for the other.
struct Kind {
  std::uint64_t version;
  std::string_view name, remedy;
};
constexpr Kind kCheckpoint{3, "checkpoint",
                           "continue the run with the version of the project that began it"};
constexpr Kind kStage{5, "stage", "remove the run's folder and run it again"};

constexpr std::size_t kDigestAt = 8;
constexpr std::size_t kVersionAt = 40;
constexpr std::size_t kSizeAt = 48;
constexpr std::size_t kPayloadAt = 56;

void put_u64(std::span<std::byte> bytes, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::byte>(value >> (8 * i));
  }
}

std::uint64_t get_u64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return value;
}

std::vector<std::byte> sealed(std::span<const std::byte> payload, const Kind& kind) {
  std::vector<std::byte> content(kPayloadAt + payload.size());
  std::memcpy(content.data(), kMagic.data(), kMagic.size());
  put_u64(std::span(content).subspan(kVersionAt), kind.version);
  put_u64(std::span(content).subspan(kSizeAt), payload.size());
  std::ranges::copy(payload, content.begin() + kPayloadAt);
  const Digest digest = sha256(std::span<const std::byte>(content).subspan(kVersionAt));
  std::memcpy(content.data() + kDigestAt, digest.data(), digest.size());
  return content;
}

/// What is wrong with the file, or nothing if it is whole.
std::string damage(std::span<const std::byte> content) {
  if (content.empty()) {
    return "the file is empty";
  }
  if (content.size() < kPayloadAt) {
    return fmt::format("the file ends after {} bytes, within its header", content.size());
  }
  if (std::memcmp(content.data(), kMagic.data(), kMagic.size()) != 0) {
    return "the file does not begin as a checkpoint";
  }
  const std::uint64_t size = get_u64(content.subspan(kSizeAt));
  if (size != content.size() - kPayloadAt) {
    return fmt::format("the file holds {} bytes of payload, its header says {}",
                       content.size() - kPayloadAt, size);
  }
  const Digest digest = sha256(content.subspan(kVersionAt));
  if (std::memcmp(content.data() + kDigestAt, digest.data(), digest.size()) != 0) {
    return "its checksum does not match its content";
  }
  return "";
}

void write_position(const hdf5::Object& group, const Position& position) {
  group.write_attribute("phase", position.phase);
  group.write_attribute("epoch_in_phase", position.epoch_in_phase);
  group.write_attribute("batch_in_epoch", position.batch_in_epoch);
  group.write_attribute("loss_sum", position.loss_sum);
  group.write_attribute("correct", position.correct);
  group.write_attribute("samples", position.samples);
}

Position read_position(const hdf5::Object& group) {
  Position position;
  position.phase = group.read_attribute<std::int64_t>("phase");
  position.epoch_in_phase = group.read_attribute<std::int64_t>("epoch_in_phase");
  position.batch_in_epoch = group.read_attribute<std::int64_t>("batch_in_epoch");
  position.loss_sum = group.read_attribute<double>("loss_sum");
  position.correct = group.read_attribute<std::int64_t>("correct");
  position.samples = group.read_attribute<std::int64_t>("samples");
  return position;
}

/// The payload of a whole file. Its checksum fits, so whatever is wrong now is no damage.
std::span<const std::byte> payload(const fs::path& path, std::span<const std::byte> content,
                                   const Kind& kind) {
  if (const std::uint64_t version = get_u64(content.subspan(kVersionAt)); version != kind.version) {
    throw Error(path.string(),
                fmt::format("is a {} of version {}, this program reads {}", kind.name, version,
                            kind.version),
                std::string(kind.remedy));
  }
  return content.subspan(kPayloadAt);
}

/// All but the record.
void write_training(const hdf5::Object& root, const Checkpoint& checkpoint) {
  const Network& network = checkpoint.record.network;
  run_file::write_state(root.create_group("state"), network, checkpoint.state);
  write_position(root.create_group("position"), checkpoint.position);
  const std::vector<std::uint8_t> text(checkpoint.method_state.begin(),
                                       checkpoint.method_state.end());
  root.write_array<std::uint8_t>("method_state", text, {std::ssize(text)});
  const MethodMemory& memory = checkpoint.memory;
  if (memory.kept) {
    run_file::write_state(root.create_group("kept"), network, *memory.kept);
  }
  if (!memory.gradient_average.empty()) {
    const hdf5::Object group = root.create_group("gradient_average");
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      group.write_array<float>(hdf5::link_name(network.layers[l].name), memory.gradient_average[l],
                               {network.layers[l].connections()});
    }
  }
}

Checkpoint read_training(const hdf5::Object& root, RunRecord record) {
  Checkpoint checkpoint;
  checkpoint.record = std::move(record);
  const Network& network = checkpoint.record.network;
  checkpoint.state = run_file::read_state(root.open_group("state"), network);
  checkpoint.position = read_position(root.open_group("position"));
  const std::vector<std::uint8_t> text =
      root.read_array<std::uint8_t>("method_state", {hdf5::kAny});
  checkpoint.method_state.assign(text.begin(), text.end());
  if (root.has("kept")) {
    checkpoint.memory.kept = run_file::read_state(root.open_group("kept"), network);
  }
  if (root.has("gradient_average")) {
    const hdf5::Object group = root.open_group("gradient_average");
    for (const Layer& layer : network.layers) {
      checkpoint.memory.gradient_average.push_back(
          group.read_array<float>(hdf5::link_name(layer.name), {layer.connections()}));
    }
  }
  return checkpoint;
}

void require(const std::error_code& code, const fs::path& path, std::string_view action) {
  if (code) {
    throw Error(path.string(), fmt::format("cannot {}: {}", action, code.message()));
  }
}

bool present(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::none) {
    require(code, path, "look for it");
  }
  return fs::exists(status);
}

/// A second name for a file; a copy where the file system has no second names.
void keep_as(const fs::path& file, const fs::path& kept) {
  std::error_code code;
  fs::remove(kept, code);  // of a write that was interrupted
  fs::create_hard_link(file, kept, code);
  if (code) {
    code.clear();
    fs::copy_file(file, kept, code);
    require(code, kept, "keep the checkpoint before");
  }
}

/// The stages that a folder keeps, "stage_000, stage_001"; "none" if there are none.
std::string kept_stages(const fs::path& folder) {
  std::vector<std::string> names;
  if (fs::is_directory(folder / "stages")) {
    for (const auto& entry : fs::directory_iterator(folder / "stages")) {
      if (entry.path().extension() == ".gcg") {
        names.push_back(entry.path().stem().string());
      }
    }
  }
  std::ranges::sort(names);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  const fs::path newest = folder / "checkpoint.gcg";
  const hdf5::Image image(newest.string(), hdf5::Storage::plain);
  run_file::write_record(image.root(), checkpoint.record);
  write_training(image.root(), checkpoint);
  const std::vector<std::byte> content = sealed(image.bytes(), kCheckpoint);

  // The old file gets a second name before it is replaced, so that at every moment the newest name
  // leads to a whole file; only then does it become the previous one, even if it was damaged.
  const fs::path kept = folder / "checkpoint.kept.tmp";
  const bool keep = present(newest);
  if (keep) {
    keep_as(newest, kept);
  }
  try {
    write_file_atomically(newest, content);
  } catch (...) {
    std::error_code ignored;
    fs::remove(kept, ignored);
    throw;
  }
  if (keep) {
    std::error_code code;
    fs::rename(kept, folder / "checkpoint.previous.gcg", code);
    require(code, kept, "rename");
  }
}

std::optional<Checkpoint> read_checkpoint(const fs::path& folder, std::string& note) {
  note.clear();
  const fs::path newest = folder / "checkpoint.gcg";
  const fs::path previous = folder / "checkpoint.previous.gcg";
  bool any = false;
  std::string problems;
  for (const fs::path& path : {newest, previous}) {
    std::vector<std::byte> content;
    std::string problem = fmt::format("{}: the file is missing", path.string());
    try {
      if (present(path)) {
        any = true;
        content = read_file(path);
        const std::string damaged = damage(content);
        problem = damaged.empty() ? "" : fmt::format("{}: {}", path.string(), damaged);
      }
    } catch (const Error& error) {
      // As where a disk fails: what is worn out under one file need not be under the other.
      any = true;
      problem = std::string(error.what()).substr(0, std::string_view(error.what()).find('\n'));
    }
    if (problem.empty()) {
      note = problems;
      const hdf5::Image image(path.string(), payload(path, content, kCheckpoint));
      return read_training(image.root(), run_file::read_record(image.root()));
    }
    problems += (problems.empty() ? "" : "; ") + problem;
  }
  if (!any) {
    return std::nullopt;
  }
  throw Error(folder.string(), fmt::format("no checkpoint is intact ({})", problems),
              "see to the disk if one cannot be read; remove the folder's checkpoints to start the "
              "run again");
}

fs::path stage_path(const fs::path& folder, std::int64_t stage) {
  return folder / "stages" / (run_file::stage_name(stage) + ".gcg");
}

std::function<void()> write_stage(const fs::path& folder, std::int64_t stage,
                                  const Checkpoint& checkpoint) {
  const fs::path path = stage_path(folder, stage);
  std::error_code code;
  fs::create_directories(path.parent_path(), code);
  require(code, path.parent_path(), "create the folder");
  return write_file_to_flush(path, sealed(stage_payload(stage, checkpoint), kStage));
}

Checkpoint read_stage(const fs::path& folder, std::int64_t stage) {
  const fs::path path = stage_path(folder, stage);
  if (!present(path)) {
    throw Error(path.string(),
                fmt::format("there is no such stage; the run keeps: {}", kept_stages(folder)),
                "wait until the stage has ended; a run made with --keep-stages off, or finished "
                "before stages were kept, has to be removed and run again");
  }
  const std::vector<std::byte> content = read_file(path);
  if (const std::string problem = damage(content); !problem.empty()) {
    throw Error(path.string(), problem, "remove the run's folder and run it again");
  }
  StageState read = read_stage_payload(path.string(), payload(path, content, kStage));
  if (read.stage != stage) {
    throw Error(path.string(), fmt::format("holds the end of stage {}", read.stage),
                "it was copied there: remove the run's folder and run it again");
  }
  return std::move(read.checkpoint);
}

}  // namespace gcg
