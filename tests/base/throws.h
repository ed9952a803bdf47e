#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

/// The statement must throw a gcg::Error (or one derived from it) whose text matches.
#define GCG_EXPECT_ERROR(statement, matcher)         \
  EXPECT_THAT([&] { static_cast<void>(statement); }, \
              ::testing::Throws<::gcg::Error>(       \
                  ::testing::Property("what", &::gcg::Error::what, (matcher))))
