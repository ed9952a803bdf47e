#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// The values that a numeric option accepts. An open end excludes its bound.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;
  bool high_open = false;
};

inline constexpr Range kPositive{0, std::numeric_limits<double>::infinity(), true, true};
inline constexpr Range kNotNegative{0, std::numeric_limits<double>::infinity(), false, true};
inline constexpr Range kFraction{0, 1, true, false};      ///< (0, 1]: a density
inline constexpr Range kProbability{0, 1, false, false};  ///< [0, 1]

/// One option, bound to a member of a plain struct; its default is the member's value when added.
struct Option {
  std::string name;                             ///< as on the command line, without "--"
  std::string group;                            ///< heading it stands under in --help
  std::string help;                             ///< what it does, with unit and range
  std::string default_text;                     ///< canonical text of the default
  std::string default_identity;                 ///< what stands for the default in an identity
  std::function<bool()> affects_result;         ///< whether it is part of a run's identity
  std::function<void(const std::string&)> set;  ///< throws a UsageError that names option and range
  std::function<std::string()> text;            ///< canonical text of the present value
  /// What stands for the value in a run's identity: its text, or the digest of the file it names.
  std::function<std::string()> identity_text;
  /// Empty if the option has an effect with the present values of the others, else the reason why
  /// it has none.
  std::function<std::string()> unused;
  bool is_in_commands = true;

  Option& used_if(std::function<bool()> condition, std::string reason_if_not);
  /// What text stands for the value in an identity, and for the default if it is not its text.
  Option& identified_by(std::function<std::string()> identity, std::string of_default = {});
  Option& cosmetic();  ///< does not affect the result: left out of a run's identity
  Option& cosmetic_if(std::function<bool()> condition);  ///< by the present values of others
  /// Stands for the values of other options: cosmetic, and left out of a recorded command, which
  /// has those.
  Option& stands_for_others();

  /// Whether the present value gives another run than the default.
  [[nodiscard]] bool deviates() const;
};

/// The options of one run, in the order of --help. The owner of a struct of settings adds its
/// members; the struct must outlive the list.
class OptionList {
 public:
  /// Options added after this call stand under this heading in --help.
  void group(std::string heading);

  Option& add(std::string name, double& value, Range range, std::string help);
  Option& add(std::string name, std::int64_t& value, Range range, std::string help);
  Option& add(std::string name, std::uint64_t& value, std::string help);
  Option& add(std::string name, bool& value, std::string help);  ///< texts: on, off
  Option& add(std::string name, std::string& value, std::string help);
  /// One of a fixed list of words.
  Option& add_choice(std::string name, std::string& value, std::vector<std::string> choices,
                     std::string help);

  /// Adds one more condition to an option that is already in the list; as Option::used_if.
  void restrict(std::string_view name, std::function<bool()> condition, std::string reason_if_not);

  [[nodiscard]] const std::vector<Option>& options() const { return options_; }
  [[nodiscard]] const Option* find(std::string_view name) const;

  /// Sets one option from its text. An unknown name or impossible value: UsageError.
  void set(std::string_view name, const std::string& text);

 private:
  Option& append(Option option);

  Option& at(std::string_view name);

  std::string group_;
  std::vector<Option> options_;
};

/// The shortest text that reads back as the same double ("0.1", "inf").
std::string number_text(double value);

}  // namespace gcg
