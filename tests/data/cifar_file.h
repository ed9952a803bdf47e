#pragma once

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "data/cifar.h"

namespace gcg::test {

/// Writes images of shape 3x32x32 with labels below 10 in CIFAR-10's binary format.
inline void write_cifar10_file(const std::filesystem::path& path, const ImageSet& images) {
  constexpr auto record_bytes = static_cast<std::size_t>(kCifarRecordBytes);
  std::vector<std::byte> content(images.labels.size() * record_bytes);
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    std::byte* record = content.data() + i * record_bytes;
    *record = static_cast<std::byte>(images.labels[i]);
    std::memcpy(record + 1, images.pixels.data() + i * (record_bytes - 1), record_bytes - 1);
  }
  write_file_atomically(path, content);
}

}  // namespace gcg::test
