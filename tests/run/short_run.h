#pragma once

#include <map>
#include <memory>
#include <string>

#include "method/methods.h"

namespace gcg::testing {

/// Those of the settings that the method has and makes use of: short training, low density.
inline std::map<std::string, std::string> short_run(const std::string& method) {
  const std::map<std::string, std::string> settings{{"target-density", "0.4"},
                                                    {"seed-density", "0.4"},
                                                    {"disconnected", "warn"},
                                                    {"update-interval", "0.5"},
                                                    {"growth-stages", "1"},
                                                    {"max-stages", "3"},
                                                    {"stop", "never"},
                                                    {"stage-epochs", "1"},
                                                    {"turn", "0.125"},
                                                    {"growth-rule", "momentum"},
                                                    {"rewind-share", "0.2"},
                                                    {"peak-density", "0.6"},
                                                    {"smallest-density", "0.45"},
                                                    {"budget-share", "3"}};
  const std::unique_ptr<Method> made = make_method(method);
  OptionList list;
  made->add_options(list);
  std::map<std::string, std::string> used;
  for (const auto& [name, value] : settings) {
    const Option* option = list.find(name);
    if (option != nullptr && option->unused().empty()) {
      used[name] = value;
    }
  }
  return used;
}

}  // namespace gcg::testing
