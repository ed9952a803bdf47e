#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/options.h"
#include "data/dataset.h"

namespace gcg {

/// A kind of data set with its own options, which are members of the object: one per table row.
class DataSource {
 public:
  virtual ~DataSource() = default;
  /// Adds its options to the list, bound to its members.
  virtual void add_options(OptionList& list) = 0;
  /// Reads or makes the images. UsageError if a folder is needed and none was given.
  virtual DataSet load() const = 0;
};

/// The folder of data that the environment's GCG_DATA names; empty: none.
std::string data_folder_of_environment();

struct DataSourceEntry {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  std::unique_ptr<DataSource> (*make)();
  /// Of the published set or of the default options, for plans and estimates without the files.
  Shape shape{};
  std::int64_t classes = 0, train_images = 0, test_images = 0;
  bool labels_stay = true;  ///< when an image is cropped or its colours change
};

/// procedural, teacher, cifar10, cifar100, tinyimagenet, imagenet, idx. If a folder has the
/// prepared form (data/prepared_set.h), that is read, else the publisher's files; raw images have
/// the same bits either way.
std::span<const DataSourceEntry> data_source_table();
/// Unknown names: UsageError that lists the known ones.
std::unique_ptr<DataSource> make_data_source(std::string_view name);

}  // namespace gcg
