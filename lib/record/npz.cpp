#include "record/npz.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace gcg {

namespace {

constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kLongestHeader = 4096;
constexpr std::string_view kNpy = "\x93NUMPY";

/// CRC-32 as in zip: the reflected polynomial 0xEDB88320, start and end inverted.
std::uint32_t crc32(std::span<const std::byte> bytes) {
  static constexpr std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> values{};
    for (std::uint32_t n = 0; n < 256; ++n) {
      std::uint32_t value = n;
      for (int bit = 0; bit < 8; ++bit) {
        value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
      }
      values[n] = value;
    }
    return values;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) {
    crc = table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFFU] ^ (crc >> 8);
  }
  return ~crc;
}

void put(std::vector<std::byte>& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    out.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
}

void put(std::vector<std::byte>& out, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// The .npy file before its values: magic, version 1.0, length, a Python dictionary, padded so that
/// the values start at a multiple of 64.
std::string npy_header(const NpzArray& array) {
  std::string shape;
  for (const std::int64_t extent : array.shape) {
    shape += fmt::format("{},", extent);
  }
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({})}}",
                                 array.type, shape);
  const std::size_t before = kNpy.size() + 4;
  text.append(63 - (before + text.size()) % 64, ' ');
  text += '\n';
  std::string header(kNpy);
  header += {'\x01', '\x00', static_cast<char>(text.size() & 0xFF),
             static_cast<char>(text.size() >> 8)};
  return header + text;
}

/// What the archive's directory says of a member.
struct Entry {
  std::string name;
  std::uint32_t crc = 0;
  std::size_t size = 0;
  std::size_t at = 0;
};

/// The fields that the local header and the directory have in common: version, flags, method (none),
/// time, date (1 January 1980), checksum, sizes, length of the name, no extra field.
void put_fields(std::vector<std::byte>& out, const Entry& entry) {
  put(out, 20, 2);
  put(out, 0x800, 2);  // names are UTF-8
  put(out, 0, 2);
  put(out, 0, 2);
  put(out, 0x21, 2);
  put(out, entry.crc, 4);
  put(out, entry.size, 4);
  put(out, entry.size, 4);
  put(out, entry.name.size(), 2);
  put(out, 0, 2);
}

void put_member(std::vector<std::byte>& out, std::vector<Entry>& entries, const std::string& name,
                std::string_view header, std::span<const std::byte> bytes) {
  std::vector<std::byte> member;
  put(member, header);
  member.insert(member.end(), bytes.begin(), bytes.end());
  const Entry entry{name, crc32(member), member.size(), out.size()};
  put(out, kLocal, 4);
  put_fields(out, entry);
  put(out, entry.name);
  out.insert(out.end(), member.begin(), member.end());
  entries.push_back(entry);
}

/// Reads little-endian numbers and refuses to leave the content.
class Reader {
 public:
  Reader(const std::string& where, std::span<const std::byte> content)
      : where_(where), content_(content) {}

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(where_, problem, "write it with numpy.savez or gcg_export");
  }

  [[nodiscard]] std::span<const std::byte> at(std::size_t position, std::size_t size,
                                              std::string_view what) const {
    if (position > content_.size() || size > content_.size() - position) {
      fail(fmt::format("{} leads out of the file ({} bytes at {}, the file has {})", what, size,
                       position, content_.size()));
    }
    return content_.subspan(position, size);
  }

  [[nodiscard]] static std::uint32_t number(std::span<const std::byte> bytes, std::size_t position,
                                            std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value |= std::to_integer<std::uint32_t>(bytes[position + i]) << (8 * i);
    }
    return value;
  }

  [[nodiscard]] std::size_t size() const { return content_.size(); }

 private:
  const std::string& where_;
  std::span<const std::byte> content_;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Position of the record at the archive's end, behind which there may be a comment.
std::size_t find_end(const Reader& file) {
  constexpr std::size_t longest_comment = 0xFFFF;
  for (std::size_t back = kEndSize; back <= file.size() && back <= kEndSize + longest_comment;
       ++back) {
    const std::size_t position = file.size() - back;
    if (Reader::number(file.at(position, 4, "the end"), 0, 4) == kEnd) {
      return position;
    }
  }
  file.fail("is no .npz file: a zip archive has a directory at its end");
}

