#pragma once

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

/// A thin layer over the HDF5 C library: identifiers close
/// themselves, failures are exceptions, files are built and
/// read in memory. Not thread-safe, because the library is not.
namespace gcg::hdf5 {

/// A call of the HDF5 library failed.
class Hdf5Error : public Error {
 public:
  Hdf5Error(std::string_view where, std::string_view problem, std::string stack);
  /// The library's error stack: one line per call, "function: reason", outermost first.
  [[nodiscard]] const std::string& stack() const { return stack_; }

 private:
  std::string stack_;
};

/// An HDF5 identifier that is closed on destruction.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle();
  Handle(Handle&& other) noexcept { swap(other); }
  Handle& operator=(Handle&& other) noexcept {
    Handle(std::move(other)).swap(*this);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  [[nodiscard]] hid_t get() const { return id_; }

 private:
  void swap(Handle& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
  }

  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// Extents of an array, the slowest first. In what a reader expects, kAny matches any extent.
using Extents = std::vector<std::int64_t>;
inline constexpr std::int64_t kAny = -1;

/// Arrays with fewer bytes are stored in their object's header, others in compressed chunks.
inline constexpr std::size_t kCompressFrom = 4096;

/// How arrays with kCompressFrom bytes or more are stored.
enum class Storage : std::uint8_t { compressed, plain };

/// A link name that represents any text: "/" becomes "%2F", "%" becomes "%25", and the name "."
/// becomes "%2E". Empty names are an Error.
std::string link_name(std::string_view text);

/// A group or a data set of an open file, with the path that errors name ("FILE: /group/name").
/// Numbers are stored little-endian; flags as the two-valued enumeration that h5py reads as bool;
/// text as UTF-8 (attributes: variable length, arrays: padded with zero bytes). Objects store no
/// times, so that equal content gives equal bytes.
///
/// Every reading function throws an Error that names file and object if the object is missing, has
/// another type or shape, or claims more elements than its stored bytes can hold.
class Object {
 public:
  [[nodiscard]] std::string where() const;
  [[nodiscard]] std::string where(std::string_view name) const;

  // Groups.
  Object create_group(const std::string& name) const;
  [[nodiscard]] Object open_group(const std::string& name) const;
  /// Whether the group has this member.
  [[nodiscard]] bool has(const std::string& name) const;

  // Arrays: members of a group. T: uint8, int32, int64, float, double.
  template <typename T>
  Object write_array(const std::string& name, std::span<const T> values,
                     const Extents& extents) const;
  Object write_flags(const std::string& name, const std::vector<bool>& values,
                     const Extents& extents) const;
  Object write_texts(const std::string& name, std::span<const std::string> values,
                     const Extents& extents) const;
  template <typename T>
  [[nodiscard]] std::vector<T> read_array(const std::string& name, const Extents& expected) const;
  [[nodiscard]] std::vector<bool> read_flags(const std::string& name,
                                             const Extents& expected) const;
  [[nodiscard]] std::vector<std::string> read_texts(const std::string& name,
                                                    const Extents& expected) const;
  /// The extents of an array, without reading it.
  [[nodiscard]] Extents extents(const std::string& name) const;
  [[nodiscard]] Object open_array(const std::string& name) const;

  // Attributes. T: int64, uint64, double, bool.
  template <typename T>
  void write_attribute(const std::string& name, T value) const;
  void write_attribute(const std::string& name, const std::string& text) const;
  void write_list_attribute(const std::string& name, std::span<const std::int64_t> values) const;
  template <typename T>
  [[nodiscard]] T read_attribute(const std::string& name) const;
  [[nodiscard]] std::string read_text_attribute(const std::string& name) const;
  [[nodiscard]] std::vector<std::int64_t> read_list_attribute(const std::string& name,
                                                              std::int64_t expected) const;

 private:
  friend class Image;
  struct Shared;
  Object(std::shared_ptr<const Shared> shared, std::string path, Handle id);

  [[nodiscard]] Handle opened_array(const std::string& name, const Handle& type,
                                    const Extents& expected, std::size_t& elements) const;
  [[nodiscard]] Handle opened_attribute(const std::string& name, hid_t type,
                                        std::int64_t elements) const;
  Object write_raw(const std::string& name, hid_t file_type, hid_t memory_type,
                   std::size_t element_size, const void* data, std::size_t count,
                   const Extents& extents) const;
  void write_raw_attribute(const std::string& name, hid_t file_type, hid_t memory_type, hid_t space,
                           const void* data) const;

  std::shared_ptr<const Shared> shared_;
  std::string path_;  ///< without a final "/": empty for the root
  Handle id_;
};

/// An HDF5 file in memory. `name` is used in errors: the path it comes from or goes to.
class Image {
 public:
  /// Creates an empty file to be written.
  explicit Image(const std::string& name, Storage storage = Storage::compressed);
  /// Opens a file to be read. Errors: not HDF5, truncated.
  Image(const std::string& name, std::span<const std::byte> bytes);
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  [[nodiscard]] const Object& root() const { return root_; }
  /// The file's bytes.
  [[nodiscard]] std::vector<std::byte> bytes() const;

 private:
  std::string name_;
  Handle file_;
  Object root_;
};

}  // namespace gcg::hdf5
