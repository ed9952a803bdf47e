#include "record/hdf5_calls.h"

#include <fmt/format.h>

#include <utility>

namespace gcg::hdf5 {

namespace {

extern "C" herr_t append_error(unsigned, const H5E_error2_t* error, void* text) {
  auto& stack = *static_cast<std::string*>(text);
  stack += error->func_name != nullptr ? error->func_name : "?";
  stack += ": ";
  stack += error->desc != nullptr ? error->desc : "?";
  stack += '\n';
  return 0;
}

std::string stack_summary(const std::string& stack) {
  // Outermost reason and innermost reason: what failed and why.
  if (stack.empty()) {
    return "";
  }
  const std::size_t first = stack.find('\n');
  const std::size_t last = stack.rfind('\n', stack.size() - 2);
  const std::string outer = stack.substr(0, first);
  if (last == std::string::npos) {
    return fmt::format(" (HDF5: {})", outer);
  }
  return fmt::format(" (HDF5: {}; {})", outer, stack.substr(last + 1, stack.size() - last - 2));
}

}  // namespace

Hdf5Error::Hdf5Error(std::string_view where, std::string_view problem, std::string stack)
    : Error(where, std::string(problem) + stack_summary(stack)), stack_(std::move(stack)) {}

Handle::~Handle() {
  if (id_ >= 0) {
    close_(id_);
  }
}

void fail(std::string_view where, std::string_view action) {
  std::string stack;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append_error, &stack);
  H5Eclear2(H5E_DEFAULT);
  throw Hdf5Error(where, fmt::format("cannot {}", action), std::move(stack));
}

Handle owned(hid_t id, Handle::Close close, std::string_view where, std::string_view action) {
  return {checked(id, where, action), close};
}

Handle make_flag_type(const std::string& where) {
  Handle type = owned(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose, where, "make a type");
  const std::int8_t no = 0;
  const std::int8_t yes = 1;
  checked(H5Tenum_insert(type.get(), "FALSE", &no), where, "make a type");
  checked(H5Tenum_insert(type.get(), "TRUE", &yes), where, "make a type");
  return type;
}

Handle make_text_type(const std::string& where, std::size_t size) {
  Handle type = owned(H5Tcopy(H5T_C_S1), H5Tclose, where, "make a type");
  checked(H5Tset_size(type.get(), size), where, "make a type");
  checked(H5Tset_cset(type.get(), H5T_CSET_UTF8), where, "make a type");
  checked(H5Tset_strpad(type.get(), size == H5T_VARIABLE ? H5T_STR_NULLTERM : H5T_STR_NULLPAD),
          where, "make a type");
  return type;
}

void plain_header(hid_t list, const std::string& where) {
  checked(H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED), where, "set up an object");
  checked(H5Pset_attr_phase_change(list, 4096, 4095), where, "set up an object");
  checked(H5Pset_obj_track_times(list, false), where, "set up an object");
}

void plain_group(hid_t list, const std::string& where) {
  plain_header(list, where);
  checked(H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), where,
          "set up a group");
  checked(H5Pset_link_phase_change(list, 4096, 4095), where, "set up a group");
}

Handle array_list(H5D_layout_t layout, const std::string& where) {
  Handle list = owned(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, where, "set up a data set");
  plain_header(list.get(), where);
  checked(H5Pset_fill_time(list.get(), H5D_FILL_TIME_NEVER), where, "set up a data set");
  checked(H5Pset_layout(list.get(), layout), where, "set up a data set");
  return list;
}

}  // namespace gcg::hdf5
