#include "study/scale.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "base/error.h"
#include "base/hash.h"
#include "base/lookup.h"
#include "data/datasets.h"
#include "graph/networks.h"

namespace gcg {

namespace {

using Settings = std::map<std::string, Setting>;

std::string at_line(std::string_view file, const toml::source_region& source) {
  return source.begin.line == 0 ? std::string(file)
                                : fmt::format("{}, line {}", file, source.begin.line);
}

toml::table parse(std::string_view file, std::string_view text) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    throw UsageError(at_line(file, error.source()), std::string(error.description()),
                     "settings are lines NAME = VALUE under a heading [SCALE], as TOML has them");
  }
}

Setting::Value value_of(const std::string& where, const toml::node& node) {
  if (const auto* whole = node.as_integer()) {
    return {Setting::Kind::whole, fmt::format("{}", whole->get())};
  }
  if (const auto* number = node.as_floating_point()) {
    return {Setting::Kind::number, number_text(number->get())};
  }
  if (const auto* word = node.as_string()) {
    return {Setting::Kind::word, word->get()};
  }
  if (const auto* flag = node.as_boolean()) {
    return {Setting::Kind::flag, flag->get() ? "true" : "false"};
  }
  throw UsageError(where, "is not a word, number, true or false, or a list of these");
}

Setting setting_of(const std::string& where, const toml::node& node) {
  Setting setting{where, node.is_array(), {}};
  if (const toml::array* list = node.as_array()) {
    for (const toml::node& element : *list) {
      setting.values.push_back(value_of(where, element));
    }
  } else {
    setting.values.push_back(value_of(where, node));
  }
  return setting;
}

/// Adds what a table says; later words win. Tables in it hold what differs on one data set.
void add_table(std::string_view file, const toml::table& table, std::string_view data,
               Settings& settings) {
  const toml::table* of_data = nullptr;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const toml::table* inner = node.as_table();
    const std::string where = at_line(file, inner != nullptr ? node.source() : key.source());
    if (inner == nullptr) {
      settings[name] = setting_of(fmt::format("{}: {}", where, name), node);
    } else if (name == "options") {
      for (const auto& [option, value] : *inner) {
        const std::string full = fmt::format("options.{}", option.str());
        settings[full] =
            setting_of(fmt::format("{}: {}", at_line(file, option.source()), full), value);
      }
    } else {
      find_row(data_source_table(), name, where);
      of_data = name == data ? inner : of_data;
    }
  }
  if (of_data != nullptr) {
    add_table(file, *of_data, data, settings);
  }
}

Scale scale_of_table(std::string_view file, const toml::table& table, const std::string& name,
                     std::string_view data) {
  Scale scale;
  scale.name = name;
  scale.where = fmt::format("{}: [{}]", at_line(file, table.source()), name);
  add_table(file, table, data, scale.settings);
  return scale;
}

Scale shipped_scale(const SettingsFile& shipped, const std::string& name, std::string_view data,
                    std::string_view where) {
  const toml::table file = parse(shipped.name, shipped.text);
  const std::vector<std::string> names = scale_names(shipped);
  if (std::ranges::find(names, name) == names.end()) {
    throw UsageError(where, fmt::format("'{}' is none of: {}", name, fmt::join(names, ", ")),
                     "or name a file of your own that ends in .toml");
  }
  Scale scale = scale_of_table(shipped.name, *file[name].as_table(), name, data);
  scale.is_shipped = true;
  return scale;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || std::filesystem::is_directory(path) || !(text << file.rdbuf())) {
    throw UsageError(path, "cannot be read, or is empty",
                     "name a settings file, such as those in experiments/");
  }
  return text.str();
}

