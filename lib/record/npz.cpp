#include "record/npz.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <memory>
#include <numeric>

#include "base/error.h"

namespace gcg {

namespace {

constexpr std::size_t kLongestHeader = 4096;
constexpr std::string_view kNpy = "\x93NUMPY";
/// No packed byte holds more (deflate): a member that claims more is no honest one.
constexpr std::uint64_t kLargestRatio = 1032;

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;
using Source = std::unique_ptr<zip_source_t, decltype(&zip_source_free)>;
using Member = std::unique_ptr<zip_file_t, decltype(&zip_fclose)>;

[[noreturn]] void fail(const std::string& where, const std::string& problem) {
  throw Error(where, problem, "write it with numpy.savez or gcg_export");
}

/// The archive in a source, which it keeps; a problem of the library becomes an Error.
Archive open_archive(const std::string& where, const Source& source, int flags) {
  zip_error_t problem;
  zip_error_init(&problem);
  zip_source_keep(source.get());
  Archive archive(zip_open_from_source(source.get(), flags, &problem), zip_discard);
  if (!archive) {
    zip_source_free(source.get());
    const std::string text = zip_error_strerror(&problem);
    zip_error_fini(&problem);
    fail(where, fmt::format("is not an .npz file: {}", text));
  }
  return archive;
}

/// The .npy file before its values: magic, version 1.0, length, a Python dictionary, padded so that
/// the values start at a multiple of 64.
std::string npy_header(const NpzArray& array) {
  std::string shape;
  for (const std::int64_t extent : array.shape) {
    shape += fmt::format("{},", extent);
  }
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({})}}", array.type, shape);
  const std::size_t before = kNpy.size() + 4;
  text.append(63 - (before + text.size()) % 64, ' ');
  text += '\n';
  std::string header(kNpy);
  header +=
      {'\x01', '\x00', static_cast<char>(text.size() & 0xFF), static_cast<char>(text.size() >> 8)};
  return header + text;
}

/// Adds a member of two parts, which must outlive the archive.
void add_member(zip_t* archive, const std::string& name, std::string_view head,
                std::span<const std::byte> tail) {
  const auto part = [](const auto& bytes) {
    return zip_buffer_fragment_t{
        const_cast<zip_uint8_t*>(reinterpret_cast<const zip_uint8_t*>(bytes.data())), bytes.size()};
  };
  const std::array parts{part(head), part(tail)};
  zip_source_t* const source = zip_source_buffer_fragment(archive, parts.data(), parts.size(), 0);
  const zip_int64_t index =
      source == nullptr ? -1 : zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (source != nullptr && index < 0) {
    zip_source_free(source);
  }
  constexpr zip_uint16_t first_of_january_1980 = 0x21;
  const auto at = static_cast<zip_uint64_t>(index);
  if (index < 0 || zip_set_file_compression(archive, at, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, at, 0, first_of_january_1980, 0) != 0) {
    throw Error(name, zip_strerror(archive));
  }
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What stands behind 'KEY': in the dictionary of a .npy header, blanks left out.
std::string_view value_of(const std::string& where, const std::string& name,
                          std::string_view header, std::string_view key) {
  const std::string quoted = fmt::format("'{}':", key);
  const std::size_t found = header.find(quoted);
  if (found == std::string_view::npos) {
    fail(where, fmt::format("the header of {} has no {}", name, key));
  }
  header.remove_prefix(found + quoted.size());
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

std::vector<std::int64_t> shape_of(const std::string& where, const std::string& name,
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
        fail(where, fmt::format("the shape of {} is invalid", name));
      }
      shape.push_back(extent);
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
  }
  if (!text.starts_with(')')) {
    fail(where, fmt::format("the shape of {} is invalid", name));
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

/// Whether so many values make up a shape. Divided, not multiplied: extents from outside may
/// overflow.
bool fits(std::span<const std::int64_t> shape, std::size_t values) {
  if (std::ranges::find(shape, 0) != shape.end()) {
    return values == 0;
  }
  for (const std::int64_t extent : shape) {
    if (values % static_cast<std::size_t>(extent) != 0) {
      return false;
    }
    values /= static_cast<std::size_t>(extent);
  }
  return values == 1;
}

/// Values of `size` bytes in column-major order, in row-major order.
std::vector<std::byte> by_rows(std::span<const std::byte> bytes,
                               std::span<const std::int64_t> shape, std::size_t size) {
  std::vector<std::byte> result;
  result.reserve(bytes.size());
  std::vector<std::int64_t> index(shape.size(), 0);
  while (result.size() < bytes.size()) {
    std::size_t from = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from = from * static_cast<std::size_t>(shape[axis]) + static_cast<std::size_t>(index[axis]);
    }
    const auto value = bytes.subspan(from * size, size);
    result.insert(result.end(), value.begin(), value.end());
    for (std::size_t axis = shape.size(); axis-- > 0 && ++index[axis] == shape[axis];) {
      index[axis] = 0;
    }
  }
  return result;
}

NpzArray parse_array(const std::string& where, std::string name, std::span<const std::byte> bytes) {
  const auto part = [&](std::size_t position, std::size_t size) {
    if (position > bytes.size() || size > bytes.size() - position) {
      fail(where, fmt::format("{} ends within its header", name));
    }
    return bytes.subspan(position, size);
  };
  const auto start = part(0, 12);
  if (text_of(start.first(kNpy.size())) != kNpy) {
    fail(where, fmt::format("{} is not a NumPy array", name));
  }
  const std::size_t width = start[6] == std::byte{1} ? 2 : 4;
  std::size_t length = 0;
  for (std::size_t i = width; i-- > 0;) {
    length = length << 8 | std::to_integer<std::size_t>(start[8 + i]);
  }
  if (length > kLongestHeader) {
    fail(where,
         fmt::format("the header of {} has {} bytes, more than {}", name, length, kLongestHeader));
  }
  const std::string header = text_of(part(8 + width, length));
  NpzArray array;
  std::string_view type = value_of(where, name, header, "descr");
  const std::size_t quote = type.starts_with('\'') ? type.find('\'', 1) : std::string_view::npos;
  array.type = quote == std::string_view::npos ? "" : std::string(type.substr(1, quote - 1));
  const std::size_t size = value_size(array.type);
  if (size == 0) {
    fail(where, fmt::format("{} is not an array of plain little-endian numbers", name));
  }
  array.shape = shape_of(where, name, value_of(where, name, header, "shape"));
  const auto values = bytes.subspan(8 + width + length);
  if (values.size() % size != 0 || !fits(array.shape, values.size() / size)) {
    fail(where, fmt::format("the {} bytes of {} do not match its shape", values.size(), name));
  }
  const std::string_view by_columns = value_of(where, name, header, "fortran_order");
  if (by_columns.starts_with("True")) {
    array.bytes = by_rows(values, array.shape, size);
  } else if (by_columns.starts_with("False")) {
    array.bytes.assign(values.begin(), values.end());
  } else {
    fail(where, fmt::format("the order of {} is invalid", name));
  }
  array.name = std::move(name);
  return array;
}

}  // namespace

