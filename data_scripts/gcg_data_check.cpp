// Looks at every image of a data set: `make data-check`.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "command.h"
#include "data/data_check.h"
#include "data/datasets.h"
#include "data/image.h"
#include "data/parallel.h"

namespace {

constexpr const char* kAbout =
    "gcg_data_check: counts per class, images that occur twice, channel statistics, and a sheet "
    "of\n"
    "augmented samples. Ends with status 1 if the data set is not what its manifest says.";

/// Every class, as many in a line as fit.
void print_class_counts(const std::vector<std::int64_t>& counts,
                        const std::vector<std::string>& names) {
  std::string line = "       images by class:";
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const std::string item =
        fmt::format(" {} {}{}", names.empty() ? std::to_string(c) : names.at(c), counts[c],
                    c + 1 < counts.size() ? "," : "");
    if (line.size() + item.size() > 110) {
      fmt::print("{}\n", line);
      line = "        ";
    }
    line += item;
  }
  fmt::print("{}\n", line);
}

void print_split(const char* name, const gcg::DataSet& data, const gcg::SplitFacts& facts) {
  const auto& counts = facts.class_counts;
  std::int64_t all = 0;
  for (const std::int64_t count : counts) {
    all += count;
  }
  fmt::print("{:<6} {} images in {} classes of {} to {}, {} of them twice\n", name, all,
             counts.size(), *std::min_element(counts.begin(), counts.end()),
             *std::max_element(counts.begin(), counts.end()), facts.duplicates);
  print_class_counts(counts, data.class_names);
  fmt::print("       channel mean {:.4f}, deviation {:.4f}\n",
             fmt::join(facts.statistics.mean, " "), fmt::join(facts.statistics.deviation, " "));
}

/// A PNG file among the images would be replaced, too.
void check_is_no_image_of_the_data(const std::filesystem::path& sheet,
                                   const gcg::OptionList& list) {
  const gcg::Option* folder = list.find("data-dir");
  if (folder == nullptr || folder->text().empty()) {
    return;
  }
  const auto inside = std::filesystem::weakly_canonical(sheet);
  const auto outside = std::filesystem::weakly_canonical(folder->text());
  if (std::mismatch(outside.begin(), outside.end(), inside.begin(), inside.end()).first ==
      outside.end()) {
    throw gcg::UsageError("--sheet",
                          fmt::format("{} lies in the folder of the data", sheet.string()),
                          "write it into another folder");
  }
}

int run(std::span<const char* const> arguments) {
  // The data set first: the other options are its own.
  std::string name = "cifar10";
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (std::string_view(arguments[i]) == "--data") {
      name = arguments[i + 1];
    }
  }
  const auto source = gcg::make_data_source(name);
  std::string manifest;
  std::string sheet;
  std::int64_t threads = gcg::usable_cores();
  gcg::OptionList list;
  list.add("data", name, "data set, as for gcg_run");
  add_file_option(list, "manifest", manifest, "file that says what the data set must be");
  add_file_option(list, "sheet", sheet, "PNG file of augmented samples to write");
  list.add("threads", threads, {1, 1024}, "threads; no effect on the result");
  source->add_options(list);
  if (!gcg::read_arguments(arguments, kAbout, list)) {
    return 0;
  }
  // What it is to be held against, before the long look.
  gcg::ExpectedFacts expected;
  if (!manifest.empty()) {
    expected = gcg::read_expected(manifest);
  }
  if (!sheet.empty()) {
    gcg::check_replaces(sheet, "\x89PNG", "PNG file");
    check_is_no_image_of_the_data(sheet, list);
  }
  const gcg::DataSet data = source->load();
  gcg::ProgressLine line;
  const gcg::DataFacts facts =
      gcg::examine(data, threads, [&](std::int64_t done, std::int64_t all) {
        line.show(fmt::format("{} of {} images", done, all),
                  static_cast<double>(done) / static_cast<double>(all));
      });
  line.end();
  fmt::print("{}: digest {}\n", data.name, data.digest);
  print_split("train", data, facts.train);
  print_split("test", data, facts.test);
  gcg::print_passed_over(data.passed_over);
  fmt::print("{} images of test are in train too\n", facts.shared.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(10, facts.shared.size()); ++i) {
    fmt::print("  train {}, test {}\n", facts.shared[i].first, facts.shared[i].second);
  }
  if (!sheet.empty()) {
    gcg::write_file_atomically(sheet, gcg::encode_png(gcg::contact_sheet(data, 8, 8, 1)));
    fmt::print("{}\n", sheet);
  }
  if (manifest.empty()) {
    return 0;
  }
  if (!expected.train_counts && !expected.test_counts && !expected.train_statistics) {
    fmt::print("nothing was held against {}: it says nothing of labels and channels\n", manifest);
    return 1;
  }
  const std::vector<std::string> found = deviations(facts, expected);
  for (const std::string& deviation : found) {
    fmt::print("not as in the manifest: {}\n", deviation);
  }
  fmt::print("{}\n", found.empty() ? "as in the manifest" : manifest);
  return found.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return gcg::run_program(argc, argv, run); }
