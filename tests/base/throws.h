#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/error.h"

/// The statement must throw a gcg::Error (or one derived from it) whose text matches.
/// No lambda: Clang 14 lets none use a structured binding.
#define GCG_EXPECT_ERROR(statement, matcher)                                             \
  do {                                                                                   \
    std::optional<std::string> gcg_told;                                                 \
    try {                                                                                \
      static_cast<void>(statement);                                                      \
    } catch (const ::gcg::Error& gcg_error) {                                            \
      gcg_told = gcg_error.what();                                                       \
    }                                                                                    \
    EXPECT_THAT(gcg_told, ::testing::Optional(matcher)) << "what " #statement " throws"; \
  } while (false)
