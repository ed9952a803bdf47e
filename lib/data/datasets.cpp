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
#include "data/procedural.h"

namespace gcg {

namespace {

class ProceduralSource final : public DataSource {
 public:
  void add_options(OptionList& list) override {
    const Range counts{10, static_cast<double>(kMostProceduralImages)};
    list.add("data-images", options_.train_images, counts,
             "training images to make, validation images included");
    list.add("data-test-images", options_.test_images, counts, "test images to make");
    list.add("difficulty", options_.difficulty, kProbability,
             "variation of pose and colour, clutter, occlusion and noise");
    list.add("data-seed", options_.seed,
             "seed of the images, apart from the seed of the run: runs to be compared share it");
  }
  DataSet load() const override { return make_procedural(options_); }

 private:
  ProceduralOptions options_;
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
    if (!folder_.empty()) {
      return folder_;
    }
    const char* named = std::getenv("GCG_DATA");
    if (named == nullptr || *named == '\0') {
      throw UsageError("--data-dir", "no folder is given, and GCG_DATA is not set",
                       fmt::format("{}, then name their folder with --data-dir FOLDER or GCG_DATA; "
                                   "--data procedural needs no files",
                                   advice));
    }
    return named;
  }

 private:
  std::string folder_;
};

class Cifar10Source final : public FolderSource {
 public:
  DataSet load() const override {
    return read_cifar10(
        folder("fetch cifar-10-binary.tar.gz (the \"binary version\", 162 MB) from "
               "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it with tar"));
  }
};

class IdxSource final : public FolderSource {
 public:
  DataSet load() const override {
    return read_idx_folder(
        folder(
            "fetch the four IDX files of MNIST, Fashion-MNIST or another set of that format "
            "(train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k) and unpack "
            "them with gunzip"),
        "idx");
  }
};

template <typename Source>
std::unique_ptr<DataSource> make() {
  return std::make_unique<Source>();
}

constexpr std::array<DataSourceEntry, 3> kSources{{
    {"procedural", "ten classes of shapes in 32x32 colour images, made on the spot",
     "this project, lib/data/procedural.h", make<ProceduralSource>},
    {"cifar10", "CIFAR-10, binary files in --data-dir",
     "Krizhevsky 2009, Learning multiple layers of features from tiny images", make<Cifar10Source>},
    {"idx", "grey images in the IDX files of MNIST and its relatives, in --data-dir",
     "LeCun et al. 1998, Gradient-based learning applied to document recognition", make<IdxSource>},
}};

}  // namespace

std::span<const DataSourceEntry> data_source_table() { return kSources; }

std::unique_ptr<DataSource> make_data_source(std::string_view name) {
  return find_row(kSources, name, "--data").make();
}

}  // namespace gcg
