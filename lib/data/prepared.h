#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "data/mapped_file.h"
#include "graph/network.h"

namespace gcg {

/// Version of the layout. Version 1: no sources.txt, other pixels for some PNG and JPEG files.
inline constexpr std::uint32_t kPreparedVersion = 2;

/// The prepared form of a data set: one file per split, made once (data/prepare.h) and mapped into
/// memory by every run. All numbers are little-endian.
///
///     byte 0     PreparedHeader, then zeros up to byte 4096
///     byte 4096  the images, one after another: raw pixels [channels][height][width], or JPEG or
///                PNG files
///     then       the table: a PreparedEntry for every image
///     then       the names of the classes, each followed by a newline
///
/// The header holds its own digest and that of table and names, the table that of every image: any
/// changed bit is found when it is read, and the table's digest identifies the content.
///
/// Beside both files is sources.txt (data/sources.h), which records what they were made from.
struct PreparedHeader {
  std::array<char, 8> magic{};               ///< kPreparedMagic
  std::uint32_t version = kPreparedVersion;  ///< of this layout
  std::uint32_t encoded = 0;                 ///< 0: raw pixels, 1: files of JPEG or PNG
  std::array<char, 32> name{};               ///< data set, padded with zeros
  std::array<char, 8> split{};               ///< "train" or "test", padded with zeros
  std::int64_t images = 0;
  std::int64_t classes = 0;
  std::int64_t channels = 0;  ///< of raw pixels; encoded images: 3, 0, 0
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t image_bytes = 0;  ///< all images together
  std::int64_t name_bytes = 0;   ///< bytes of the class names
  Digest set_digest{};           ///< equal in both splits; for raw pixels: data_digest()
  Digest source_digest{};        ///< SHA-256 of PreparedSplit::source
  Digest table_digest{};         ///< SHA-256 of table and names
  Digest header_digest{};        ///< SHA-256 of all members above
};
static_assert(sizeof(PreparedHeader) == 240);

inline constexpr std::array<char, 8> kPreparedMagic{'G', 'C', 'G', 'I', 'M', 'G', 'S', '\n'};
inline constexpr std::int64_t kPreparedDataStart = 4096;

struct PreparedEntry {
  std::int64_t end = 0;  ///< first byte after the image, from kPreparedDataStart
  std::int32_t label = 0;
  std::uint32_t unused = 0;
  Digest digest{};  ///< SHA-256 of the image's bytes
};
static_assert(sizeof(PreparedEntry) == 48);

/// An open file of the prepared form. Many threads may read it at once.
class PreparedFile {
 public:
  /// Maps the file and checks everything but the images. Errors name file and byte: a wrong magic,
  /// version or size; a digest that does not match; entries or labels out of range.
  explicit PreparedFile(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const PreparedHeader& header() const { return header_; }
  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string split() const;
  [[nodiscard]] bool encoded() const { return header_.encoded == 1; }
  [[nodiscard]] std::int64_t size() const { return header_.images; }
  [[nodiscard]] std::int32_t label(std::int64_t image) const { return entry(image).label; }
  [[nodiscard]] const std::vector<std::string>& classes() const { return classes_; }

  /// The bytes of one image, checked against their digest. Errors name the image and its first byte
  /// if they do not match, or the file if it was changed since it was opened.
  [[nodiscard]] std::span<const std::byte> image(std::int64_t image) const;
  /// The bytes of all images, unchecked.
  [[nodiscard]] std::span<const std::byte> all_images() const;
  /// Throws an Error if the file was changed since it was opened; for readers of all_images().
  void check_unchanged() const { file_.check_unchanged(); }
  /// Checks every image as image() does, on `threads` threads.
  void check_images(std::int64_t threads) const;

 private:
  [[nodiscard]] const PreparedEntry& entry(std::int64_t image) const;
  [[nodiscard]] std::int64_t begin(std::int64_t image) const;
  void check_header() const;
  void check_table() const;
  void read_classes();

  std::filesystem::path path_;
  MappedFile file_;
  PreparedHeader header_;
  std::span<const PreparedEntry> entries_;
  std::vector<std::string> classes_;
};

/// The value of PreparedHeader::header_digest for this header.
Digest prepared_header_digest(const PreparedHeader& header);

/// The file of a split: FOLDER/train.images or FOLDER/test.images.
std::filesystem::path prepared_path(const std::filesystem::path& folder, std::string_view split);

}  // namespace gcg
