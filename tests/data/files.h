#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/temporary_folder.h"

namespace gcg::test {

using testing::TemporaryFolder;

inline void write_bytes(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  ASSERT_TRUE(file.good()) << path;
}

/// The text of the Error that the call throws; a failure and "" if it throws none.
template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

/// The part of the folder of real data that GCG_TEST_DATA names, if it is there.
inline std::optional<std::filesystem::path> real_data(const std::string& part) {
  const char* folder = std::getenv("GCG_TEST_DATA");
  if (folder == nullptr || !std::filesystem::is_directory(std::filesystem::path(folder) / part)) {
    return std::nullopt;
  }
  return std::filesystem::path(folder) / part;
}

}  // namespace gcg::test
