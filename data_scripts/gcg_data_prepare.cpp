// From the publisher's files to the prepared form that runs map into memory.
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "command.h"
#include "data/parallel.h"
#include "data/prepare.h"

namespace {

constexpr const char* kAbout =
    "gcg_data_prepare: writes TO/train.images and TO/test.images from a data set as its publisher\n"
    "lays it out. Interrupted, it goes on where it was.";

int run(std::span<const char* const> arguments) {
  std::string data;
  std::string from;
  std::string to;
  gcg::EncodedForm form;
  gcg::PrepareSettings settings;
  settings.threads = gcg::usable_cores();
  std::int64_t quality = form.quality;
  bool pass_over = false;
  gcg::OptionList list;
  std::vector<std::string> names{""};
  names.insert(names.end(), gcg::prepared_names().begin(), gcg::prepared_names().end());
  list.add_choice("data", data, names, "data set");
  list.add("from", from, "folder of the publisher's files");
  list.add("to", to, "folder of the prepared files; empty: FROM/prepared");
  list.add("short-side", form.short_side, {0, 4096},
           "imagenet: pixels that the shorter side of larger images is scaled down to; 0: files "
           "stay as they are")
      .used_if([&] { return data == "imagenet"; }, "only imagenet has images to scale down");
  list.add("quality", quality, {1, 100}, "imagenet: of the JPEG files then written")
      .used_if([&] { return data == "imagenet" && form.short_side > 0; },
               "files are written anew for imagenet with --short-side only");
  list.add("threads", settings.threads, {1, 1024}, "threads; no effect on the result");
  const auto has_image_files = [&] { return data == "imagenet" || data == "tinyimagenet"; };
  constexpr const char* no_image_files =
      "only imagenet and tinyimagenet have a file for each image";
  list.add("skip-damaged", settings.skip_damaged,
           "leave damaged images out and list them in TO/SPLIT.left_out.txt: on or off")
      .used_if(has_image_files, no_image_files);
  list.add("pass-over", pass_over,
           "leave out what looks like an image and cannot be taken (links to nothing, other "
           "formats, images in an unexpected folder): on or off")
      .used_if(has_image_files, no_image_files);
  if (!gcg::read_arguments(arguments, kAbout, list)) {
    return 0;
  }
  if (data.empty() || from.empty()) {
    throw gcg::UsageError(data.empty() ? "--data" : "--from", "is missing",
                          "write --data NAME --from FOLDER; --help says what they are");
  }
  form.quality = static_cast<int>(quality);
  settings.stray = pass_over ? gcg::Stray::pass_over : gcg::Stray::refuse;
  const std::filesystem::path target =
      to.empty() ? std::filesystem::path(from) / "prepared" : std::filesystem::path(to);
  gcg::ProgressLine line;
  settings.progress = [&](std::int64_t done, std::int64_t all) {
    line.show(fmt::format("{}: {} of {} images", data, done, all),
              static_cast<double>(done) / static_cast<double>(all));
  };
  const gcg::NotTaken not_taken = gcg::prepare_data(data, from, target, form, settings);
  line.end();
  for (const auto& [part, errors] :
       {std::pair{"train", &not_taken.damaged.train}, {"test", &not_taken.damaged.test}}) {
    if (!errors->empty()) {
      fmt::print("{} damaged images were left out: {}\n", errors->size(),
                 (target / fmt::format("{}.left_out.txt", part)).string());
    }
  }
  gcg::print_passed_over(not_taken.passed_over);
  fmt::print("{}\n{}\n", (target / "train.images").string(), (target / "test.images").string());
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return gcg::run_program(argc, argv, run); }
