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

/// Of the layout. 1: without sources.txt, other pixels of some PNG and JPEG files.
inline constexpr std::uint32_t kPreparedVersion = 2;

/// The prepared form of a data set: one file a split, made once (data/prepare.h), mapped into
/// memory by every run. All numbers are little-endian.
///
///     byte 0     PreparedHeader, zeros up to byte 4096
///     byte 4096  the images one behind the other: raw pixels [channels][height][width], or files
///                of JPEG or PNG
///     then       the table: a PreparedEntry for every image
///     then       the names of the classes, each with a newline behind it
///
/// The header carries its own digest and that of table and names, the table that of every image:
/// a changed bit anywhere is found when it is read, and the table's digest stands for the content.
///
/// Beside both files lies sources.txt (data/sources.h): what they were made from.
struct PreparedHeader {
  std::array<char, 8> magic{};               ///< kPreparedMagic
  std::uint32_t version = kPreparedVersion;  ///< of this layout
  std::uint32_t encoded = 0;                 ///< 0: raw pixels, 1: files of JPEG or PNG
  std::array<char, 32> name{};               ///< data set, zeros behind it
  std::array<char, 8> split{};               ///< "train" or "test", zeros behind it
  std::int64_t images = 0;
  std::int64_t classes = 0;
  std::int64_t channels = 0;  ///< of raw pixels; encoded images: 3, 0, 0
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t image_bytes = 0;  ///< all images together
  std::int64_t name_bytes = 0;   ///< names of the classes
  Digest set_digest{};           ///< the same in both splits of a set; of raw pixels: data_digest()
  Digest source_digest{};        ///< SHA-256 of what it was made from (PreparedSplit::source)
  Digest table_digest{};         ///< SHA-256 of table and names
  Digest header_digest{};        ///< SHA-256 of all members before
};
static_assert(sizeof(PreparedHeader) == 240);

inline constexpr std::array<char, 8> kPreparedMagic{'G', 'C', 'G', 'I', 'M', 'G', 'S', '\n'};
inline constexpr std::int64_t kPreparedDataStart = 4096;

struct PreparedEntry {
  std::int64_t end = 0;  ///< byte behind the image, counted from kPreparedDataStart
  std::int32_t label = 0;
  std::uint32_t unused = 0;
  Digest digest{};  ///< SHA-256 of the image's bytes
};
static_assert(sizeof(PreparedEntry) == 48);

/// One open file of the prepared form. Reading it is safe from many threads.
class PreparedFile {
 public:
  /// Maps the file and checks everything but the images. Errors name file and byte: a wrong magic,
  /// version or size, a digest that does not match, entries or labels out of range.
  explicit PreparedFile(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const PreparedHeader& header() const { return header_; }
  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string split() const;
  [[nodiscard]] bool encoded() const { return header_.encoded == 1; }
  [[nodiscard]] std::int64_t size() const { return header_.images; }
  [[nodiscard]] std::int32_t label(std::int64_t image) const { return entry(image).label; }
  [[nodiscard]] const std::vector<std::string>& classes() const { return classes_; }

  /// The bytes of one image, held against their digest: an Error names the image and its first byte
  /// if they do not match, or the file if it was changed since it was opened.
  [[nodiscard]] std::span<const std::byte> image(std::int64_t image) const;
  /// The bytes of all images, unchecked.
  [[nodiscard]] std::span<const std::byte> all_images() const;
  /// An Error if the file was changed since it was opened; for readers of all_images().
  void check_unchanged() const { file_.check_unchanged(); }
  /// Checks every image as image() does, with this many threads.
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

/// The digest that belongs into PreparedHeader::header_digest.
Digest prepared_header_digest(const PreparedHeader& header);

/// The data set's file of a split: FOLDER/train.images, FOLDER/test.images.
std::filesystem::path prepared_path(const std::filesystem::path& folder, std::string_view split);

}  // namespace gcg