std::vector<Entry> read_directory(const Reader& file) {
  const auto end = file.at(find_end(file), kEndSize, "the end of the archive");
  const std::size_t count = Reader::number(end, 10, 2);
  std::size_t position = Reader::number(end, 16, 4);
  std::vector<Entry> entries;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto fields = file.at(position, kCentralSize, "the directory");
    if (Reader::number(fields, 0, 4) != kCentral) {
      file.fail(fmt::format("entry {} of the directory is none", i));
    }
    Entry entry;
    const std::size_t name = Reader::number(fields, 28, 2);
    entry.name = text_of(file.at(position + kCentralSize, name, "a name in the directory"));
    const std::uint32_t method = Reader::number(fields, 10, 2);
    if ((Reader::number(fields, 8, 2) & 1U) != 0 || method != 0) {
      file.fail(fmt::format("{} is {}", entry.name,
                            method == 8 ? "compressed: numpy.savez_compressed is not read"
                                        : "encrypted, or packed in another way than stored"));
    }
    entry.crc = Reader::number(fields, 16, 4);
    entry.size = Reader::number(fields, 24, 4);
    entry.at = Reader::number(fields, 42, 4);
    if (entry.size != Reader::number(fields, 20, 4)) {
      file.fail(fmt::format("{} has two sizes", entry.name));
    }
    // Members that overlap could make a small file cost a lot.
    total += entry.size;
    if (total > file.size()) {
      file.fail("its members are larger than the file");
    }
    position +=
        kCentralSize + name + Reader::number(fields, 30, 2) + Reader::number(fields, 32, 2);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::span<const std::byte> read_member(const Reader& file, const Entry& entry) {
  const auto fields = file.at(entry.at, kLocalSize, entry.name);
  if (Reader::number(fields, 0, 4) != kLocal) {
    file.fail(fmt::format("{} does not begin where the directory says", entry.name));
  }
  const std::size_t begin =
      entry.at + kLocalSize + Reader::number(fields, 26, 2) + Reader::number(fields, 28, 2);
  const auto bytes = file.at(begin, entry.size, entry.name);
  if (crc32(bytes) != entry.crc) {
    file.fail(fmt::format("the checksum of {} does not fit: the file is damaged", entry.name));
  }
  return bytes;
}

/// What stands behind 'KEY': in the dictionary of a .npy header, blanks left out.
std::string_view value_of(const Reader& file, const std::string& name, std::string_view header,
                          std::string_view key) {
  const std::string quoted = fmt::format("'{}':", key);
  const std::size_t found = header.find(quoted);
  if (found == std::string_view::npos) {
    file.fail(fmt::format("the header of {} has no {}", name, key));
  }
  header.remove_prefix(found + quoted.size());
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

std::vector<std::int64_t> shape_of(const Reader& file, const std::string& name,
                                   std::string_view text) {
  std::vector<std::int64_t> shape;
  const auto skip = [&] {
    text.remove_prefix(std::min(text.find_first_not_of(", "), text.size()));
  };
  if (text.starts_with('(')) {
    text.remove_prefix(1);
    for (skip(); !text.empty() && text.front() != ')'; skip()) {
      std::int64_t extent = -1;
      const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), extent);
      if (code != std::errc() || extent < 0 || shape.size() == 32) {
        file.fail(fmt::format("the shape of {} is none", name));
      }
      shape.push_back(extent);
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
  }
  if (!text.starts_with(')')) {
    file.fail(fmt::format("the shape of {} is none", name));
  }
  return shape;
}

/// Bytes of one value of a type, 0 if it is no plain number.
std::size_t value_size(std::string_view type) {
  if (type.size() < 3 || type.size() > 4 ||
      std::string_view("<|").find(type[0]) == std::string_view::npos ||
      std::string_view("biuf").find(type[1]) == std::string_view::npos) {
    return 0;
  }
  std::size_t size = 0;
  const auto [end, code] = std::from_chars(type.data() + 2, type.data() + type.size(), size);
  return code == std::errc() && end == type.data() + type.size() ? size : 0;
}

NpzArray parse_array(const Reader& file, std::string name, std::span<const std::byte> bytes) {
  const auto part = [&](std::size_t position, std::size_t size) {
    if (position > bytes.size() || size > bytes.size() - position) {
      file.fail(fmt::format("{} ends within its header", name));
    }
    return bytes.subspan(position, size);
  };
  const auto start = part(0, 12);
  if (text_of(start.first(kNpy.size())) != kNpy) {
    file.fail(fmt::format("{} is no NumPy array", name));
  }
  const bool first = start[6] == std::byte{1};
  const std::size_t length = Reader::number(start, 8, first ? 2 : 4);
  if (length > kLongestHeader) {
    file.fail(fmt::format("the header of {} has {} bytes, more than {}", name, length,
                          kLongestHeader));
  }
  const std::size_t begin = first ? 10 : 12;
  const std::string header = text_of(part(begin, length));
  NpzArray array;
  std::string_view type = value_of(file, name, header, "descr");
  const std::size_t quote = type.starts_with('\'') ? type.find('\'', 1) : std::string_view::npos;
  array.type = quote == std::string_view::npos ? "" : std::string(type.substr(1, quote - 1));
  const std::size_t size = value_size(array.type);
  if (size == 0) {
    file.fail(fmt::format("{} is no array of plain little-endian numbers", name));
  }
  if (!value_of(file, name, header, "fortran_order").starts_with("False")) {
    file.fail(fmt::format("{} is stored by columns", name));
  }
  array.shape = shape_of(file, name, value_of(file, name, header, "shape"));
  array.bytes = bytes.subspan(begin + length);
  // Divided, not multiplied: extents from outside may overflow.
  std::size_t left = array.bytes.size() / size;
  const bool none = std::ranges::find(array.shape, 0) != array.shape.end();
  bool fits = array.bytes.size() % size == 0;
  for (const std::int64_t extent : array.shape) {
    if (!none && fits) {
      fits = left % static_cast<std::size_t>(extent) == 0;
      left /= static_cast<std::size_t>(extent);
    }
  }
  if (!fits || left != (none ? 0 : 1)) {
    file.fail(fmt::format("the {} bytes of {} are not those of its shape", array.bytes.size(),
                          name));
  }
  array.name = std::move(name);
  return array;
}

}  // namespace

