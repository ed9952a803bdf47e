#include "data/sources.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/parallel.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kFirstLine = "gcg sources 1";
constexpr std::string_view kFileName = "sources.txt";
constexpr std::string_view kPrepareAgain =
    "run gcg_data_prepare again: it keeps what is still right";

void append(std::vector<fs::path>& files, const ImageLists& lists) {
  files.insert(files.end(), lists.train.files.begin(), lists.train.files.end());
  files.insert(files.end(), lists.test.files.begin(), lists.test.files.end());
}

std::vector<fs::path> source_paths(std::string_view name, const fs::path& folder) {
  if (name == "cifar10") {
    return cifar10_files(folder);
  }
  if (name == "cifar100-fine" || name == "cifar100-coarse") {
    return cifar100_files(folder,
                          name == "cifar100-fine" ? Cifar100Labels::fine : Cifar100Labels::coarse);
  }
  if (name == "idx" || name == "idx-consecutive") {
    return idx_files(folder);
  }
  std::vector<fs::path> files;
  if (name == "tinyimagenet") {
    const ImageLists lists = list_tinyimagenet(folder, Stray::pass_over);
    append(files, lists);
    // PLACE/val/images/FILE
    const fs::path place = lists.test.files.front().parent_path().parent_path().parent_path();
    files.push_back(place / "wnids.txt");
    files.push_back(place / "val" / "val_annotations.txt");
  } else {
    append(files, list_image_folder(folder, Stray::pass_over));
  }
  return files;
}

/// Nothing if there is no such file.
std::optional<SourceFile> look_at(const fs::path& path, std::string name) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return std::nullopt;
    }
    throw_file_error(path, "read", errno);
  }
  return SourceFile{std::move(name), status.st_size,
                    status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool same_time(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t second = 1'000'000'000;
  return a == b || ((a % second == 0 || b % second == 0) && a / second == b / second);
}

[[noreturn]] void fail(const fs::path& path, const std::string& problem) {
  throw Error(path.string(), problem, kPrepareAgain);
}

/// Cuts the text up to `end` off; an empty rest and nothing if it is not there.
std::string_view cut(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// Names are stored in one line, whatever bytes they have.
std::string escaped(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n' || c == '%') {
      line += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  return line;
}

std::string unescaped(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line.substr(i, 3) == "%0A" || line.substr(i, 3) == "%25") {
      text += line[i + 1] == '0' ? '\n' : '%';
      i += 2;
    } else {
      text += line[i];
    }
  }
  return text;
}

}  // namespace

std::vector<SourceFile> list_sources(std::string_view name, const fs::path& folder,
                                     std::int64_t threads) {
  const std::vector<fs::path> paths = source_paths(name, folder);
  std::vector<SourceFile> files(paths.size());
  for_each_parallel(std::ssize(paths), threads, [&](std::int64_t i) {
    const fs::path& path = paths[static_cast<std::size_t>(i)];
    auto found = look_at(path, path.lexically_relative(folder).string());
    if (!found) {
      throw Error(path.string(), "the file vanished", "start again when nobody changes the folder");
    }
    files[static_cast<std::size_t>(i)] = std::move(*found);
  });
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  return files;
}

std::string sources_digest(const std::vector<SourceFile>& files) {
  Sha256 sha;
  for (const SourceFile& file : files) {
    sha.update(fmt::format("{} {} {}\n", file.bytes, file.time, escaped(file.name)));
  }
  return hex(sha.finish());
}

void write_sources(const fs::path& prepared, const Sources& sources) {
  std::string text = fmt::format("{}\nset {}\nfolder {}\n", kFirstLine, hex(sources.set),
                                 escaped(sources.folder.string()));
  for (const SourceFile& file : sources.files) {
    text += fmt::format("{} {} {}\n", file.bytes, file.time, escaped(file.name));
  }
  text += fmt::format("sha256 {}\n", hex(sha256(text)));
  write_file_atomically(prepared / kFileName, std::string_view(text));
}

