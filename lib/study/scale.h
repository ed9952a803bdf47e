#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"

namespace gcg {

/// A setting as its file has it: a word, a number, true or false, or a list of these.
struct Setting {
  enum class Kind { whole, number, word, flag };
  struct Value {
    Kind kind;
    std::string text;
  };
  std::string where;  ///< "growth_rules.toml, line 12", for errors
  bool is_list = false;
  std::vector<Value> values;  ///< exactly one unless it is a list
};

/// The sizes of one scale of an experiment on one data set, as its settings file says. Every
/// reading function checks type and range; its UsageError names file, line and remedy.
class Scale {
 public:
  std::string name;         ///< as in the study file: smoke, small, full, or the user's own
  std::string where;        ///< file and line of its table
  bool is_shipped = false;  ///< smoke, small or full as shipped with the program
  std::map<std::string, Setting> settings;  ///< options of gcg_run are called "options.NAME"

  [[nodiscard]] std::int64_t whole(std::string_view setting, std::int64_t low,
                                   std::int64_t high) const;
  [[nodiscard]] double number(std::string_view setting, const Range& range) const;
  [[nodiscard]] bool flag(std::string_view setting) const;
  /// A word out of `known`.
  [[nodiscard]] std::string word(std::string_view setting,
                                 const std::vector<std::string>& known) const;
  /// Lists without repeated values; they may be empty only with `may_be_empty`.
  [[nodiscard]] std::vector<std::int64_t> wholes(std::string_view setting, std::int64_t low,
                                                 std::int64_t high,
                                                 bool may_be_empty = false) const;
  [[nodiscard]] std::vector<double> numbers(std::string_view setting, const Range& range,
                                            bool may_be_empty = false) const;
  [[nodiscard]] std::vector<std::string> words(std::string_view setting,
                                               const std::vector<std::string>& known,
                                               bool may_be_empty = false) const;
  /// The options of gcg_run for every run: network, width, and those in the table `options`.
  [[nodiscard]] std::map<std::string, std::string> options() const;
  [[nodiscard]] std::int64_t seeds() const { return whole("seeds", 1, 1000); }
  /// The first seed: 1, or the setting first-seed if a rule was chosen on earlier seeds.
  [[nodiscard]] std::int64_t first_seed() const {
    return settings.contains("first-seed") ? whole("first-seed", 1, 1'000'000) : 1;
  }

  /// UsageError if a setting was never read: the experiment does not have it.
  void check_all_read(std::string_view experiment) const;

 private:
  [[nodiscard]] const Setting& at(std::string_view setting, bool is_list) const;
  [[nodiscard]] const Setting& list(std::string_view setting, bool may_be_empty) const;

  mutable std::set<std::string, std::less<>> read_;
};

/// The settings file that is shipped with an experiment.
struct SettingsFile {
  std::string_view name;  ///< "growth_rules.toml"
  std::string_view text;
};

/// The names of the scales in a settings file, in its order.
std::vector<std::string> scale_names(const SettingsFile& shipped);

/// Reads the requested scale for a data set. `asked` is the name of a scale in `shipped`, or the
/// path of a user's file (ending in ".toml") with one table named like the scale; `like = NAME` in
/// it takes missing settings from the shipped scale of that name. `changes` are texts
/// "SETTING=VALUE" that override; they become part of the scale's name. UsageError, with file, line
/// and remedy: what cannot be read.
Scale read_scale(const SettingsFile& shipped, const std::string& asked,
                 const std::vector<std::string>& changes, std::string_view data);

}  // namespace gcg
