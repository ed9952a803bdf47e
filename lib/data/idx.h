#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gcg {

/// Reads a pair of IDX files (LeCun's MNIST format) with one channel: images (magic 0x00000803:
/// count, rows, columns, then bytes) and labels (magic 0x00000801). Errors name file and byte: a
/// wrong magic, sizes that do not fit the file, counts that differ, a dimension of 0, rows or
/// columns above 65,536.
ImageSet read_idx(const std::filesystem::path& images, const std::filesystem::path& labels);

/// What the label bytes of IDX files mean. `classes`: they are 0, 1, ... `consecutive`: any
/// numbers; those that occur in the training part become the classes 0, 1, ... in ascending order
/// (EMNIST's letters are labelled 1 to 26).
enum class IdxLabels : std::uint8_t { classes, consecutive };

/// Reads a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte (also test-... for t10k-..., and '.' for the second '-'). Errors: a file
/// is missing or exists under two names, image sizes differ, fewer than two classes, a class has no
/// images in one part (the message names the label file and how to renumber labels). The names of
/// consecutive classes are their original labels.
DataSet read_idx_folder(const std::filesystem::path& folder, const std::string& name,
                        IdxLabels labels = IdxLabels::classes);

/// The files that read_idx_folder reads.
std::vector<std::filesystem::path> idx_files(const std::filesystem::path& folder);

/// Sets the augmentation of such images: no flips (digits), crop padding 2 for images of at least
/// 20 pixels, else 1.
void use_idx_conventions(DataSet& data);

}  // namespace gcg
