#include "data/prepared_set.h"

#include <fmt/format.h>

#include <memory>
#include <system_error>

#include "base/error.h"
#include "base/hash.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/parallel.h"
#include "data/prepared.h"
#include "data/sources.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

std::shared_ptr<const PreparedFile> open_split(const fs::path& folder, std::string_view name,
                                               std::string_view split) {
  const fs::path path = prepared_path(folder, split);
  if (std::error_code error; !fs::exists(path, error)) {
    throw Error(path.string(), "the file is missing: the data set is only partly prepared",
                "run gcg_data_prepare again: it goes on where it was");
  }
  auto file = std::make_shared<const PreparedFile>(path);
  if (file->name() != name || file->split() != split) {
    throw Error(file->path().string(),
                fmt::format("holds '{}', part '{}', not '{}', part '{}'", file->name(),
                            file->split(), name, split),
                fmt::format("name the folder that '{0}' was prepared in, or prepare it: "
                            "gcg_data_prepare --data {0} --from FOLDER --to FOLDER",
                            name));
  }
  return file;
}

ImageSet images_of(std::shared_ptr<const PreparedFile> file, std::int64_t edge) {
  ImageSet images;
  const PreparedHeader& header = file->header();
  images.shape =
      file->encoded() ? Shape{3, edge, edge} : Shape{header.channels, header.height, header.width};
  images.labels.reserve(static_cast<std::size_t>(file->size()));
  for (std::int64_t i = 0; i < file->size(); ++i) {
    images.labels.push_back(file->label(i));
  }
  if (!file->encoded()) {
    file->check_images(usable_cores());
  }
  images.prepared = std::move(file);
  return images;
}

}  // namespace

std::optional<fs::path> find_prepared(const fs::path& folder) {
  for (const fs::path& place : {folder, folder / "prepared"}) {
    std::error_code error;
    if (fs::exists(prepared_path(place, "train"), error) ||
        fs::exists(prepared_path(place, "test"), error)) {
      return place;
    }
  }
  return std::nullopt;
}

DataSet open_prepared(const fs::path& folder, std::string_view name, std::int64_t edge) {
  const auto train = open_split(folder, name, "train");
  const auto test = open_split(folder, name, "test");
  if (train->classes() != test->classes() || train->encoded() != test->encoded() ||
      train->header().set_digest != test->header().set_digest) {
    throw Error(folder.string(), "train.images and test.images were not prepared together",
                "remove both and prepare the data set again (gcg_data_prepare)");
  }
  const Sources sources = read_sources(folder);
  if (sources.set != train->header().set_digest) {
    throw Error((folder / "sources.txt").string(), "it is of another data set than train.images",
                "run gcg_data_prepare again: it goes on where it was");
  }
  check_sources(name, folder, sources, usable_cores());
  DataSet data;
  data.name = name;
  data.classes = std::ssize(train->classes());
  data.class_names = train->classes();
  data.train = images_of(train, edge);
  data.test = images_of(test, edge);
  if (train->encoded()) {
    use_encoded_conventions(data);
    data.digest = hex(Sha256()
                          .update("prepared images\n")
                          .update(std::as_bytes(std::span(train->header().table_digest)))
                          .update(std::as_bytes(std::span(test->header().table_digest)))
                          .finish());
  } else {
    data.digest = hex(train->header().set_digest);
  }
  if (name.starts_with("idx")) {
    use_idx_conventions(data);
  }
  check_every_class(folder.string(), data);
  return data;
}

}  // namespace gcg
