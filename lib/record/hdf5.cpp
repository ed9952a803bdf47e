#include "record/hdf5.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "record/hdf5_calls.h"

namespace gcg::hdf5 {

namespace {

/// One chunk of a compressed array holds about this many bytes: it fits the library's chunk cache.
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr unsigned kDeflateLevel = 4;
/// Deflate shrinks by at most 1032 : 1. An array that claims more than this many bytes per stored
/// one is a lie, and no memory is taken for it.
constexpr std::size_t kLargestRatio = 1100;

/// Chunks of whole rows, compressed.
Handle chunked_list(std::vector<hsize_t> chunk, std::size_t bytes, const std::string& where) {
  Handle list = array_list(H5D_CHUNKED, where);
  const std::size_t row = bytes / static_cast<std::size_t>(chunk[0]);
  chunk[0] = std::clamp<hsize_t>(kChunkBytes / row, 1, chunk[0]);
  checked(H5Pset_chunk(list.get(), static_cast<int>(chunk.size()), chunk.data()), where,
          "set up a data set");
  checked(H5Pset_shuffle(list.get()), where, "set up a data set");
  checked(H5Pset_deflate(list.get(), kDeflateLevel), where, "set up a data set");
  return list;
}

void check_text(const std::string& where, const std::string& text) {
  if (text.find('\0') != std::string::npos) {
    throw Error(where, "a text holds a zero byte");
  }
}

std::size_t product(const Extents& extents) {
  std::size_t count = 1;
  for (const std::int64_t extent : extents) {
    count *= static_cast<std::size_t>(extent);
  }
  return count;
}

std::string shape_text(const Extents& extents) {
  std::string text;
  for (const std::int64_t extent : extents) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ",
                        extent == kAny ? std::string("any") : std::to_string(extent));
  }
  return "[" + text + "]";
}

Extents array_extents(hid_t array, const std::string& where) {
  const Handle space = owned(H5Dget_space(array), H5Sclose, where, "read the shape");
  if (H5Sget_simple_extent_type(space.get()) != H5S_SIMPLE) {
    throw Error(where, "is not an array");
  }
  const int rank = checked(H5Sget_simple_extent_ndims(space.get()), where, "read the shape");
  std::vector<hsize_t> found(static_cast<std::size_t>(rank));
  checked(H5Sget_simple_extent_dims(space.get(), found.data(), nullptr), where, "read the shape");
  Extents extents;
  for (const hsize_t extent : found) {
    if (extent > static_cast<hsize_t>(INT64_MAX)) {
      throw Error(where, "has an impossible shape");
    }
    extents.push_back(static_cast<std::int64_t>(extent));
  }
  return extents;
}

bool fits(const Extents& found, const Extents& expected) {
  return found.size() == expected.size() &&
         std::equal(found.begin(), found.end(), expected.begin(),
                    [](std::int64_t f, std::int64_t e) { return e == kAny || f == e; });
}

}  // namespace

std::string link_name(std::string_view text) {
  if (text.empty()) {
    throw Error("HDF5", "an object without a name");
  }
  if (text == ".") {
    return "%2E";
  }
  std::string name;
  for (const char letter : text) {
    if (letter == '/') {
      name += "%2F";
    } else if (letter == '%') {
      name += "%25";
    } else {
      name += letter;
    }
  }
  check_text(name, name);
  return name;
}

Object::Object(std::shared_ptr<const Shared> shared, std::string path, Handle id)
    : shared_(std::move(shared)), path_(std::move(path)), id_(std::move(id)) {}

std::string Object::where() const {
  return fmt::format("{}: {}", shared_->file, path_.empty() ? "/" : path_);
}

std::string Object::where(std::string_view name) const {
  return fmt::format("{}: {}/{}", shared_->file, path_, name);
}

Object Object::create_group(const std::string& name) const {
  Handle id = owned(
      H5Gcreate2(id_.get(), name.c_str(), H5P_DEFAULT, shared_->group_list.get(), H5P_DEFAULT),
      H5Gclose, where(name), "create the group");
  return {shared_, path_ + "/" + name, std::move(id)};
}

