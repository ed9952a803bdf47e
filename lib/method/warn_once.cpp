#include "method/warn_once.h"

#include <algorithm>

namespace gcg {

void warn_once(RunRecord& record, const std::string& warning) {
  const std::string what = warning.substr(0, warning.rfind(" ("));
  if (std::ranges::none_of(record.warnings,
                           [&](const std::string& told) { return told.starts_with(what); })) {
    record.warnings.push_back(warning);
  }
}

}  // namespace gcg