/// A user's own scale.
Scale own_scale(const SettingsFile& shipped, const std::string& path, std::string_view data) {
  const toml::table file = parse(path, read_text(path));
  if (file.size() != 1 || !file.begin()->second.is_table()) {
    throw UsageError(path, fmt::format("has {} settings outside of one scale's table", file.size()),
                     "write one heading [NAME] and the settings below it");
  }
  const std::string name(file.begin()->first.str());
  const std::vector<std::string> taken = scale_names(shipped);
  const bool plain = std::ranges::all_of(
      name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
  if (name.empty() || !plain || std::ranges::find(taken, name) != taken.end()) {
    throw UsageError(at_line(path, file.begin()->first.source()),
                     fmt::format("'{}' cannot be the name of your own scale", name),
                     fmt::format("choose letters, digits, '-' and '_', and none of: {}",
                                 fmt::join(taken, ", ")));
  }
  Scale own = scale_of_table(path, *file.begin()->second.as_table(), name, data);
  if (const auto like = own.settings.find("like"); like != own.settings.end()) {
    const Setting base = like->second;
    own.settings.erase(like);
    if (base.is_list || base.values.front().kind != Setting::Kind::word) {
      throw UsageError(base.where, "is not the name of a scale", "write like = \"small\"");
    }
    // What the file says wins; what it leaves out is the shipped scale's.
    own.settings.merge(shipped_scale(shipped, base.values.front().text, data, base.where).settings);
  }
  return own;
}

/// Where TOML would take the rest for a comment or another line; npos if it takes all of it.
std::size_t end_outside_quotes(std::string_view value) {
  char quote = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quote == '"' && c == '\\') {
      ++i;
    } else if (quote != 0) {
      quote = c == quote ? '\0' : quote;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#' || c == '\n' || c == '\r') {
      return i;
    }
  }
  return std::string_view::npos;
}

/// "NAME=VALUE" with a value as TOML has it, or a bare word.
std::pair<std::string, Setting> change_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    throw UsageError("--set", fmt::format("'{}' is not SETTING=VALUE", text),
                     "as --set epochs=30 or --set 'densities=[0.2, 0.1]'");
  }
  std::string name = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  const std::string where = "--set " + name;
  if (const std::size_t end = end_outside_quotes(value); end != std::string::npos) {
    throw UsageError(where,
                     fmt::format("'{}' has {} outside of quotes", value,
                                 value[end] == '#' ? "a '#'" : "the end of a line"),
                     "leave out what begins there, or put a text in quotes: --set 'NAME=\"a#b\"'");
  }
  try {
    const toml::table parsed = toml::parse("value = " + value, std::string_view(where));
    if (parsed.size() == 1 && !parsed.begin()->second.is_table()) {
      return {std::move(name), setting_of(where, parsed.begin()->second)};
    }
  } catch (const toml::parse_error&) {
    // A bare word.
  }
  return {std::move(name), Setting{where, false, {{Setting::Kind::word, value}}}};
}

/// The name of a scale with changes: readable, a single file name, and never that of others.
std::string changed_name(const std::string& base, const Settings& changes) {
  std::string readable = base;
  std::string exact = base;
  for (const auto& [name, setting] : changes) {
    std::vector<std::string> values;
    for (const Setting::Value& value : setting.values) {
      values.push_back(value.text);
    }
    readable += fmt::format("+{}={}", name, fmt::join(values, ","));
    exact += fmt::format("\n{}={}", name, fmt::join(values, "\n,"));
  }
  std::string name;
  std::ranges::copy_if(readable, std::back_inserter(name), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("+=,.-_").find(c) != std::string_view::npos;
  });
  constexpr std::size_t kLongest = 100;
  return name == readable && name.size() <= kLongest
             ? name
             : fmt::format("{}-{}", name.substr(0, kLongest), hex(sha256(exact)).substr(0, 8));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// "did you mean X? " if one of the names is close, then all of them.
