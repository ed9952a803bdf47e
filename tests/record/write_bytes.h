#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>

namespace gcg {

/// Writes a file without waiting for the disk.
inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace gcg
