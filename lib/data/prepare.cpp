#include "data/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "base/text.h"
#include "data/append_file.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "data/image.h"
#include "data/parallel.h"
#include "data/prepare_journal.h"
#include "data/prepared.h"
#include "data/resample.h"
#include "data/sources.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

/// Images that are in memory at once, for each thread.
constexpr std::int64_t kBlockImages = 64;

template <std::size_t N>
void set_text(const std::string& text, std::array<char, N>& to) {
  if (text.size() >= N || text.empty()) {
    throw Error("prepared name", fmt::format("'{}' has more than {} bytes or none", text, N - 1));
  }
  std::copy(text.begin(), text.end(), to.begin());
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// A block of images, made in parallel.
struct Block {
  std::vector<std::vector<std::byte>> images;
  std::vector<std::string> problems;
};

Block make_block(const PreparedSplit& split, std::int64_t begin, std::int64_t end,
                 const PrepareSettings& settings) {
  Block block;
  block.images.resize(static_cast<std::size_t>(end - begin));
  block.problems.resize(block.images.size());
  for_each_parallel(end - begin, settings.threads, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    try {
      block.images[index] = split.image(begin + i);
    } catch (const Error& error) {
      if (!settings.skip_damaged) {
        throw;
      }
      block.problems[index] = one_line(error.what());
    }
  });
  return block;
}

/// Throws an Error if no image of some class is left.
void check_classes_left(const PreparedSplit& split, const PrepareJournal& journal) {
  std::vector<std::int64_t> left(split.classes.size(), 0);
  for (std::size_t i = 0; i < journal.lines.size(); ++i) {
    left.at(static_cast<std::size_t>(split.labels[i])) += journal.lines[i].problem.empty() ? 1 : 0;
  }
  for (std::size_t c = 0; c < left.size(); ++c) {
    if (left[c] == 0) {
      throw Error(fmt::format("{}, class '{}'", split.split, split.classes[c]),
                  "every image of the class is damaged: none is left",
                  "fetch the damaged images again, or remove the class from the data set");
    }
  }
}

/// Appends table and names, writes the header in front.
void complete(AppendFile& file, const PreparedSplit& split, const PrepareJournal& journal) {
  PreparedHeader header;
  header.magic = kPreparedMagic;
  header.encoded = split.encoded ? 1 : 0;
  set_text(split.name, header.name);
  set_text(split.split, header.split);
  header.classes = std::ssize(split.classes);
  header.channels = 3;
  if (!split.encoded) {
    header.channels = split.shape.channels;
    header.height = split.shape.height;
    header.width = split.shape.width;
  }
  header.set_digest = split.set_digest;
  header.source_digest = sha256(split.source);

  std::vector<PreparedEntry> table;
  for (std::size_t i = 0; i < journal.lines.size(); ++i) {
    if (const JournalLine& line = journal.lines[i]; line.problem.empty()) {
      table.push_back({line.end, split.labels[i], 0, line.digest});
    }
  }
  header.images = std::ssize(table);
  header.image_bytes = table.back().end;
  std::string names;
  for (const std::string& name : split.classes) {
    names += one_line(name) + "\n";
  }
  header.name_bytes = std::ssize(names);
  const std::span<const std::byte> table_bytes = std::as_bytes(std::span(table));
  header.table_digest = Sha256().update(table_bytes).update(names).finish();
  header.header_digest = prepared_header_digest(header);

  constexpr std::array<std::byte, 8> zeros{};
  file.append(std::span(zeros).first(static_cast<std::size_t>(-header.image_bytes & 7)));
  file.append(table_bytes);
  file.append(std::as_bytes(std::span(names)));
  file.write_front(std::as_bytes(std::span(&header, 1)));
}

std::vector<std::string> lines_left_out(const PreparedSplit& split, const PrepareJournal& journal) {
  std::vector<std::string> lines;
  for (const std::string& problem : split.left_out) {
    lines.push_back(one_line(problem));
  }
  for (const JournalLine& line : journal.lines) {
    if (!line.problem.empty()) {
      lines.push_back(line.problem);
    }
  }
  return lines;
}

void write_lines(const fs::path& path, const std::vector<std::string>& lines) {
  if (lines.empty()) {
    fs::remove(path);  // of a split prepared before
    return;
  }
  write_file_atomically(path, std::string_view(fmt::format("{}\n", fmt::join(lines, "\n"))));
}

/// None if there is no such file.
std::vector<std::string> read_lines(const fs::path& path) {
  if (!fs::exists(path)) {
    return {};
  }
  const std::string text = read_text(path);
  const std::vector<std::string_view> lines = lines_of(text);
  return {lines.begin(), lines.end()};
}

/// Whether the file is there, sound and made from this source.
bool is_finished(const fs::path& path, std::string_view source) {
  if (!fs::exists(path)) {
    return false;
  }
  try {
    return PreparedFile(path).header().source_digest == sha256(source);
  } catch (const Error&) {
    return false;  // damaged or of another version: it is replaced
  }
}

}  // namespace

