#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// An array of NumPy's, row-major.
struct NpzArray {
  std::string name;  ///< without ".npy"
  std::string type;  ///< NumPy's: "<f4", "|b1", "|u1", ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< of whoever holds the content
};

/// A file that is stored as it is.
struct NpzText {
  std::string name;
  std::string_view text;
};

/// The content of an .npz file: a zip archive of .npy files and texts, stored without compression,
/// with CRC-32 and no times, so that equal arrays give equal bytes. An archive of 4 GiB or more is
/// an Error: NumPy's extension for it is not written.
std::vector<std::byte> npz_content(std::span<const NpzArray> arrays, std::span<const NpzText> texts);

/// The arrays of an .npz file's content, which must outlive them; other members are passed over.
/// Only stored members (numpy.savez) are read, not compressed ones. Errors name `where` and the
/// member: no archive, sizes or positions outside of the content or overlapping, a checksum that
/// does not fit, a header that is none, a shape that does not fit the bytes.
std::vector<NpzArray> parse_npz(const std::string& where, std::span<const std::byte> content);

}  // namespace gcg
