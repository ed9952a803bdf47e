// docs/run_file.md against a written file: every object and attribute is documented, with its type,
// rank and unit, and the page names nothing that does not exist.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "base/temporary_folder.h"
#include "record/run_file.h"
#include "record/sample_record.h"
#include "record/visit_objects.h"

namespace gcg {
namespace {

using testing::TemporaryFolder;

/// A row of the page's tables, or what the file has to say about the same.
struct Entry {
  std::string type;
  std::string shape;  ///< in the page: "[stages, layers]"
  std::size_t rank = 0;
  std::string unit;  ///< empty: the file does not say
};
using Entries = std::map<std::string, Entry>;

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> result;
  std::stringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(" `");
    const std::size_t last = cell.find_last_not_of(" `");
    result.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return result;
}

Entries read_page() {
  std::ifstream page(GCG_RUN_FILE_PAGE);
  Entries entries;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) {
      continue;
    }
    const std::vector<std::string> row = cells(line);
    EXPECT_EQ(row.size(), 5) << line;
    Entry entry{row[1], row[2], 0, row[3]};
    if (entry.shape.starts_with("[")) {
      entry.rank = 1 + static_cast<std::size_t>(std::ranges::count(entry.shape, ','));
    }
    EXPECT_FALSE(row[4].empty()) << line;
    EXPECT_TRUE(entries.emplace(row[0], entry).second) << line << " stands there twice";
  }
  return entries;
}

std::string type_name(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return "text";
    case H5T_ENUM:
      return "bool";
    case H5T_FLOAT:
      return fmt::format("float{}", 8 * H5Tget_size(type));
    case H5T_INTEGER:
      return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "",
                         8 * H5Tget_size(type));
    default:
      return "?";
  }
}

std::string text_attribute(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) {
    return "";
  }
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  const hid_t type = H5Aget_type(attribute);
  char* text = nullptr;
  H5Aread(attribute, type, static_cast<void*>(&text));
  const std::string result = text == nullptr ? "" : text;
  H5free_memory(text);
  H5Tclose(type);
  H5Aclose(attribute);
  return result;
}

/// The path as the page writes it.
std::string pattern(const std::string& path) {
  std::string result;
  std::stringstream stream(path);
  for (std::string part; std::getline(stream, part, '/');) {
    const bool layer =
        part == "stem.conv" || part == "block%2F1 100%25" || part == "größe" || part == "%2E";
    const bool stage = part.starts_with("stage_0");
    const bool slot = result.ends_with("/slots");
    if (!result.empty() || !part.empty()) {
      result += '/';
    }
    result += layer ? "<layer>" : slot ? "<slot>" : stage ? "stage_<stage>" : part;
  }
  return result;
}

std::size_t rank_of(hid_t space) {
  return static_cast<std::size_t>(H5Sget_simple_extent_ndims(space));
}

struct Walk {
  Entries entries;
  std::map<std::string, std::string> units;  ///< of labelled objects, by path
};

/// Unit of an attribute by its group's list, "name: unit; name: unit".
std::string unit_in(const std::string& list, const std::string& name) {
  const std::string text = fmt::format("; {};", list);
  const std::size_t found = text.find(fmt::format("; {}: ", name));
  if (found == std::string::npos) {
    return "";
  }
  const std::size_t begin = found + name.size() + 4;
  return text.substr(begin, text.find(';', begin) - begin);
}

void add_attributes(hid_t object, const std::string& path, Walk& walk) {
  struct Context {
    const std::string& path;
    Walk& walk;
    std::string units;
  } context{path, walk, text_attribute(object, "units")};
  const auto visit = [](hid_t place, const char* name, const H5A_info_t*, void* data) {
    auto& [group, out, units] = *static_cast<Context*>(data);
    const hid_t attribute = H5Aopen(place, name, H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    const std::string key = std::string(name) == "unit" || std::string(name) == "units" ||
                                    std::string(name) == "description"
                                ? fmt::format("*@{}", name)
                                : fmt::format("{}@{}", group.empty() ? "/" : pattern(group), name);
    out.entries[key] = {type_name(type), "", rank_of(space), unit_in(units, name)};
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return herr_t{0};
  };
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, visit, &context);
}

/// Unit and description of an array: its own or those of the nearest group that has them.
std::string inherited_unit(hid_t file, std::string path) {
  while (!path.empty()) {
    const hid_t object = H5Oopen(file, path.c_str(), H5P_DEFAULT);
    const std::string unit = text_attribute(object, "unit");
    const std::string description = text_attribute(object, "description");
    H5Oclose(object);
    EXPECT_EQ(unit.empty(), description.empty()) << path;
    if (!unit.empty()) {
      return unit;
    }
    path.resize(path.rfind('/'));
  }
  return "";
}

Entries walk_file(const std::filesystem::path& path) {
  struct Context {
    hid_t file;
    Walk walk;
  } context{H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), {}};
  const auto visit = [](hid_t root, const char* name, const H5O_info_t* info, void* data) {
    auto& [file, walk] = *static_cast<Context*>(data);
    const std::string object_path = std::string(name) == "." ? "" : fmt::format("/{}", name);
    const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    add_attributes(object, object_path, walk);
    if (info->type == H5O_TYPE_DATASET) {
      const hid_t type = H5Dget_type(object);
      const hid_t space = H5Dget_space(object);
      const std::string unit = inherited_unit(file, object_path);
      EXPECT_FALSE(unit.empty()) << object_path << " has no unit";
      walk.entries[pattern(object_path)] = {type_name(type), "", rank_of(space), unit};
      H5Sclose(space);
      H5Tclose(type);
    } else if (!object_path.empty()) {
      walk.entries[pattern(object_path)] = {"group", "", 0, text_attribute(object, "unit")};
    }
    H5Oclose(object);
    return herr_t{0};
  };
  testing::visit_objects(context.file, H5_ITER_NATIVE, visit, &context);
  H5Fclose(context.file);
  return context.walk.entries;
}

std::vector<std::string> names(const Entries& entries) {
  std::vector<std::string> result;
  for (const auto& [name, entry] : entries) {
    result.push_back(name);
  }
  return result;
}

TEST(RunFilePage, NamesEverythingInAFileAndNothingElse) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  const Entries file = walk_file(folder / "run.h5");
  const Entries page = read_page();
  ASSERT_GT(file.size(), 150);
  EXPECT_EQ(names(page), names(file));
  for (const auto& [name, entry] : file) {
    SCOPED_TRACE(name);
    const auto documented = page.find(name);
    if (documented == page.end()) {
      continue;  // reported above
    }
    EXPECT_EQ(documented->second.type, entry.type);
    EXPECT_EQ(documented->second.rank, entry.rank);
    if (!entry.unit.empty()) {
      EXPECT_EQ(documented->second.unit, entry.unit);
    }
    const bool attribute = name.find('@') != std::string::npos;
    if (entry.rank == 0) {
      EXPECT_EQ(documented->second.shape, attribute ? "scalar" : "-");
    }
  }
}

}  // namespace
}  // namespace gcg