std::vector<std::string> write_prepared(const fs::path& folder, const PreparedSplit& split,
                                        const PrepareSettings& settings) {
  const fs::path path = prepared_path(folder, split.split);
  const fs::path list_path = folder / fmt::format("{}.left_out.txt", split.split);
  if (is_finished(path, split.source)) {
    return read_lines(list_path);
  }
  const fs::path partial = path.string() + ".partial";
  const fs::path journal_path = path.string() + ".journal";
  const std::int64_t count = std::ssize(split.labels);
  PrepareJournal journal = read_journal(journal_path, partial, split.source, settings.threads);
  journal.lines.resize(std::min(journal.lines.size(), split.labels.size()));
  write_file_atomically(journal_path, journal_text(journal, split.source));
  AppendFile file(partial, kPreparedDataStart + journal.end());
  AppendFile log(journal_path, static_cast<std::int64_t>(fs::file_size(journal_path)));

  const std::int64_t block_images = kBlockImages * std::max<std::int64_t>(1, settings.threads);
  for (std::int64_t begin = std::ssize(journal.lines); begin < count;) {
    settings.progress(begin, count);
    const std::int64_t end = std::min(begin + block_images, count);
    Block block = make_block(split, begin, end, settings);
    std::string text;
    for (std::size_t i = 0; i < block.images.size(); ++i) {
      JournalLine line;
      line.problem = std::move(block.problems[i]);
      line.end = journal.end() + std::ssize(block.images[i]);
      if (line.problem.empty()) {
        line.digest = sha256(block.images[i]);
        file.append(block.images[i]);
      }
      text += journal_line_text(line);
      journal.lines.push_back(std::move(line));
    }
    log.append(std::as_bytes(std::span(text)));
    begin = end;
  }
  settings.progress(count, count);
  try {
    check_classes_left(split, journal);
  } catch (const Error&) {
    fs::remove(partial);  // of no use to another try
    fs::remove(journal_path);
    throw;
  }
  complete(file, split, journal);
  file.finish();
  // First the list: a finished file is not looked at again.
  std::vector<std::string> lines = lines_left_out(split, journal);
  write_lines(list_path, lines);
  rename_durably(partial, path);
  fs::remove(journal_path);
  return lines;
}

std::vector<std::byte> stored_form(std::span<const std::byte> bytes, const std::string& where,
                                   const EncodedForm& form) {
  ImageDecoder decoder(bytes, where);
  const std::int64_t width = decoder.width();
  const std::int64_t height = decoder.height();
  const std::int64_t shorter = std::min(width, height);
  const Region whole{0, 0, static_cast<double>(width), static_cast<double>(height)};
  RgbImage image;
  if (form.short_side == 0 || (shorter <= form.short_side && is_jpeg(bytes))) {
    decoder.decode(whole, 1, 1, image);  // all data are read, few pixels made
    return {bytes.begin(), bytes.end()};
  }
  const std::int64_t target = std::min(form.short_side, shorter);
  const auto scaled = [&](std::int64_t edge) { return target * edge / shorter; };
  const Region decoded = decoder.decode(whole, scaled(width), scaled(height), image);
  return encode_jpeg(resampled(image, decoded, scaled(width), scaled(height)), form.quality);
}