bool Object::has(const std::string& name) const {
  return checked(H5Lexists(id_.get(), name.c_str(), H5P_DEFAULT), where(name), "look for it") > 0;
}

Object Object::open_group(const std::string& name) const {
  if (!has(name)) {
    throw Error(where(name), "is missing");
  }
  Handle id = owned(H5Gopen2(id_.get(), name.c_str(), H5P_DEFAULT), H5Gclose, where(name),
                    "open the group");
  return {shared_, path_ + "/" + name, std::move(id)};
}

Object Object::open_array(const std::string& name) const {
  if (!has(name)) {
    throw Error(where(name), "is missing");
  }
  Handle id = owned(H5Dopen2(id_.get(), name.c_str(), H5P_DEFAULT), H5Dclose, where(name),
                    "open the data set");
  return {shared_, path_ + "/" + name, std::move(id)};
}

Extents Object::extents(const std::string& name) const {
  return array_extents(open_array(name).id_.get(), where(name));
}

Object Object::write_raw(const std::string& name, hid_t file_type, hid_t memory_type,
                         std::size_t element_size, const void* data, std::size_t count,
                         const Extents& extents) const {
  const std::string place = where(name);
  if (extents.empty() || std::ranges::any_of(extents, [](auto e) { return e < 0; }) ||
      product(extents) != count) {
    throw Error(place,
                fmt::format("{} values do not fill the shape {}", count, shape_text(extents)));
  }
  const std::vector<hsize_t> sizes(extents.begin(), extents.end());
  const int rank = static_cast<int>(sizes.size());
  const Handle space =
      owned(H5Screate_simple(rank, sizes.data(), nullptr), H5Sclose, place, "make the shape");
  const std::size_t bytes = count * element_size;
  const bool small = count > 0 && bytes < kCompressFrom;
  const bool compress = bytes >= kCompressFrom && shared_->storage == Storage::compressed;
  const Handle chunked = compress ? chunked_list(sizes, bytes, place) : Handle();
  const hid_t list = compress ? chunked.get()
                     : small  ? shared_->compact_list.get()
                              : shared_->contiguous_list.get();
  Handle id = owned(
      H5Dcreate2(id_.get(), name.c_str(), file_type, space.get(), H5P_DEFAULT, list, H5P_DEFAULT),
      H5Dclose, place, "create the data set");
  if (count > 0) {
    checked(H5Dwrite(id.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), place,
            "write the data set");
  }
  return {shared_, path_ + "/" + name, std::move(id)};
}

template <typename T>
Object Object::write_array(const std::string& name, std::span<const T> values,
                           const Extents& extents) const {
  return write_raw(name, file_type<T>(), memory_type<T>(), sizeof(T), values.data(), values.size(),
                   extents);
}

Object Object::write_flags(const std::string& name, const std::vector<bool>& values,
                           const Extents& extents) const {
  const std::vector<std::int8_t> bytes(values.begin(), values.end());
  return write_raw(name, shared_->flag_type.get(), shared_->flag_type.get(), 1, bytes.data(),
                   bytes.size(), extents);
}

Object Object::write_texts(const std::string& name, std::span<const std::string> values,
                           const Extents& extents) const {
  std::size_t width = 1;  // the library knows no type of size 0
  for (const std::string& value : values) {
    check_text(where(name), value);
    width = std::max(width, value.size());
  }
  std::vector<char> bytes(width * values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::ranges::copy(values[i], bytes.begin() + static_cast<std::ptrdiff_t>(i * width));
  }
  const Handle type = make_text_type(where(name), width);
  return write_raw(name, type.get(), type.get(), width, bytes.data(), values.size(), extents);
}