template <typename Names>
std::string remedy_for(std::string_view name, const Names& names) {
  const std::string all = fmt::format("it knows: '{}'", fmt::join(names, "', '"));
  const auto nearest = std::ranges::min_element(
      names, {}, [&](const std::string& known) { return edit_distance(name, known); });
  const bool close = nearest != names.end() && 3 * edit_distance(name, *nearest) <= name.size() + 1;
  return close ? fmt::format("did you mean '{}'? {}", *nearest, all) : all;
}

template <typename T>
T read_number(const Setting& setting, const Setting::Value& value, const Range& range,
              std::string_view kind) {
  T result{};
  const char* end = value.text.data() + value.text.size();
  const bool is_number = value.kind == Setting::Kind::whole ||
                         (value.kind == Setting::Kind::number && std::is_floating_point_v<T>);
  const auto [stop, code] = std::from_chars(value.text.data(), end, result);
  const auto number = static_cast<double>(result);
  const bool inside = (range.low_open ? number > range.low : number >= range.low) &&
                      (range.high_open ? number < range.high : number <= range.high);
  if (!is_number || code != std::errc() || stop != end || !inside) {
    throw UsageError(
        setting.where,
        fmt::format("{} is not {} in {}{}, {}{}", value.text, kind, range.low_open ? "(" : "[",
                    number_text(range.low), number_text(range.high), range.high_open ? ")" : "]"),
        "the scales that come with the program show what is usual");
  }
  return result;
}

std::string read_word(const Setting& setting, const Setting::Value& value,
                      const std::vector<std::string>& known) {
  if (value.kind != Setting::Kind::word || std::ranges::find(known, value.text) == known.end()) {
    throw UsageError(setting.where, fmt::format("there is no '{}'", value.text),
                     remedy_for(value.text, known));
  }
  return value.text;
}

template <typename T>
std::vector<T> distinct(const Setting& setting, std::vector<T> values) {
  std::set<T> seen;
  for (const T& value : values) {
    if (!seen.insert(value).second) {
      throw UsageError(setting.where, fmt::format("has {} twice", value), "leave one out");
    }
  }
  return values;
}

Range between(std::int64_t low, std::int64_t high) {
  return {static_cast<double>(low), static_cast<double>(high), false, false};
}

}  // namespace

const Setting& Scale::at(std::string_view setting, bool is_list) const {
  read_.emplace(setting);
  const auto found = settings.find(std::string(setting));
  if (found == settings.end()) {
    throw UsageError(where, fmt::format("has no '{}'", setting),
                     "add it; or write like = \"small\" first, which takes what you leave out from "
                     "the scale that comes with the program");
  }
  if (found->second.is_list != is_list) {
    throw UsageError(
        found->second.where, is_list ? "is no list" : "is a list",
        is_list ? fmt::format("write it in brackets: {} = [...]", setting) : "write one value");
  }
  return found->second;
}

const Setting& Scale::list(std::string_view setting, bool may_be_empty) const {
  const Setting& found = at(setting, true);
  if (found.values.empty() && !may_be_empty) {
    throw UsageError(found.where, "is empty", "write at least one value");
  }
  return found;
}

std::int64_t Scale::whole(std::string_view setting, std::int64_t low, std::int64_t high) const {
  const Setting& found = at(setting, false);
  return read_number<std::int64_t>(found, found.values.front(), between(low, high),
                                   "a whole number");
}

double Scale::number(std::string_view setting, const Range& range) const {
  const Setting& found = at(setting, false);
  return read_number<double>(found, found.values.front(), range, "a number");
}

bool Scale::flag(std::string_view setting) const {
  const Setting& found = at(setting, false);
  if (found.values.front().kind != Setting::Kind::flag) {
    throw UsageError(found.where,
                     fmt::format("'{}' is neither true nor false", found.values.front().text),
                     "write true or false, without quotation marks");
  }
  return found.values.front().text == "true";
}

std::string Scale::word(std::string_view setting, const std::vector<std::string>& known) const {
  const Setting& found = at(setting, false);
  return read_word(found, found.values.front(), known);
}

