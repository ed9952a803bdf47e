#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "record/hdf5.h"

/// Calls of the HDF5 library whose failures become exceptions: shared by hdf5.cpp and
/// hdf5_image.cpp only.
namespace gcg::hdf5 {

/// Throws Hdf5Error "cannot ACTION" with the library's error stack and clears that stack.
[[noreturn]] void fail(std::string_view where, std::string_view action);

/// Returns the library's result, or calls fail() if it is negative.
template <typename Status>
Status checked(Status status, std::string_view where, std::string_view action) {
  if (status < 0) {
    fail(where, action);
  }
  return status;
}

Handle owned(hid_t id, Handle::Close close, std::string_view where, std::string_view action);

/// The type of an element in the file (file_type) and in memory (memory_type).
template <typename T>
hid_t file_type() {
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    return H5T_STD_U8LE;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return H5T_STD_I32LE;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return H5T_STD_I64LE;
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return H5T_STD_U64LE;
  } else if constexpr (std::is_same_v<T, float>) {
    return H5T_IEEE_F32LE;
  } else {
    static_assert(std::is_same_v<T, double>);
    return H5T_IEEE_F64LE;
  }
}

template <typename T>
hid_t memory_type() {
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    return H5T_NATIVE_UINT8;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return H5T_NATIVE_INT32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return H5T_NATIVE_INT64;
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return H5T_NATIVE_UINT64;
  } else if constexpr (std::is_same_v<T, float>) {
    return H5T_NATIVE_FLOAT;
  } else {
    static_assert(std::is_same_v<T, double>);
    return H5T_NATIVE_DOUBLE;
  }
}

/// The one-byte enumeration that h5py writes and reads as bool.
Handle make_flag_type(const std::string& where);

/// UTF-8 text of a fixed size, padded with zero bytes, or of size H5T_VARIABLE.
Handle make_text_type(const std::string& where, std::size_t size);

/// Attributes in order of creation, all in the object's header, which gives them a checksum; no
/// times.
void plain_header(hid_t list, const std::string& where);

/// The same for a group and its members. Our groups are too small for another form to pay off.
void plain_group(hid_t list, const std::string& where);

/// How a data set is stored. Values are always written completely, so no fill value is needed.
Handle array_list(H5D_layout_t layout, const std::string& where);

/// What all objects of a file share.
struct Object::Shared {
  explicit Shared(const std::string& file_name, Storage how)
      : file(file_name),
        storage(how),
        flag_type(make_flag_type(file_name)),
        text_type(make_text_type(file_name, H5T_VARIABLE)),
        scalar(owned(H5Screate(H5S_SCALAR), H5Sclose, file_name, "make a data space")),
        group_list(owned(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, file_name, "make a property list")),
        compact_list(array_list(H5D_COMPACT, file_name)),
        contiguous_list(array_list(H5D_CONTIGUOUS, file_name)) {
    plain_group(group_list.get(), file_name);
  }

  std::string file;
  Storage storage;
  Handle flag_type;
  Handle text_type;
  Handle scalar;
  Handle group_list;
  Handle compact_list;
  Handle contiguous_list;
};

}  // namespace gcg::hdf5
