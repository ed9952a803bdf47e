#include "data/prepared.h"

#include <fmt/format.h>

#include <bit>
#include <cstddef>
#include <cstring>

#include "base/error.h"
#include "data/parallel.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

static_assert(std::endian::native == std::endian::little, "prepared files are little-endian");

constexpr std::string_view kPrepareAgain =
    "remove the file and prepare the data set again (gcg_data_prepare)";

/// A text in an array, with zeros behind it.
template <std::size_t N>
std::string text_of(const std::array<char, N>& characters) {
  return {characters.data(), ::strnlen(characters.data(), N)};
}

}  // namespace

Digest prepared_header_digest(const PreparedHeader& header) {
  return sha256(
      std::as_bytes(std::span(&header, 1)).first(offsetof(PreparedHeader, header_digest)));
}

fs::path prepared_path(const fs::path& folder, std::string_view split) {
  return folder / fmt::format("{}.images", split);
}

PreparedFile::PreparedFile(const fs::path& path) : path_(path), file_(path) {
  const std::span<const std::byte> bytes = file_.bytes();
  if (std::ssize(bytes) < kPreparedDataStart) {
    throw Error(path_.string(),
                fmt::format("byte {}: the file ends within the header", bytes.size()),
                kPrepareAgain);
  }
  std::memcpy(&header_, bytes.data(), sizeof header_);
  check_header();
  // Page-aligned memory, images padded to a multiple of 8 bytes: entries are aligned.
  entries_ = {reinterpret_cast<const PreparedEntry*>(bytes.data() + kPreparedDataStart +
                                                     (header_.image_bytes + 7) / 8 * 8),
              static_cast<std::size_t>(header_.images)};
  check_table();
  read_classes();
}

std::string PreparedFile::name() const { return text_of(header_.name); }

std::string PreparedFile::split() const { return text_of(header_.split); }

void PreparedFile::check_header() const {
  const auto fail = [&](std::size_t byte, const std::string& problem) {
    throw Error(path_.string(), fmt::format("byte {}: {}", byte, problem), kPrepareAgain);
  };
  const PreparedHeader& h = header_;
  if (h.magic != kPreparedMagic) {
    fail(0, "no prepared data set begins like this");
  }
  if (h.version != kPreparedVersion) {
    throw Error(path_.string(),
                fmt::format("byte {}: layout version {}, but this program reads version {}",
                            offsetof(PreparedHeader, version), h.version, kPreparedVersion),
                "run gcg_data_prepare again: it replaces the file");
  }
  if (h.header_digest != prepared_header_digest(h)) {
    fail(offsetof(PreparedHeader, header_digest), "the header does not have its digest");
  }
  // Bounds that keep every sum and product below within 64 bits.
  constexpr std::int64_t most_images = std::int64_t{1} << 32;
  constexpr std::int64_t most_edge = 65'536;
  constexpr std::int64_t most_bytes = std::int64_t{1} << 50;
  const bool sound = h.encoded <= 1 && h.images >= 1 && h.images < most_images && h.classes >= 1 &&
                     h.classes < most_images && h.channels >= 1 && h.channels <= 4 &&
                     h.height >= 0 && h.height <= most_edge && h.width >= 0 &&
                     h.width <= most_edge && h.image_bytes >= 0 && h.image_bytes < most_bytes &&
                     h.name_bytes >= 0 && h.name_bytes < most_bytes;
  if (!sound) {
    fail(offsetof(PreparedHeader, encoded), "sizes in the header are out of range");
  }
  const std::int64_t pixels = h.channels * h.height * h.width;
  if (h.encoded == 0 &&
      (pixels == 0 || h.image_bytes / pixels != h.images || h.image_bytes % pixels != 0)) {
    fail(offsetof(PreparedHeader, image_bytes),
         fmt::format("{} images of {} bytes are not {} bytes", h.images, pixels, h.image_bytes));
  }
  const std::int64_t expected = kPreparedDataStart + (h.image_bytes + 7) / 8 * 8 +
                                h.images * std::int64_t{sizeof(PreparedEntry)} + h.name_bytes;
  if (std::ssize(file_.bytes()) != expected) {
    fail(file_.bytes().size(),
         fmt::format("the file ends here, its header promises {} bytes", expected));
  }
}

void PreparedFile::check_table() const {
  const std::span<const std::byte> table =
      file_.bytes().last(entries_.size_bytes() + static_cast<std::size_t>(header_.name_bytes));
  const auto start = static_cast<std::size_t>(table.data() - file_.bytes().data());
  if (sha256(table) != header_.table_digest) {
    throw Error(path_.string(), fmt::format("byte {}: the table does not have its digest", start),
                kPrepareAgain);
  }
  std::int64_t before = 0;
  const std::int64_t pixels = header_.channels * header_.height * header_.width;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const PreparedEntry& entry = entries_[i];
    const bool sound = entry.end > before && entry.end <= header_.image_bytes && entry.label >= 0 &&
                       entry.label < header_.classes && (encoded() || entry.end - before == pixels);
    if (!sound) {
      throw Error(path_.string(),
                  fmt::format("byte {}: the entry of image {} (end {}, label {}) is out of range",
                              start + i * sizeof(PreparedEntry), i, entry.end, entry.label),
                  kPrepareAgain);
    }
    before = entry.end;
  }
}

void PreparedFile::read_classes() {
  const std::span<const std::byte> bytes =
      file_.bytes().last(static_cast<std::size_t>(header_.name_bytes));
  std::string_view names(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('\n'), names.size());
    classes_.emplace_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  if (std::ssize(classes_) != header_.classes) {
    throw Error(path_.string(),
                fmt::format("byte {}: {} names of {} classes", file_.bytes().size() - bytes.size(),
                            classes_.size(), header_.classes),
                kPrepareAgain);
  }
}

const PreparedEntry& PreparedFile::entry(std::int64_t image) const {
  if (image < 0 || image >= size()) {
    throw Error(path_.string(), fmt::format("there is no image {} among {}", image, size()));
  }
  return entries_[static_cast<std::size_t>(image)];
}

std::int64_t PreparedFile::begin(std::int64_t image) const {
  return image == 0 ? 0 : entry(image - 1).end;
}

std::span<const std::byte> PreparedFile::image(std::int64_t image) const {
  check_unchanged();
  const PreparedEntry& found = entry(image);
  const std::int64_t first = begin(image);
  const std::span<const std::byte> bytes = all_images().subspan(
      static_cast<std::size_t>(first), static_cast<std::size_t>(found.end - first));
  if (sha256(bytes) != found.digest) {
    throw Error(path_.string(),
                fmt::format("byte {}: image {} does not have its digest",
                            kPreparedDataStart + first, image),
                kPrepareAgain);
  }
  return bytes;
}

std::span<const std::byte> PreparedFile::all_images() const {
  return file_.bytes().subspan(static_cast<std::size_t>(kPreparedDataStart),
                               static_cast<std::size_t>(header_.image_bytes));
}

void PreparedFile::check_images(std::int64_t threads) const {
  for_each_parallel(size(), threads, [&](std::int64_t i) { static_cast<void>(image(i)); });
}

}  // namespace gcg