std::vector<std::int64_t> Scale::wholes(std::string_view setting, std::int64_t low,
                                        std::int64_t high, bool may_be_empty) const {
  const Setting& found = list(setting, may_be_empty);
  std::vector<std::int64_t> values;
  for (const Setting::Value& value : found.values) {
    values.push_back(read_number<std::int64_t>(found, value, between(low, high), "a whole number"));
  }
  return distinct(found, std::move(values));
}

std::vector<double> Scale::numbers(std::string_view setting, const Range& range,
                                   bool may_be_empty) const {
  const Setting& found = list(setting, may_be_empty);
  std::vector<double> values;
  for (const Setting::Value& value : found.values) {
    values.push_back(read_number<double>(found, value, range, "a number"));
  }
  return distinct(found, std::move(values));
}

std::vector<std::string> Scale::words(std::string_view setting,
                                      const std::vector<std::string>& known,
                                      bool may_be_empty) const {
  const Setting& found = list(setting, may_be_empty);
  std::vector<std::string> values;
  for (const Setting::Value& value : found.values) {
    values.push_back(read_word(found, value, known));
  }
  return distinct(found, std::move(values));
}

std::map<std::string, std::string> Scale::options() const {
  constexpr std::string_view kOptions = "options.";
  constexpr std::array<std::string_view, 8> kElsewhere{"network",  "width", "seed",  "data",
                                                       "data-dir", "out",   "trunk", "trunk-stage"};
  std::map<std::string, std::string> given{{"network", word("network", row_names(network_table()))},
                                           {"width", fmt::format("{}", whole("width", 0, 4096))}};
  for (const auto& [full, setting] : settings) {
    if (full.starts_with(kOptions)) {
      const std::string option = full.substr(kOptions.size());
      if (std::ranges::find(kElsewhere, option) != kElsewhere.end()) {
        throw UsageError(setting.where, "is no option that a scale can set",
                         "network and width are settings; seeds, data and folders are options of "
                         "the experiment");
      }
      const Setting::Value& value = at(full, false).values.front();
      const bool is_flag = value.kind == Setting::Kind::flag;
      given[option] = is_flag ? (value.text == "true" ? "on" : "off") : value.text;
    }
  }
  return given;
}

void Scale::check_all_read(std::string_view experiment) const {
  for (const auto& [full, setting] : settings) {
    if (!read_.contains(full)) {
      throw UsageError(setting.where, fmt::format("{} has no such setting", experiment),
                       remedy_for(full, read_) + ", and options.NAME for an option of gcg_run");
    }
  }
}

std::vector<std::string> scale_names(const SettingsFile& shipped) {
  std::vector<std::pair<toml::source_index, std::string>> found;
  for (const auto& [key, node] : parse(shipped.name, shipped.text)) {
    found.emplace_back(node.source().begin.line, key.str());
  }
  std::ranges::sort(found);
  std::vector<std::string> names;
  names.reserve(found.size());
  for (auto& [line, name] : found) {
    names.push_back(std::move(name));
  }
  return names;
}

Scale read_scale(const SettingsFile& shipped, const std::string& asked,
                 const std::vector<std::string>& changes, std::string_view data) {
  Scale scale = asked.ends_with(".toml") ? own_scale(shipped, asked, data)
                                         : shipped_scale(shipped, asked, data, "--scale");
  Settings changed;
  for (const std::string& text : changes) {
    auto [name, setting] = change_of(text);
    if (!changed.emplace(name, std::move(setting)).second) {
      throw UsageError("--set " + name, "is given twice", "give it once");
    }
  }
  if (!changed.empty()) {
    scale.name = changed_name(scale.name, changed);
    scale.is_shipped = false;
    for (const auto& [name, setting] : changed) {
      scale.settings[name] = setting;
    }
  }
  return scale;
}

}  // namespace gcg
