#include "base/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace gcg {

namespace {

constexpr Range kUnsigned{0, 18446744073709551615.0};

std::string range_text(const Range& range) {
  if (range.low == kUnsigned.low && range.high == kUnsigned.high) {
    return "[0, 18446744073709551615]";
  }
  return fmt::format("{}{}, {}{}", range.low_open ? "(" : "[", number_text(range.low),
                     number_text(range.high), range.high_open ? ")" : "]");
}

/// All of the text is the number, and the number fits the type before anything is made of it.
template <typename T>
T parse_number(const std::string& name, const std::string& text, const Range& range,
               std::string_view kind) {
  const std::optional<T> value = whole_number_text<T>(text);
  const auto number = static_cast<double>(value.value_or(T{}));
  // Written so that NaN is outside of every range.
  const bool inside = (range.low_open ? number > range.low : number >= range.low) &&
                      (range.high_open ? number < range.high : number <= range.high);
  if (!value || !inside) {
    throw UsageError("--" + name,
                     fmt::format("'{}' is not {} in {}", text, kind, range_text(range)),
                     "--help says what the option means");
  }
  return *value;
}

}  // namespace

std::string number_text(double value) { return fmt::format("{}", value); }

Option& Option::used_if(std::function<bool()> condition, std::string reason_if_not) {
  unused = [condition = std::move(condition), reason = std::move(reason_if_not)] {
    return condition() ? std::string() : reason;
  };
  return *this;
}

Option& Option::identified_by(std::function<std::string()> identity, std::string of_default) {
  identity_text = std::move(identity);
  default_identity = std::move(of_default);
  return *this;
}

Option& Option::cosmetic() {
  return cosmetic_if([] { return true; });
}

Option& Option::stands_for_others() {
  is_in_commands = false;
  return cosmetic();
}

Option& Option::cosmetic_if(std::function<bool()> condition) {
  affects_result = [condition = std::move(condition)] { return !condition(); };
  return *this;
}

bool Option::deviates() const {
  // The default may stand for different values too, where an identity of the default is given.
  return affects_result() && (text() != default_text || !default_identity.empty()) &&
         identity_text() != default_identity;
}

void OptionList::group(std::string heading) { group_ = std::move(heading); }

Option& OptionList::append(Option option) {
  if (find(option.name) != nullptr) {
    throw Error("--" + option.name, "the option is declared twice");
  }
  option.group = group_;
  option.default_text = option.text();
  option.default_identity = option.default_text;
  option.identity_text = option.text;
  option.affects_result = [] { return true; };
  option.unused = [] { return std::string(); };
  options_.push_back(std::move(option));
  return options_.back();
}

Option& OptionList::add(std::string name, double& value, Range range, std::string help) {
  Option option;
  option.name = name;
  option.help = fmt::format("{}; {}", help, range_text(range));
  option.set = [name = std::move(name), range, &value](const std::string& text) {
    value = parse_number<double>(name, text, range, "a number");
  };
  option.text = [&value] { return number_text(value); };
  return append(std::move(option));
}

Option& OptionList::add(std::string name, std::int64_t& value, Range range, std::string help) {
  Option option;
  option.name = name;
  option.help = fmt::format("{}; whole number in {}", help, range_text(range));
  option.set = [name = std::move(name), range, &value](const std::string& text) {
    value = parse_number<std::int64_t>(name, text, range, "a whole number");
  };
  option.text = [&value] { return fmt::format("{}", value); };
  return append(std::move(option));
}

Option& OptionList::add(std::string name, std::uint64_t& value, std::string help) {
  Option option;
  option.name = name;
  option.help = fmt::format("{}; whole number in {}", help, range_text(kUnsigned));
  option.set = [name = std::move(name), &value](const std::string& text) {
    value = parse_number<std::uint64_t>(name, text, kUnsigned, "a whole number");
  };
  option.text = [&value] { return fmt::format("{}", value); };
  return append(std::move(option));
}

Option& OptionList::add(std::string name, bool& value, std::string help) {
  Option option;
  option.name = name;
  option.help = std::move(help);
  option.set = [name = std::move(name), &value](const std::string& text) {
    if (text != "on" && text != "off") {
      throw UsageError("--" + name, fmt::format("'{}' is neither 'on' nor 'off'", text));
    }
    value = text == "on";
  };
  option.text = [&value] { return std::string(value ? "on" : "off"); };
  return append(std::move(option));
}

Option& OptionList::add(std::string name, std::string& value, std::string help) {
  Option option;
  option.name = std::move(name);
  option.help = std::move(help);
  option.set = [&value](const std::string& text) { value = text; };
  option.text = [&value] { return value; };
  return append(std::move(option));
}

Option& OptionList::add_choice(std::string name, std::string& value,
                               std::vector<std::string> choices, std::string help) {
  Option option;
  option.name = name;
  std::vector<std::string> named = choices;
  std::erase(named, std::string());  // stands for an option that is left out
  option.help = fmt::format("{}; one of: {}", help, fmt::join(named, ", "));
  option.set = [name = std::move(name), choices = std::move(choices),
                &value](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      throw UsageError("--" + name,
                       fmt::format("'{}' is none of: {}", text, fmt::join(choices, ", ")));
    }
    value = text;
  };
  option.text = [&value] { return value; };
  return append(std::move(option));
}

const Option* OptionList::find(std::string_view name) const {
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const Option& option) { return option.name == name; });
  return found == options_.end() ? nullptr : &*found;
}

Option& OptionList::at(std::string_view name) {
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const Option& option) { return option.name == name; });
  if (found == options_.end()) {
    throw UsageError(fmt::format("--{}", name), "there is no such option", "see --help");
  }
  return *found;
}

void OptionList::restrict(std::string_view name, std::function<bool()> condition,
                          std::string reason_if_not) {
  Option& option = at(name);
  option.unused = [condition = std::move(condition), reason = std::move(reason_if_not),
                   before = std::move(option.unused)] { return condition() ? before() : reason; };
}

void OptionList::set(std::string_view name, const std::string& text) { at(name).set(text); }

}  // namespace gcg
