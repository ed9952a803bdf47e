// Run files and checkpoints whose checksums are right and whose values are not: the input is a list
// of changes to the arrays, numbers and texts of a sample, five bytes each: which object (two
// bytes), which byte of it (two bytes), its new value. The structure stays the HDF5 library's own.
// The payload of a stage has no objects: four bytes say which byte.
#include <hdf5.h>

#include <algorithm>
#include <string>

#include "base/hash.h"
#include "fuzz/target.h"
#include "record/checkpoint.h"
#include "record/run_file.h"
#include "record/sample_record.h"
#include "record/visit_objects.h"
#include "train/phase_state.h"

namespace {

using namespace gcg;

/// An object with values: an array, or an attribute of an object.
struct Place {
  std::string object, attribute;
};

herr_t list_attribute(hid_t /*object*/, const char* name, const H5A_info_t* /*info*/, void* data) {
  auto& places = *static_cast<std::vector<Place>*>(data);
  places.push_back({places.back().object, name});
  return 0;
}

herr_t list_object(hid_t root, const char* name, const H5O_info_t* info, void* data) {
  auto& places = *static_cast<std::vector<Place>*>(data);
  places.push_back({name, ""});
  const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, list_attribute, data);
  H5Oclose(object);
  if (info->type != H5O_TYPE_DATASET) {
    std::erase_if(places, [&](const Place& place) {
      return place.object == name && place.attribute.empty();
    });
  }
  return 0;
}

/// Sets one byte of a text of its own length, or lengthens it by one.
void set_byte_of_text(hid_t attribute, hid_t type, std::size_t at, std::byte value) {
  char* stored = nullptr;
  if (H5Aread(attribute, type, &stored) < 0 || stored == nullptr) {
    return;
  }
  std::string text = stored;
  H5free_memory(stored);
  at %= text.size() + 1;
  text.resize(std::max(text.size(), at + 1));
  text[at] = static_cast<char>(value);
  const char* changed = text.c_str();
  H5Awrite(attribute, type, &changed);
}

/// Sets one byte of an array's or attribute's values.
void set_byte(hid_t file, const Place& place, std::size_t at, std::byte value) {
  const hid_t object = H5Oopen(file, place.object.c_str(), H5P_DEFAULT);
  const bool array = place.attribute.empty();
  const hid_t id = array ? object : H5Aopen(object, place.attribute.c_str(), H5P_DEFAULT);
  const hid_t type = array ? H5Dget_type(id) : H5Aget_type(id);
  const hid_t space = array ? H5Dget_space(id) : H5Aget_space(id);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Tis_variable_str(type) > 0) {
    if (!array && count == 1) {
      set_byte_of_text(id, type, at, value);
    }
  } else if (count > 0) {
    std::vector<std::byte> values(static_cast<std::size_t>(count) * H5Tget_size(type));
    array ? H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data())
          : H5Aread(id, type, values.data());
    values[at % values.size()] = value;
    array ? H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data())
          : H5Awrite(id, type, values.data());
  }
  H5Sclose(space);
  H5Tclose(type);
  if (!array) {
    H5Aclose(id);
  }
  H5Oclose(object);
}

/// The HDF5 content with the changes.
std::vector<std::byte> changed(std::vector<std::byte> content,
                               std::span<const std::uint8_t> input) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, false);
  H5Pset_file_image(access, content.data(), content.size());
  const hid_t file = H5Fopen("changed", H5F_ACC_RDWR, access);
  std::vector<Place> places{{"/", ""}};
  testing::visit_objects(file, H5_ITER_INC, list_object, &places);
  std::erase_if(places, [](const Place& place) { return place.object == "/"; });
  const auto two = [&](std::size_t i) { return std::size_t{input[i]} * 256 + input[i + 1]; };
  for (std::size_t i = 0; i + 4 < std::min<std::size_t>(input.size(), 50); i += 5) {
    set_byte(file, places[two(i) * places.size() / 65536], two(i + 2),
             static_cast<std::byte>(input[i + 4]));
  }
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  content.resize(static_cast<std::size_t>(H5Fget_file_image(file, nullptr, 0)));
  H5Fget_file_image(file, content.data(), content.size());
  H5Fclose(file);
  H5Pclose(access);
  return content;
}

