#pragma once

#include <cstddef>
#include <cstdint>
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
  std::vector<std::byte> bytes;
};

/// A file that is stored as it is.
struct NpzText {
  std::string name;
  std::string_view text;
};

/// Whether a path ends in ".npz", in upper or lower case.
bool names_npz(std::string_view path);

/// The content of an .npz file: a zip archive of .npy files and texts, stored without compression
/// and without times, so that equal arrays give equal bytes.
std::vector<std::byte> npz_content(std::span<const NpzArray> arrays,
                                   std::span<const NpzText> texts);

/// The arrays of an .npz file's content (numpy.savez, numpy.savez_compressed, npz_content);
/// column-major ones are turned into row-major order, other members are passed over. Errors name
/// `where` and the member: no archive, a checksum that does not fit, a header that is none, a shape
/// that does not fit the bytes.
std::vector<NpzArray> parse_npz(const std::string& where, std::span<const std::byte> content);

}  // namespace gcg
