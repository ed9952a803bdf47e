#pragma once

#include <filesystem>
#include <string>

#include "data/dataset.h"

namespace gcg {

/// Reads a pair of IDX files (LeCun's MNIST format): images (magic 0x00000803: count, rows,
/// columns, then bytes) and labels (magic 0x00000801). One channel. Errors name file and byte:
/// wrong magic, sizes that do not fit the file, counts that differ, a dimension of 0, rows or
/// columns above 65,536.
ImageSet read_idx(const std::filesystem::path& images, const std::filesystem::path& labels);

/// A folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte (or test-... for t10k-...; '.' for the second '-' accepted).
/// classes = largest label of either part + 1. Errors: a file missing or there under two names,
/// parts of different image sizes, fewer than two classes. No flips (digits), crop padding 2 for
/// images of at least 20 pixels, else 1.
DataSet read_idx_folder(const std::filesystem::path& folder, const std::string& name);

}  // namespace gcg
