#include "base/option_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace gcg {

std::string OptionFile::digest() {
  if (digested_path_ != path) {
    digest_ = hex(sha256(read_file(path)));
    digested_path_ = path;
  }
  return digest_;
}

void OptionFile::check_unchanged() const {
  if (!path.empty() && digested_path_ == path && hex(sha256(read_file(path))) != digest_) {
    throw Error(path, "has changed since the run began, whose name depends on its content",
                "put the old file back and call the same command; the new one makes another run");
  }
}

}  // namespace gcg
