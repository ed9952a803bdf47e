#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "train/method.h"

namespace gcg {

struct MethodEntry {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  std::unique_ptr<Method> (*make)();
};

/// Every method, in the order of --list. To add one: write its file, add its row.
std::span<const MethodEntry> method_table();

/// A method with default options. Unknown names: UsageError.
std::unique_ptr<Method> make_method(std::string_view name);

// One function per method; those of one family share a file.
std::unique_ptr<Method> make_dense();
std::unique_ptr<Method> make_gcg();
std::unique_ptr<Method> make_fixed_mask();
std::unique_ptr<Method> make_small_dense();
std::unique_ptr<Method> make_set();
std::unique_ptr<Method> make_rigl();
std::unique_ptr<Method> make_granet();
std::unique_ptr<Method> make_gmp();
std::unique_ptr<Method> make_acdc();
std::unique_ptr<Method> make_imp();
std::unique_ptr<Method> make_grow_reallocate();
std::unique_ptr<Method> make_grow_return();
std::unique_ptr<Method> make_grow_budget();

}  // namespace gcg