namespace {

/// A digest of texts in their order.
std::string digest_of(const std::vector<std::string>& texts) {
  Sha256 sha;
  for (const std::string& text : texts) {
    sha.update(fmt::format("{} {}\n", text.size(), text));
  }
  return hex(sha.finish());
}

LeftOut prepare_raw(const std::string& name, const DataSet& data, const LeftOut& left_out,
                    const fs::path& to, const PrepareSettings& settings) {
  check_every_class(name, data);
  const auto write = [&](const std::string& part, const ImageSet& images,
                         const std::vector<std::string>& damaged) {
    PreparedSplit split;
    split.name = name;
    split.split = part;
    split.shape = images.shape;
    split.classes = data.class_names;
    for (auto c = std::ssize(split.classes); c < data.classes; ++c) {
      split.classes.push_back(std::to_string(c));
    }
    split.labels = images.labels;
    split.set_digest = digest_of_hex(data.digest);
    split.left_out = damaged;
    // The set's digest is of pixels and labels alone.
    split.source = fmt::format("raw {} {} {} classes {} left out {}", name, part, data.digest,
                               digest_of(split.classes), digest_of(damaged));
    const std::span<const std::byte> pixels = std::as_bytes(images.raw_pixels());
    const auto elements = static_cast<std::size_t>(images.shape.elements());
    split.image = [pixels, elements](std::int64_t i) {
      const auto image = pixels.subspan(static_cast<std::size_t>(i) * elements, elements);
      return std::vector<std::byte>(image.begin(), image.end());
    };
    return write_prepared(to, split, settings);
  };
  return {write("train", data.train, left_out.train), write("test", data.test, left_out.test)};
}

LeftOut prepare_encoded(const std::string& name, const ImageLists& lists, const fs::path& to,
                        const EncodedForm& form, const PrepareSettings& settings,
                        const std::string& making, const Digest& set) {
  const auto write = [&](const std::string& part, const ImageList& list) {
    PreparedSplit split;
    split.name = name;
    split.split = part;
    split.encoded = true;
    split.classes = lists.classes;
    split.labels = list.labels;
    split.set_digest = set;
    split.source = fmt::format("encoded {} {}", part, making);
    split.image = [&](std::int64_t i) {
      const fs::path& file = list.files[static_cast<std::size_t>(i)];
      return stored_form(read_file(file), file.string(), form);
    };
    return write_prepared(to, split, settings);
  };
  return {write("train", lists.train), write("test", lists.test)};
}

DataSet read_raw(const std::string& name, const fs::path& from, const PrepareSettings& settings,
                 LeftOut& left_out) {
  if (name == "cifar10") {
    return read_cifar10(from);
  }
  if (name == "cifar100-fine") {
    return read_cifar100(from, Cifar100Labels::fine);
  }
  if (name == "cifar100-coarse") {
    return read_cifar100(from, Cifar100Labels::coarse);
  }
  if (name == "idx") {
    return read_idx_folder(from, name);
  }
  if (name == "idx-consecutive") {
    return read_idx_folder(from, name, IdxLabels::consecutive);
  }
  if (name == "tinyimagenet") {
    return read_tinyimagenet(from, settings.threads, settings.skip_damaged ? &left_out : nullptr,
                             settings.stray);
  }
  throw Error("read_raw", fmt::format("'{}' is not a set of raw images", name));
}

void check_name(std::string_view name) {
  const auto names = prepared_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw UsageError("--data", fmt::format("'{}' cannot be prepared", name),
                     fmt::format("choose one of: {}", fmt::join(names, ", ")));
  }
}

/// As it is recorded: relative if the prepared files lie in it or below.
fs::path recorded_folder(const fs::path& from, const fs::path& to) {
  const fs::path relative = fs::relative(from, to);
  const bool above = std::all_of(relative.begin(), relative.end(),
                                 [](const fs::path& part) { return part == ".." || part == "."; });
  return !relative.empty() && above ? relative : fs::absolute(from);
}

/// What a killed process left of files that were not finished; nobody else works in the folder.
void remove_temporary_files(const fs::path& folder) {
  std::vector<fs::path> left;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with("train.") || name.starts_with("test.") ||
                      name.starts_with("sources.txt.") || name.starts_with(".lease.");
    if (name.starts_with(".write-probe.") || (ours && name.ends_with(".tmp"))) {
      left.push_back(entry.path());
    }
  }
  for (const fs::path& path : left) {
    fs::remove(path);
  }
}

}  // namespace

std::span<const std::string_view> prepared_names() {
  static constexpr std::array<std::string_view, 7> names{
      "cifar10",  "cifar100-fine", "cifar100-coarse", "tinyimagenet",
      "imagenet", "idx",           "idx-consecutive"};
  return names;
}

NotTaken prepare_data(const std::string& name, const fs::path& from, const fs::path& to,
                      const EncodedForm& form, const PrepareSettings& settings) {
  check_name(name);
  if (std::error_code error; !fs::is_directory(from, error)) {
    throw Error(from.string(), "there is no such folder",
                "name the folder of the publisher's files");
  }
  make_writable_folder(to);
  const FolderLock lock(to);
  remove_temporary_files(to);
  NotTaken not_taken;
  Sources sources;
  sources.folder = recorded_folder(from, to);
  if (name == "imagenet") {
    const ImageLists lists = list_image_folder(from, settings.stray);
    sources.files = list_sources(name, from, settings.threads);
    const std::string making =
        fmt::format("{} {} short side {} quality {}{}", listing_digest(from, lists),
                    sources_digest(sources.files), form.short_side, form.quality,
                    settings.skip_damaged ? " without damaged" : "");
    sources.set = sha256(making);
    not_taken.damaged = prepare_encoded(name, lists, to, form, settings, making, sources.set);
    not_taken.passed_over = lists.passed_over;
  } else {
    // Looked at before it is read: what changes meanwhile is a difference later.
    sources.files = list_sources(name, from, settings.threads);
    LeftOut left_out;
    const DataSet data = read_raw(name, from, settings, left_out);
    sources.set = digest_of_hex(data.digest);
    not_taken.damaged = prepare_raw(name, data, left_out, to, settings);
    not_taken.passed_over = data.passed_over;
  }
  write_sources(to, sources);
  return not_taken;
}

}  // namespace gcg
