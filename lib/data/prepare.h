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
  std::string name;   ///< of the data set, at most 31 bytes
  std::string split;  ///< "train" or "test"
  bool encoded = false;
  Shape shape;                       ///< of raw images
  std::vector<std::string> classes;  ///< names by label
  std::vector<std::int32_t> labels;  ///< one an image
  /// The same in both splits of a set: files of different makings are not taken for one set.
  Digest set_digest{};
  /// Everything the content depends on, on one line: a file begun for another source or with other
  /// settings is begun anew.
  std::string source;
  /// The bytes of an image as they are stored; called from many threads, more than once after an
  /// interruption.
  std::function<std::vector<std::byte>(std::int64_t)> image;
  std::vector<std::string> left_out;  ///< errors of images that the reader left out already
};

struct PrepareSettings {
  std::int64_t threads = 1;
  bool skip_damaged = false;  ///< images whose making throws an Error are left out and listed
  Stray stray = Stray::refuse;
  std::function<void(std::int64_t done, std::int64_t all)> progress = [](auto, auto) {};
};

/// Writes FOLDER/SPLIT.images, and SPLIT.left_out.txt if images were left out: their errors, a line
/// each, which are returned too. Images are made in
/// parallel and written in order to SPLIT.images.partial, with a line of SPLIT.images.journal for
/// each once they are on the disk; when all are there the file is completed, flushed and renamed.
/// After an interruption, a full disk included, the same call goes on behind the last whole image.
/// A finished file of the same source is left as it is; one that is damaged or of another version
/// is replaced. Until the new file is whole the old one stays. The caller holds a FolderLock on the
/// folder. Errors: no image left of some class, what `image` throws, what the disk says.
std::vector<std::string> write_prepared(const std::filesystem::path& folder,
                                        const PreparedSplit& split,
                                        const PrepareSettings& settings);

/// How the encoded images of a set are stored.
struct EncodedForm {
  std::int64_t short_side = 0;  ///< pixels larger images are scaled down to; 0: bytes as they are
  int quality = 90;             ///< of the JPEG files then written
};

/// The bytes of an encoded image in this form. Images that are no larger and JPEG already stay as
/// they are, once they have been decoded as a test. The longer side is scaled like the shorter one
/// and rounded down, as in torchvision.
std::vector<std::byte> stored_form(std::span<const std::byte> bytes, const std::string& where,
                                   const EncodedForm& form);

/// The names that prepare_data() takes.
std::span<const std::string_view> prepared_names();

/// What became of files that are not in the prepared set.
struct NotTaken {
  LeftOut damaged;                       ///< errors of the images that were left out
  std::vector<std::string> passed_over;  ///< as DataSet::passed_over
};

/// Prepares a data set under `name` (a row of the data table; cifar100 as cifar100-fine or
/// cifar100-coarse, idx as idx or idx-consecutive) from the publisher's files in `from`, and writes
/// what it was made from to `to`/sources.txt. Locks the folder `to`: a second process that prepares
/// there is told so.
NotTaken prepare_data(const std::string& name, const std::filesystem::path& from,
                      const std::filesystem::path& to, const EncodedForm& form,
                      const PrepareSettings& settings);

}  // namespace gcg
