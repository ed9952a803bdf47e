#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// A NumPy array, row-major.
struct NpzArray {
  std::string name;  ///< without ".npy"
  std::string type;  ///< NumPy's type: "<f4", "|b1", "|u1", ...
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

/// A text file that is stored as it is.
struct NpzText {
  std::string name;
  std::string_view text;
};

/// Whether a path ends in ".npz", in upper or lower case.
bool names_npz(std::string_view path);

/// The content of an .npz file: a zip archive of .npy files and texts, without compression and
/// without times, so that equal arrays give equal bytes.
std::vector<std::byte> npz_content(std::span<const NpzArray> arrays,
                                   std::span<const NpzText> texts);

/// Reads the arrays from an .npz file's content (numpy.savez, numpy.savez_compressed, npz_content).
/// Column-major arrays are reordered to row-major; other members are ignored. Errors name `where`
/// and the member: not an archive, a wrong checksum, an invalid header, a shape that does not fit
/// the bytes.
std::vector<NpzArray> parse_npz(const std::string& where, std::span<const std::byte> content);

}  // namespace gcg