std::vector<std::byte> npz_content(std::span<const NpzArray> arrays,
                                   std::span<const NpzText> texts) {
  std::vector<std::byte> content;
  std::vector<Entry> entries;
  for (const NpzArray& array : arrays) {
    put_member(content, entries, array.name + ".npy", npy_header(array), array.bytes);
  }
  for (const NpzText& text : texts) {
    put_member(content, entries, text.name, text.text, {});
  }
  const std::size_t directory = content.size();
  for (const Entry& entry : entries) {
    put(content, kCentral, 4);
    put(content, 20, 2);
    put_fields(content, entry);
    put(content, 0, 2 + 2);  // no comment, disk 0
    put(content, 0, 2 + 4);  // attributes: none
    put(content, entry.at, 4);
    put(content, entry.name);
  }
  const std::size_t end = content.size();
  put(content, kEnd, 4);
  put(content, 0, 4);
  put(content, entries.size(), 2);
  put(content, entries.size(), 2);
  put(content, end - directory, 4);
  put(content, directory, 4);
  put(content, 0, 2);
  if (content.size() >= std::numeric_limits<std::uint32_t>::max() || entries.size() > 0xFFFE) {
    throw Error("npz", fmt::format("{} arrays of {} bytes in all: too many for one archive",
                                   entries.size(), content.size()));
  }
  return content;
}

std::vector<NpzArray> parse_npz(const std::string& where, std::span<const std::byte> content) {
  const Reader file(where, content);
  std::vector<NpzArray> arrays;
  for (const Entry& entry : read_directory(file)) {
    if (!entry.name.ends_with(".npy")) {
      continue;
    }
    std::string name = entry.name.substr(0, entry.name.size() - 4);
    if (std::ranges::find(arrays, name, &NpzArray::name) != arrays.end()) {
      file.fail(fmt::format("{} is there twice", entry.name));
    }
    arrays.push_back(parse_array(file, std::move(name), read_member(file, entry)));
  }
  return arrays;
}

}  // namespace gcg
