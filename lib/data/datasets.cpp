#include "data/datasets.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/lookup.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/parallel.h"
#include "data/prepared_set.h"
#include "data/procedural.h"
#include "data/teacher.h"

namespace gcg {

namespace {

void add_procedural_options(OptionList& list, ProceduralOptions& options) {
  const Range counts{10, static_cast<double>(kMostProceduralImages)};
  list.add("data-images", options.train_images, counts,
           "training images to make, validation images included");
  list.add("data-test-images", options.test_images, counts, "test images to make");
  list.add("difficulty", options.difficulty, kProbability,
           "variation of pose and colour, clutter, occlusion and noise");
  list.add("data-seed", options.seed,
           "seed of the images, apart from the seed of the run: runs to be compared share it");
}

class ProceduralSource final : public DataSource {
 public:
  void add_options(OptionList& list) override { add_procedural_options(list, options_); }
  DataSet load() const override { return make_procedural(options_); }

 private:
  ProceduralOptions options_;
};

class TeacherSource final : public DataSource {
 public:
  void add_options(OptionList& list) override {
    add_procedural_options(list, options_.images);
    list.add("teacher-density", options_.density, {kSparsestTeacher, 1},
             "density of the network that makes the labels");
    list.add("teacher-seed", options_.seed, "seed of the network that makes the labels");
  }
  DataSet load() const override { return make_teacher(options_); }

 private:
  TeacherOptions options_;
};

/// A data set in a folder that the user names.
class FolderSource : public DataSource {
 public:
  void add_options(OptionList& list) override {
    // Where the files lie does not matter to the result; what is in them does: the data digest.
    list.add("data-dir", folder_,
             "folder of the data files; empty: the folder named by the environment variable "
             "GCG_DATA")
        .cosmetic();
  }

 protected:
  /// `advice` says where the files come from.
  [[nodiscard]] std::filesystem::path folder(std::string_view advice) const {
    const std::string named = folder_.empty() ? data_folder_of_environment() : folder_;
    if (named.empty()) {
      throw UsageError("--data-dir", "no folder is given, and GCG_DATA is not set",
                       fmt::format("{}, then name their folder with --data-dir FOLDER or GCG_DATA; "
                                   "--data procedural needs no files",
                                   advice));
    }
    if (std::error_code error; !std::filesystem::is_directory(named, error)) {
      throw Error(named, "there is no such folder",
                  folder_.empty() ? "check the environment variable GCG_DATA" : "check --data-dir");
    }
    return named;
  }

 private:
  std::string folder_;
};

/// The prepared form of the set if the folder has it, else what `read` makes of the folder.
template <typename Read>
DataSet open_or_read(const std::filesystem::path& folder, std::string_view name, std::int64_t edge,
                     Read read) {
  if (const auto prepared = find_prepared(folder)) {
    return open_prepared(*prepared, name, edge);
  }
  DataSet data = read();
  check_every_class(folder.string(), data);
  return data;
}

/// Folders of images may hold some that cannot be taken.
class ImageFolderSource : public FolderSource {
 public:
  void add_options(OptionList& list) override {
    FolderSource::add_options(list);
    // What is taken matters, and is in the data digest.
    list.add("pass-over", pass_over_,
             "leave out what looks like an image and cannot be taken (links to nothing, other "
             "formats, images in an unexpected folder): on or off, which makes it an error")
        .cosmetic();
  }

 protected:
  [[nodiscard]] Stray stray() const { return pass_over_ ? Stray::pass_over : Stray::refuse; }

 private:
  bool pass_over_ = false;
};

class Cifar10Source final : public FolderSource {
 public:
  DataSet load() const override {
    const std::filesystem::path place = folder(
        "fetch cifar-10-binary.tar.gz (the \"binary version\", 162 MB) from "
        "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it with tar, or let make "
        "data-cifar do it");
    return open_or_read(place, "cifar10", 0, [&] { return read_cifar10(place); });
  }
};

class Cifar100Source final : public FolderSource {
 public:
  void add_options(OptionList& list) override {
    FolderSource::add_options(list);
    list.add_choice("cifar100-labels", labels_, {"fine", "coarse"},
                    "the 100 classes or the 20 groups of them");
  }
  DataSet load() const override {
    const std::filesystem::path place = folder(
        "fetch cifar-100-binary.tar.gz (the \"binary version\", 161 MB) from "
        "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it with tar, or let make "
        "data-cifar do it");
    return open_or_read(place, "cifar100-" + labels_, 0, [&] {
      return read_cifar100(place,
                           labels_ == "fine" ? Cifar100Labels::fine : Cifar100Labels::coarse);
    });
  }

