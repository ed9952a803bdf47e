#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/dataset.h"

namespace gcg {

/// Bytes of one CIFAR-10 record: a label, then 32x32 bytes of red, of green, of blue.
inline constexpr std::int64_t kCifarRecordBytes = 3073;

/// Reads one binary file with any whole number of records and appends it. Errors name file and
/// byte: missing, empty, a part of a record at the end, a label above 9, more records than
/// `max_records` (0: no limit), images of another shape before them. After an Error the images are
/// as before.
void append_cifar10_file(const std::filesystem::path& path, ImageSet& images,
                         std::int64_t max_records = 0);

/// The folder of the official binary archive: every data_batch_N.bin that is there (N from 1
/// without a gap) and test_batch.bin. A subfolder cifar-10-batches-bin is looked into if the folder
/// itself has none. If the folder has a file manifest.json ({"files": {"NAME": {"records": N,
/// "sha256": "HEX"}}}), there or beside the data files, counts and digests are checked against it,
/// and every file read or listed must be in both. A file with more than the official 10,000 records
/// is an Error, and so are a file data_batch... of another name, which would be left out, and a
/// batches.meta.txt that does not list ten classes.
DataSet read_cifar10(const std::filesystem::path& folder);

/// The files of such a folder that may be read, its manifest.json and list of classes too.
std::vector<std::filesystem::path> cifar10_files(const std::filesystem::path& folder);

/// Which of the two labels of a CIFAR-100 record counts: one of 100 classes or one of 20 groups.
enum class Cifar100Labels : std::uint8_t { fine, coarse };

/// The folder of CIFAR-100's official binary archive: train.bin and test.bin, whose records are a
/// coarse label, a fine label and pixels as in CIFAR-10. A subfolder cifar-100-binary is looked
/// into if the folder itself has no train.bin. manifest.json and errors as for CIFAR-10; train.bin
/// has at most 50,000 records.
DataSet read_cifar100(const std::filesystem::path& folder, Cifar100Labels labels);

/// As cifar10_files.
std::vector<std::filesystem::path> cifar100_files(const std::filesystem::path& folder,
                                                  Cifar100Labels labels);

/// Writes images in the CIFAR-10 binary format (shape 3x32x32, labels below 10), atomically.
void write_cifar10_file(const std::filesystem::path& path, const ImageSet& images);

}  // namespace gcg
