#include <fmt/format.h>

#include <algorithm>

#include "record/hdf5_calls.h"

namespace gcg::hdf5 {

namespace {

constexpr std::size_t kImageIncrement = std::size_t{1} << 18;
constexpr std::string_view kSignature = "\211HDF\r\n\032\n";

/// Access in memory only. The superblock is the first version's, which every reader knows:
/// HDF5 1.10 copies later ones out of memory with a wrong checksum (its issue 1915).
Handle memory_access(const std::string& name) {
  // The library prints its errors unless told not to; they travel in Hdf5Error instead.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  Handle list = owned(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, name, "set up the file");
  checked(H5Pset_fapl_core(list.get(), kImageIncrement, false), name, "set up the file");
  checked(H5Pset_libver_bounds(list.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V110), name,
          "set up the file");
  return list;
}

/// What the library calls the file: it refuses names of files that exist and takes equal names for
/// one file.
std::string library_name(const Image* image) {
  return fmt::format("/dev/null/{}", static_cast<const void*>(image));
}

Handle create_image(const Image* image, const std::string& name) {
  const Handle access = memory_access(name);
  const Handle creation = owned(H5Pcreate(H5P_FILE_CREATE), H5Pclose, name, "set up the file");
  plain_group(creation.get(), name);
  return owned(H5Fcreate(library_name(image).c_str(), H5F_ACC_TRUNC, creation.get(), access.get()),
               H5Fclose, name, "create the file in memory");
}

Handle open_image(const Image* image, const std::string& name, std::span<const std::byte> bytes) {
  if (bytes.size() < kSignature.size() ||
      !std::equal(kSignature.begin(), kSignature.end(), bytes.begin(),
                  [](char c, std::byte b) { return static_cast<std::byte>(c) == b; })) {
    throw Error(name, bytes.empty() ? "is empty" : "is not an HDF5 file");
  }
  const Handle access = memory_access(name);
  // The library copies the bytes and does not change them, but its signature does not say so.
  checked(H5Pset_file_image(access.get(), const_cast<std::byte*>(bytes.data()), bytes.size()), name,
          "take the file's content");
  return owned(H5Fopen(library_name(image).c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose, name,
               "open as HDF5: it is truncated or damaged");
}

Handle open_root(const Handle& file, const std::string& name) {
  return owned(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, name, "open the root group");
}

}  // namespace

Image::Image(const std::string& name, Storage storage)
    : name_(name),
      file_(create_image(this, name)),
      root_(std::make_shared<const Object::Shared>(name, storage), "", open_root(file_, name)) {}

Image::Image(const std::string& name, std::span<const std::byte> bytes)
    : name_(name),
      file_(open_image(this, name, bytes)),
      root_(std::make_shared<const Object::Shared>(name, Storage::plain), "",
            open_root(file_, name)) {}

std::vector<std::byte> Image::bytes() const {
  checked(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), name_, "finish the file");
  const auto size = checked(H5Fget_file_image(file_.get(), nullptr, 0), name_, "measure the file");
  std::vector<std::byte> content(static_cast<std::size_t>(size));
  checked(H5Fget_file_image(file_.get(), content.data(), content.size()), name_, "copy the file");
  return content;
}

}  // namespace gcg::hdf5
