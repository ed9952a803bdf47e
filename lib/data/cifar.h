#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/dataset.h"

namespace gcg {

/// Bytes of one CIFAR-10 record: a label, then 32x32 bytes each of red, green and blue.
inline constexpr std::int64_t kCifarRecordBytes = 3073;

/// Reads one binary file with a whole number of records and appends its images. Errors name file
/// and byte: missing, empty, a partial record at the end, a label above 9, more than `max_records`
/// records (0: no limit), images of another shape already in `images`. After an Error `images` is
/// as before.
void append_cifar10_file(const std::filesystem::path& path, ImageSet& images,
                         std::int64_t max_records = 0);

/// Reads the folder of the official binary archive: every data_batch_N.bin (N from 1, without a
/// gap) and test_batch.bin. If the folder has none, its subfolder cifar-10-batches-bin is used. If
/// there is a manifest.json ({"files": {"NAME": {"records": N, "sha256": "HEX"}}}), in the folder
/// or beside the data files, counts and digests are checked against it, and the files read and the
/// files listed must be the same. Errors also: a file with more than the official 10,000 records; a
/// file data_batch... with another kind of name, which would be left out; a batches.meta.txt that
/// does not list ten classes.
DataSet read_cifar10(const std::filesystem::path& folder);

/// The files that read_cifar10 may read there, with manifest.json and the list of classes.
std::vector<std::filesystem::path> cifar10_files(const std::filesystem::path& folder);

/// Which of a CIFAR-100 record's two labels counts: one of 100 classes, or one of 20 groups.
enum class Cifar100Labels : std::uint8_t { fine, coarse };

/// Reads the folder of CIFAR-100's official binary archive: train.bin and test.bin, whose records
/// are a coarse label, a fine label and the pixels as in CIFAR-10. If the folder has no train.bin,
/// its subfolder cifar-100-binary is used. manifest.json and errors: as for CIFAR-10, but train.bin
/// may have up to 50,000 records.
DataSet read_cifar100(const std::filesystem::path& folder, Cifar100Labels labels);

/// As cifar10_files, for read_cifar100.
std::vector<std::filesystem::path> cifar100_files(const std::filesystem::path& folder,
                                                  Cifar100Labels labels);

}  // namespace gcg