Handle Object::opened_array(const std::string& name, const Handle& type, const Extents& expected,
                            std::size_t& elements) const {
  const std::string place = where(name);
  Object array = open_array(name);
  const Handle found = owned(H5Dget_type(array.id_.get()), H5Tclose, place, "read the type");
  const bool text = type.get() < 0;  // any text of fixed width
  if (text ? H5Tget_class(found.get()) != H5T_STRING || H5Tis_variable_str(found.get()) != 0
           : H5Tequal(found.get(), type.get()) <= 0) {
    throw Error(place, "has another element type than in the schema");
  }
  const Extents shape = array_extents(array.id_.get(), place);
  if (!fits(shape, expected)) {
    throw Error(place, fmt::format("has the shape {}, expected {}", shape_text(shape),
                                   shape_text(expected)));
  }
  // The bound is checked factor by factor: products of hostile extents overflow.
  const std::size_t limit =
      static_cast<std::size_t>(H5Dget_storage_size(array.id_.get())) * kLargestRatio;
  const bool empty = std::ranges::find(shape, 0) != shape.end();
  std::size_t bytes = std::max<std::size_t>(H5Tget_size(found.get()), 1);
  elements = empty ? 0 : 1;
  for (const std::int64_t extent : shape) {
    const auto factor = static_cast<std::size_t>(extent);
    if (!empty && factor > limit / bytes) {
      throw Error(place, fmt::format("claims the shape {}, more than its stored bytes can hold",
                                     shape_text(shape)));
    }
    bytes *= empty ? 1 : factor;
    elements *= factor;
  }
  return std::move(array.id_);
}