bool names_npz(std::string_view path) {
  constexpr std::string_view suffix = ".npz";
  return path.size() >= suffix.size() &&
         std::ranges::equal(path.substr(path.size() - suffix.size()), suffix, {},
                            [](unsigned char c) { return std::tolower(c); });
}

std::vector<std::byte> npz_content(std::span<const NpzArray> arrays,
                                   std::span<const NpzText> texts) {
  const std::string where = "npz";
  const Source source(zip_source_buffer_create(nullptr, 0, 0, nullptr), zip_source_free);
  Archive archive = open_archive(where, source, ZIP_TRUNCATE);
  std::vector<std::string> headers;
  std::ranges::transform(arrays, std::back_inserter(headers), npy_header);
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    add_member(archive.get(), arrays[a].name + ".npy", headers[a], arrays[a].bytes);
  }
  for (const NpzText& text : texts) {
    add_member(archive.get(), text.name, text.text, {});
  }
  if (zip_close(archive.get()) != 0) {
    throw Error(where, zip_strerror(archive.get()));
  }
  (void)archive.release();
  zip_stat_t facts;
  zip_stat_init(&facts);
  std::vector<std::byte> content;
  if (zip_source_stat(source.get(), &facts) == 0 && zip_source_open(source.get()) == 0) {
    content.resize(facts.size);
    const zip_int64_t read = zip_source_read(source.get(), content.data(), content.size());
    zip_source_close(source.get());
    if (read == std::ssize(content) && read > 0) {
      return content;
    }
  }
  throw Error(where, "the archive that was written cannot be read");
}

std::vector<NpzArray> parse_npz(const std::string& where, std::span<const std::byte> content) {
  if (content.empty()) {
    fail(where, "is not an .npz file: it is empty");
  }
  const Source source(zip_source_buffer_create(content.data(), content.size(), 0, nullptr),
                      zip_source_free);
  const Archive archive = open_archive(where, source, ZIP_RDONLY | ZIP_CHECKCONS);
  std::vector<NpzArray> arrays;
  std::uint64_t total = 0;
  const auto members = static_cast<std::uint64_t>(zip_get_num_entries(archive.get(), 0));
  for (std::uint64_t m = 0; m < members; ++m) {
    zip_stat_t facts;
    if (zip_stat_index(archive.get(), m, ZIP_FL_ENC_RAW, &facts) != 0) {
      fail(where, zip_strerror(archive.get()));
    }
    std::string name = facts.name;
    if (!name.ends_with(".npy")) {
      continue;
    }
    name.resize(name.size() - 4);
    if (std::ranges::find(arrays, name, &NpzArray::name) != arrays.end()) {
      fail(where, fmt::format("{} is there twice", facts.name));
    }
    if (facts.size > kLargestRatio * content.size() ||
        (total += facts.size) > kLargestRatio * content.size()) {
      fail(where, "its members are larger than the file");
    }
    const Member member(zip_fopen_index(archive.get(), m, 0), zip_fclose);
    std::vector<std::byte> bytes(facts.size);
    // Read to the end and beyond: the checksum is looked at there.
    std::byte beyond{};
    if (!member || zip_fread(member.get(), bytes.data(), bytes.size()) != std::ssize(bytes) ||
        zip_fread(member.get(), &beyond, 1) != 0) {
      fail(where,
           fmt::format("{} is damaged: {}", facts.name,
                       member ? zip_file_strerror(member.get()) : zip_strerror(archive.get())));
    }
    arrays.push_back(parse_array(where, std::move(name), bytes));
  }
  return arrays;
}

}  // namespace gcg
