#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"

namespace gcg {

/// A setting as its file has it: a word, a number, true or false, or a list of them.
struct Setting {
  enum class Kind { whole, number, word, flag };
  struct Value {
    Kind kind;
    std::string text;
  };
  std::string where;  ///< "growth_rules.toml, line 12", for complaints
  bool is_list = false;
  std::vector<Value> values;  ///< exactly one unless it is a list
};

/// The sizes of one scale of an experiment on one data set: what its settings file says. Every
/// reading function checks type and range; its complaint (UsageError) names file, line and remedy.
class Scale {
 public:
  std::string name;         ///< of the study file: smoke, small, full, or the user's own
  std::string where;        ///< file and line of its table
  bool is_shipped = false;  ///< smoke, small or full as they come with the program
  std::map<std::string, Setting> settings;  ///< those of gcg_run are called "options.NAME"

  [[nodiscard]] std::int64_t whole(std::string_view setting, std::int64_t low,
                                   std::int64_t high) const;
  [[nodiscard]] double number(std::string_view setting, const Range& range) const;
  [[nodiscard]] bool flag(std::string_view setting) const;
  /// One of `known`.
  [[nodiscard]] std::string word(std::string_view setting,
                                 const std::vector<std::string>& known) const;
  /// Lists, without repetition; empty ones only where `may_be_empty`.
  [[nodiscard]] std::vector<std::int64_t> wholes(std::string_view setting, std::int64_t low,
                                                 std::int64_t high,
                                                 bool may_be_empty = false) const;
  [[nodiscard]] std::vector<double> numbers(std::string_view setting, const Range& range,
                                            bool may_be_empty = false) const;
  [[nodiscard]] std::vector<std::string> words(std::string_view setting,
                                               const std::vector<std::string>& known,
                                               bool may_be_empty = false) const;
  /// Options of gcg_run that every run has: network, width, and what the table `options` has.
  [[nodiscard]] std::map<std::string, std::string> options() const;
  [[nodiscard]] std::int64_t seeds() const { return whole("seeds", 1, 1000); }
  /// The first of them: 1, or the setting first-seed where a rule was chosen on earlier ones.
  [[nodiscard]] std::int64_t first_seed() const {
    return settings.contains("first-seed") ? whole("first-seed", 1, 1'000'000) : 1;
  }

  /// UsageError: a setting that nobody has read, since the experiment has no such one.
  void check_all_read(std::string_view experiment) const;

 private:
  [[nodiscard]] const Setting& at(std::string_view setting, bool is_list) const;
  [[nodiscard]] const Setting& list(std::string_view setting, bool may_be_empty) const;

  mutable std::set<std::string, std::less<>> read_;
};

/// The settings file that an experiment comes with.
struct SettingsFile {
  std::string_view name;  ///< "growth_rules.toml"
  std::string_view text;
};

/// The scales of a settings file, in its order.
std::vector<std::string> scale_names(const SettingsFile& shipped);

/// The scale asked for on a data set. `asked` is the name of a scale in `shipped`, or the path of a
/// file of the user (it ends in ".toml") with one table, which has the scale's name; `like = NAME`
/// in it takes what it leaves out from the shipped scale of that name. `changes` are texts
/// "SETTING=VALUE", which win; they become part of the scale's name. UsageError: what cannot be
/// read, with file, line and remedy.
Scale read_scale(const SettingsFile& shipped, const std::string& asked,
                 const std::vector<std::string>& changes, std::string_view data);

}  // namespace gcg
