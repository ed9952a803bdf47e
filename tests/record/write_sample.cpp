// Writes the sample run file to the path given: what the tests of the Python readers read.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "record/run_file.h"
#include "record/sample_record.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: record_sample PATH\n");
    return 2;
  }
  try {
    const std::filesystem::path path = arguments[1];
    std::filesystem::create_directories(path.parent_path());
    gcg::write_run_file(path, gcg::sample_record());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
