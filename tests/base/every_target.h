#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace gcg {

/// Calls test() once for every instruction set that Highway compiles for and this processor has;
/// dispatching functions take that one.
template <typename Test>
void on_every_target(Test test) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    test();
    hwy::SetSupportedTargetsForTest(0);
  }
}

}  // namespace gcg