/// Plain bytes with the changes.
std::vector<std::byte> changed_bytes(std::vector<std::byte> content,
                                     std::span<const std::uint8_t> input) {
  for (std::size_t i = 0; i + 4 < std::min<std::size_t>(input.size(), 50); i += 5) {
    std::size_t place = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      place = 256 * place + input[i + k];
    }
    content[place % content.size()] = static_cast<std::byte>(input[i + 4]);
  }
  return content;
}

constexpr std::size_t kTrailer = 8 + sizeof(Digest);
constexpr std::size_t kHeader = 56;

/// A container (magic, digest of what follows it, version, size) whose payload `change` makes of
/// the old one.
template <typename Change>
std::vector<std::byte> resealed(std::span<const std::byte> container,
                                std::span<const std::uint8_t> input, Change change) {
  const std::span<const std::byte> old = container.subspan(kHeader);
  const std::vector<std::byte> payload = change({old.begin(), old.end()}, input);
  std::vector<std::byte> sealed(kHeader + payload.size());
  std::ranges::copy(container.first(kHeader), sealed.begin());
  std::ranges::copy(payload, sealed.begin() + kHeader);
  for (std::size_t i = 0; i < 8; ++i) {
    sealed[kHeader - 8 + i] = static_cast<std::byte>(payload.size() >> (8 * i));
  }
  const Digest seal = sha256(std::span<const std::byte>(sealed).subspan(40));
  std::ranges::copy(std::as_bytes(std::span(seal)), sealed.begin() + 8);
  return sealed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::FuzzFolder folder;
  static const std::vector<std::byte> run_file = [] {
    write_run_file(folder / "run.h5", sample_record());
    return read_file(folder / "run.h5");
  }();
  static const std::vector<std::byte> checkpoint = [] {
    write_checkpoint(folder.path(), sample_checkpoint());
    return read_file(folder / "checkpoint.gcg");
  }();
  static const std::vector<std::byte> stage = [] {
    write_stage(folder.path(), 0, sample_checkpoint())();
    return read_file(folder / "stages/stage_000.gcg");
  }();
  const std::span<const std::uint8_t> input(data, size);
  std::vector<std::byte> content =
      changed({run_file.begin(), run_file.end() - static_cast<std::ptrdiff_t>(kTrailer)}, input);
  const Digest digest = sha256(content);
  content.insert(content.end(), run_file.end() - static_cast<std::ptrdiff_t>(kTrailer),
                 run_file.end() - static_cast<std::ptrdiff_t>(sizeof(Digest)));
  const auto sum = std::as_bytes(std::span(digest));
  content.insert(content.end(), sum.begin(), sum.end());
  folder.write("run.h5", content.data(), content.size());
  test::try_to([&] { (void)read_run_file(folder / "run.h5"); });
  test::try_to([&] { (void)read_stage_mask(folder / "run.h5", -1); });

  const std::vector<std::byte> changed_stage = resealed(stage, input, changed_bytes);
  folder.write("stages/stage_000.gcg", changed_stage.data(), changed_stage.size());
  test::try_to([&] { (void)read_stage(folder.path(), 0); });

  const std::vector<std::byte> sealed = resealed(checkpoint, input, changed);
  folder.write("checkpoint.gcg", sealed.data(), sealed.size());
  return test::try_to([&] {
    std::string note;
    const auto read = read_checkpoint(folder.path(), note);
    (void)read_phase(read.value().method_state, "checkpoint");
  });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  // Objects all over the file, their first, a later and a far byte, extreme values.
  std::vector<std::vector<std::uint8_t>> seeds;
  for (std::size_t object = 0; object < 65536; object += 700) {
    const auto high = static_cast<std::uint8_t>(object / 256);
    const auto low = static_cast<std::uint8_t>(object % 256);
    seeds.push_back({high, low, 0, 0, 0xFF, high, low, 0, 7, 0x80});
    seeds.push_back({high, low, 0, 0, 0, high, low, 1, 8, 0x7F});
  }
  return seeds;
}
