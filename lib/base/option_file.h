#pragma once

#include <string>

namespace gcg {

/// A file that an option names and whose content is part of a run's identity.
class OptionFile {
 public:
  std::string path;  ///< the option's value; empty: none

  /// SHA-256, in hexadecimal digits, of the content when it was asked for the first time. Errors:
  /// as read_file.
  std::string digest();
  /// Call it before the file is used. Error: its content is not that of digest() any more. Nothing
  /// happens if that was never asked for.
  void check_unchanged() const;

 private:
  std::string digested_path_, digest_;
};

}  // namespace gcg