Sources read_sources(const fs::path& prepared) {
  const fs::path path = prepared / kFileName;
  if (std::error_code error; !fs::exists(path, error)) {
    throw Error(path.string(), "the file is missing: the data set is only partly prepared",
                "run gcg_data_prepare again: it goes on where it was");
  }
  const std::vector<std::byte> content = read_file(path);
  std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  constexpr std::size_t last_line = 7 + 64 + 1;
  if (text.size() < last_line ||
      text.substr(text.size() - last_line) !=
          fmt::format("sha256 {}\n", hex(sha256(text.substr(0, text.size() - last_line))))) {
    fail(path, "the file does not have its digest");
  }
  text.remove_suffix(last_line);
  if (const std::string_view first = cut(text, '\n'); first != kFirstLine) {
    fail(path, fmt::format("it begins with '{}', but this program reads '{}'", first.substr(0, 40),
                           kFirstLine));
  }
  Sources sources;
  const std::string_view set = cut(text, '\n');
  const std::string_view folder = cut(text, '\n');
  if (!set.starts_with("set ") || !folder.starts_with("folder ")) {
    fail(path, "lines 2 and 3 do not name the set and the folder");
  }
  sources.set = digest_of_hex(set.substr(4));
  sources.folder = unescaped(folder.substr(7));
  for (std::int64_t line = 4; !text.empty(); ++line) {
    std::string_view rest = cut(text, '\n');
    const auto bytes = number(cut(rest, ' '));
    const auto time = number(cut(rest, ' '));
    if (!bytes || !time || rest.empty()) {
      fail(path, fmt::format("line {}: no size, time and name of a file", line));
    }
    sources.files.push_back({unescaped(rest), *bytes, *time});
  }
  return sources;
}

void check_sources(std::string_view name, const fs::path& prepared, const Sources& sources,
                   std::int64_t threads) {
  std::error_code unknown;
  fs::path folder = fs::weakly_canonical(prepared / sources.folder, unknown);
  if (unknown) {
    folder = prepared / sources.folder;
  }
  std::vector<std::string> problems(sources.files.size());
  std::vector<char> there(sources.files.size(), 0);
  for_each_parallel(std::ssize(sources.files), threads, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    const SourceFile& before = sources.files[index];
    const auto now = look_at(folder / before.name, before.name);
    there[index] = now ? 1 : 0;
    if (!now) {
      problems[index] = before.name + " is missing";
    } else if (now->bytes != before.bytes) {
      problems[index] =
          fmt::format("{} has {} bytes, not {}", before.name, now->bytes, before.bytes);
    } else if (!same_time(now->time, before.time)) {
      problems[index] = before.name + " was changed since";
    }
  });
  if (std::find(there.begin(), there.end(), 1) == there.end()) {
    return;
  }
  std::erase(problems, "");
  if (problems.empty()) {
    for (const SourceFile& file : list_sources(name, folder, threads)) {
      const auto at =
          std::lower_bound(sources.files.begin(), sources.files.end(), file.name,
                           [](const SourceFile& a, const std::string& b) { return a.name < b; });
      if (at == sources.files.end() || at->name != file.name) {
        problems.push_back(file.name + " is new");
      }
    }
  }
  if (problems.empty()) {
    return;
  }
  const std::size_t named = std::min<std::size_t>(problems.size(), 5);
  throw Error(
      prepared.string(),
      fmt::format(
          "the data set was prepared from other files than those in {}: {}{}", folder.string(),
          fmt::join(problems.begin(), problems.begin() + std::ptrdiff_t(named), "; "),
          named < problems.size() ? fmt::format("; and {} more", problems.size() - named) : ""),
      fmt::format("run gcg_data_prepare --data {} --from {} --to {} again (with the options "
                  "it had); it keeps what is still right",
                  name, folder.string(), prepared.string()));
}

}  // namespace gcg