 private:
  std::string labels_ = "fine";
};

class TinyImageNetSource final : public ImageFolderSource {
 public:
  DataSet load() const override {
    const std::filesystem::path place =
        folder("fetch tiny-imagenet-200.zip (237 MB) with make data-tinyimagenet");
    return open_or_read(place, "tinyimagenet", 0,
                        [&] { return read_tinyimagenet(place, usable_cores(), nullptr, stray()); });
  }
};

class ImageNetSource final : public ImageFolderSource {
 public:
  void add_options(OptionList& list) override {
    ImageFolderSource::add_options(list);
    list.add("image-edge", edge_, {8, 1024}, "pixels of an edge at which the network sees images");
  }
  DataSet load() const override {
    const std::filesystem::path place = folder(
        "lay out your ILSVRC2012 archives with make data-imagenet, or put the images of "
        "every class into folders train/CLASS and val/CLASS");
    return open_or_read(place, "imagenet", edge_,
                        [&] { return open_image_folder(place, "imagenet", edge_, stray()); });
  }

 private:
  std::int64_t edge_ = 224;
};

class IdxSource final : public FolderSource {
 public:
  void add_options(OptionList& list) override {
    FolderSource::add_options(list);
    list.add_choice("idx-labels", labels_, {"classes", "consecutive"},
                    "labels are the classes 0, 1, ..., or any numbers, of which those that occur "
                    "become the classes 0, 1, ...");
  }
  DataSet load() const override {
    const std::filesystem::path place = folder(
        "fetch the four IDX files of MNIST, Fashion-MNIST or another set of that format "
        "(train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k) and unpack "
        "them with gunzip");
    const bool consecutive = labels_ == "consecutive";
    DataSet data = open_or_read(place, consecutive ? "idx-consecutive" : "idx", 0, [&] {
      return read_idx_folder(place, "idx",
                             consecutive ? IdxLabels::consecutive : IdxLabels::classes);
    });
    data.name = "idx";
    return data;
  }

 private:
  std::string labels_ = "classes";
};

template <typename Source>
std::unique_ptr<DataSource> make() {
  return std::make_unique<Source>();
}

constexpr std::array<DataSourceEntry, 7> kSources{{
    {"procedural",
     "ten classes of shapes in 32x32 colour images, made on the spot",
     "this project, lib/data/procedural.h",
     make<ProceduralSource>,
     {3, 32, 32},
     10,
     4000,
     1000},
    {"teacher",
     "the same images with the labels of a random sparse network",
     "this project, lib/data/teacher.h",
     make<TeacherSource>,
     {3, 32, 32},
     10,
     4000,
     1000,
     false},
    {"cifar10",
     "CIFAR-10, prepared or as binary files in --data-dir",
     "Krizhevsky 2009, Learning multiple layers of features from tiny images",
     make<Cifar10Source>,
     {3, 32, 32},
     10,
     50000,
     10000},
    {"cifar100",
     "CIFAR-100, prepared or as binary files in --data-dir",
     "Krizhevsky 2009, Learning multiple layers of features from tiny images",
     make<Cifar100Source>,
     {3, 32, 32},
     100,
     50000,
     10000},
    {"tinyimagenet",
     "TinyImageNet, prepared or as JPEG files in --data-dir",
     "Le and Yang 2015, Tiny ImageNet visual recognition challenge",
     make<TinyImageNetSource>,
     {3, 64, 64},
     200,
     100000,
     10000},
    {"imagenet",
     "ImageNet or folders in its style, prepared or as they are, in --data-dir",
     "Russakovsky et al. 2015, ImageNet large scale visual recognition challenge",
     make<ImageNetSource>,
     {3, 224, 224},
     1000,
     1281167,
     50000},
    {"idx",
     "grey images of MNIST and its relatives, prepared or as IDX files in --data-dir",
     "LeCun et al. 1998, Gradient-based learning applied to document recognition",
     make<IdxSource>,
     {1, 28, 28},
     10,
     60000,
     10000},
}};

}  // namespace

std::string data_folder_of_environment() {
  const char* folder = std::getenv("GCG_DATA");
  return folder == nullptr ? "" : folder;
}

std::span<const DataSourceEntry> data_source_table() { return kSources; }

std::unique_ptr<DataSource> make_data_source(std::string_view name) {
  return find_row(kSources, name, "--data").make();
}

}  // namespace gcg
