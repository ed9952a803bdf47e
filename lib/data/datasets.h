#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/options.h"
#include "data/dataset.h"

namespace gcg {

/// A kind of data set with its own options (as members of the object): one per row of the table.
class DataSource {
 public:
  virtual ~DataSource() = default;
  /// Adds its options, bound to its members.
  virtual void add_options(OptionList& list) = 0;
  /// Reads or makes the images. UsageError if no folder was named where one is needed.
  virtual DataSet load() const = 0;
};

struct DataSourceEntry {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  std::unique_ptr<DataSource> (*make)();
  /// Of the published set, or by default: for plans and estimates without the files.
  Shape shape{};
  std::int64_t classes = 0, train_images = 0, test_images = 0;
};

/// procedural, teacher, cifar10, cifar100, tinyimagenet, imagenet, idx. A folder that has the
/// prepared form (data/prepared_set.h) is read in that form, else in the publisher's; raw images
/// give the same bits either way.
std::span<const DataSourceEntry> data_source_table();
/// Unknown names: UsageError that lists the known ones.
std::unique_ptr<DataSource> make_data_source(std::string_view name);

}  // namespace gcg