template <typename T>
std::vector<T> Object::read_array(const std::string& name, const Extents& expected) const {
  std::size_t elements = 0;
  const Handle array = opened_array(name, Handle(file_type<T>(), [](hid_t) { return herr_t{0}; }),
                                    expected, elements);
  std::vector<T> values(elements);
  if (elements > 0) {
    checked(H5Dread(array.get(), memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
            where(name), "read the data set");
  }
  return values;
}

std::vector<bool> Object::read_flags(const std::string& name, const Extents& expected) const {
  std::size_t elements = 0;
  const Handle array = opened_array(name, shared_->flag_type, expected, elements);
  std::vector<std::int8_t> bytes(elements);
  if (elements > 0) {
    checked(
        H5Dread(array.get(), shared_->flag_type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
        where(name), "read the data set");
  }
  if (std::ranges::any_of(bytes, [](std::int8_t byte) { return byte != 0 && byte != 1; })) {
    throw Error(where(name), "holds a flag that is neither true nor false");
  }
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> Object::read_texts(const std::string& name,
                                            const Extents& expected) const {
  std::size_t elements = 0;
  const Handle array = opened_array(name, Handle(), expected, elements);
  const Handle type = owned(H5Dget_type(array.get()), H5Tclose, where(name), "read the type");
  const std::size_t width = H5Tget_size(type.get());
  std::vector<char> bytes(elements * width);
  if (elements > 0) {
    checked(H5Dread(array.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
            where(name), "read the data set");
  }
  std::vector<std::string> values;
  values.reserve(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(i * width);
    values.emplace_back(begin, std::find(begin, begin + static_cast<std::ptrdiff_t>(width), '\0'));
  }
  return values;
}

void Object::write_raw_attribute(const std::string& name, hid_t file_type, hid_t memory_type,
                                 hid_t space, const void* data) const {
  const Handle id =
      owned(H5Acreate2(id_.get(), name.c_str(), file_type, space, H5P_DEFAULT, H5P_DEFAULT),
            H5Aclose, where(), fmt::format("create the attribute {}", name));
  checked(H5Awrite(id.get(), memory_type, data), where(),
          fmt::format("write the attribute {}", name));
}

template <typename T>
void Object::write_attribute(const std::string& name, T value) const {
  if constexpr (std::is_same_v<T, bool>) {
    const std::int8_t byte = value ? 1 : 0;
    write_raw_attribute(name, shared_->flag_type.get(), shared_->flag_type.get(),
                        shared_->scalar.get(), &byte);
  } else {
    write_raw_attribute(name, file_type<T>(), memory_type<T>(), shared_->scalar.get(), &value);
  }
}

void Object::write_attribute(const std::string& name, const std::string& text) const {
  check_text(where(name), text);
  const char* const start = text.c_str();
  write_raw_attribute(name, shared_->text_type.get(), shared_->text_type.get(),
                      shared_->scalar.get(), &start);
}

void Object::write_list_attribute(const std::string& name,
                                  std::span<const std::int64_t> values) const {
  const hsize_t size = values.size();
  const Handle space =
      owned(H5Screate_simple(1, &size, nullptr), H5Sclose, where(), "make the shape");
  write_raw_attribute(name, H5T_STD_I64LE, H5T_NATIVE_INT64, space.get(), values.data());
}

Handle Object::opened_attribute(const std::string& name, hid_t type, std::int64_t elements) const {
  const std::string place = fmt::format("{} attribute {}", where(), name);
  if (checked(H5Aexists(id_.get(), name.c_str()), place, "look for it") == 0) {
    throw Error(place, "is missing");
  }
  Handle id = owned(H5Aopen(id_.get(), name.c_str(), H5P_DEFAULT), H5Aclose, place, "open it");
  const Handle found = owned(H5Aget_type(id.get()), H5Tclose, place, "read the type");
  if (H5Tequal(found.get(), type) <= 0) {
    throw Error(place, "has another type than in the schema");
  }
  const Handle space = owned(H5Aget_space(id.get()), H5Sclose, place, "read the shape");
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count != elements) {
    throw Error(place, fmt::format("holds {} values, expected {}", count, elements));
  }
  return id;
}

template <typename T>
T Object::read_attribute(const std::string& name) const {
  if constexpr (std::is_same_v<T, bool>) {
    const hid_t type = shared_->flag_type.get();
    std::int8_t byte = 0;
    checked(H5Aread(opened_attribute(name, type, 1).get(), type, &byte), where(),
            fmt::format("read the attribute {}", name));
    if (byte != 0 && byte != 1) {
      throw Error(fmt::format("{} attribute {}", where(), name), "is neither true nor false");
    }
    return byte != 0;
  } else {
    T value{};
    checked(H5Aread(opened_attribute(name, file_type<T>(), 1).get(), memory_type<T>(), &value),
            where(), fmt::format("read the attribute {}", name));
    return value;
  }
}

std::string Object::read_text_attribute(const std::string& name) const {
  const Handle id = opened_attribute(name, shared_->text_type.get(), 1);
  char* text = nullptr;
  checked(H5Aread(id.get(), shared_->text_type.get(), &text), where(),
          fmt::format("read the attribute {}", name));
  const std::unique_ptr<char, herr_t (*)(void*)> owner(text, H5free_memory);
  return text == nullptr ? std::string() : std::string(text);
}

std::vector<std::int64_t> Object::read_list_attribute(const std::string& name,
                                                      std::int64_t expected) const {
  std::vector<std::int64_t> values(static_cast<std::size_t>(expected));
  checked(H5Aread(opened_attribute(name, H5T_STD_I64LE, expected).get(), H5T_NATIVE_INT64,
                  values.data()),
          where(), fmt::format("read the attribute {}", name));
  return values;
}

template Object Object::write_array(const std::string&, std::span<const std::uint8_t>,
                                    const Extents&) const;
template Object Object::write_array(const std::string&, std::span<const std::int32_t>,
                                    const Extents&) const;
template Object Object::write_array(const std::string&, std::span<const std::int64_t>,
                                    const Extents&) const;
template Object Object::write_array(const std::string&, std::span<const float>,
                                    const Extents&) const;
template Object Object::write_array(const std::string&, std::span<const double>,
                                    const Extents&) const;
template std::vector<std::uint8_t> Object::read_array(const std::string&, const Extents&) const;
template std::vector<std::int32_t> Object::read_array(const std::string&, const Extents&) const;
template std::vector<std::int64_t> Object::read_array(const std::string&, const Extents&) const;
template std::vector<float> Object::read_array(const std::string&, const Extents&) const;
template std::vector<double> Object::read_array(const std::string&, const Extents&) const;
template void Object::write_attribute(const std::string&, std::int64_t) const;
template void Object::write_attribute(const std::string&, std::uint64_t) const;
template void Object::write_attribute(const std::string&, double) const;
template void Object::write_attribute(const std::string&, bool) const;
template std::int64_t Object::read_attribute(const std::string&) const;
template std::uint64_t Object::read_attribute(const std::string&) const;
template double Object::read_attribute(const std::string&) const;
template bool Object::read_attribute(const std::string&) const;

}  // namespace gcg::hdf5
