#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "data/image_folder.h"
#include "graph/network.h"

namespace gcg {

/// One prepared file to be written.
struct PreparedSplit {
  std::string name;   ///< the data set's name, at most 31 bytes
  std::string split;  ///< "train" or "test"
  bool encoded = false;
  Shape shape;                       ///< of raw images
  std::vector<std::string> classes;  ///< class names, by label
  std::vector<std::int32_t> labels;  ///< one per image
  /// Equal in both splits of a set, so that files of different preparations are not mixed.
  Digest set_digest{};
  /// All that file and list of left-out images depend on: a file that was begun or finished for
  /// another source or with other settings is made anew.
  std::string source;
  /// Returns the bytes to store for an image. It is called from many threads, and again for the
  /// same image after an interruption.
  std::function<std::vector<std::byte>(std::int64_t)> image;
  std::vector<std::string> left_out;  ///< errors of images that the reader left out before
};

struct PrepareSettings {
  std::int64_t threads = 1;
  bool skip_damaged = false;  ///< leave out and list images that cannot be read
  Stray stray = Stray::refuse;
  std::function<void(std::int64_t done, std::int64_t all)> progress = [](auto, auto) {};
};

/// Writes FOLDER/SPLIT.images, and SPLIT.left_out.txt if images were left out: their errors, one
/// per line, which are also returned. Images are made in parallel and written in order to
/// SPLIT.images.partial; SPLIT.images.journal then gets a line for each of them. When all are
/// written, the file is completed, flushed and renamed. After an interruption, even by a full disk,
/// the same call continues after the last whole image. A finished file from the same source is left
/// as it is; a damaged one, or one of another version, is replaced, and stays until the new one is
/// whole. The caller must hold a FolderLock on the folder. Errors: a class keeps no image; what
/// `image` throws; what the disk reports.
std::vector<std::string> write_prepared(const std::filesystem::path& folder,
                                        const PreparedSplit& split,
                                        const PrepareSettings& settings);

/// How the encoded images of a set are stored.
struct EncodedForm {
  std::int64_t short_side = 0;  ///< side that larger images are scaled to; 0: keep bytes
  int quality = 90;             ///< quality of the JPEG files that are then written
};

/// The bytes to store for an encoded image. JPEG images that are not larger than wanted keep their
/// bytes, after they have been decoded as a test. The longer side is scaled by the same factor as
/// the shorter one and rounded down, as in torchvision.
std::vector<std::byte> stored_form(std::span<const std::byte> bytes, const std::string& where,
                                   const EncodedForm& form);

/// The names that prepare_data() accepts.
std::span<const std::string_view> prepared_names();

/// Files that did not get into the prepared set.
struct NotTaken {
  LeftOut damaged;                       ///< errors of the images that were left out
  std::vector<std::string> passed_over;  ///< as DataSet::passed_over
};

/// Prepares the data set `name` (a name of the data table, but cifar100-fine or cifar100-coarse for
/// cifar100, and idx or idx-consecutive for idx) from the publisher's files in `from`, and records
/// in `to`/sources.txt what it was made from. Locks the folder `to`: a BusyError if another process
/// is preparing there. Other errors: there is no folder `from`; those of reading and writing.
NotTaken prepare_data(const std::string& name, const std::filesystem::path& from,
                      const std::filesystem::path& to, const EncodedForm& form,
                      const PrepareSettings& settings);

}  // namespace gcg
