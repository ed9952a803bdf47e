#include "device/held_images.h"

#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "dense/transfer.h"

namespace gcg {

namespace {

/// How many there are.
std::int64_t count_of(const RawImages& images) {
  const Shape& shape = images.shape;
  const std::int64_t count =
      shape.elements() > 0 ? std::ssize(images.pixels) / shape.elements() : 0;
  if (count == 0 || std::ssize(images.pixels) != count * shape.elements() ||
      std::ssize(images.scale) != shape.channels || std::ssize(images.offset) != shape.channels) {
    throw Error("HeldImages",
                fmt::format("{} bytes are no images of {}x{}x{}", images.pixels.size(),
                            shape.channels, shape.height, shape.width));
  }
  return count;
}

}  // namespace

HeldImages hold_images(const RawImages& images, const at::Device& device) {
  const Shape& shape = images.shape;
  const std::int64_t count = count_of(images);
  HeldImages held;
  held.pixels = at::empty({count, shape.height, shape.width, shape.channels},
                          at::TensorOptions(device).dtype(at::kByte));
  // In parts, each of which is on the device twice until it is in its place.
  const std::int64_t most = std::max<std::int64_t>(1, kUploadBytes / shape.elements());
  for (std::int64_t first = 0; first < count; first += most) {
    const std::int64_t some = std::min(most, count - first);
    const auto bytes = images.pixels.subspan(static_cast<std::size_t>(first * shape.elements()),
                                             static_cast<std::size_t>(some * shape.elements()));
    held.pixels.narrow(0, first, some)
        .copy_(to_device_once(bytes, {some, shape.channels, shape.height, shape.width}, device)
                   .permute({0, 2, 3, 1}));
  }
  held.scale = to_device(images.scale, {shape.channels}, device).clone();
  held.offset = to_device(images.offset, {shape.channels}, device).clone();
  return held;
}

HeldImages send_images(const RawImages& images, const at::Device& device) {
  const Shape& shape = images.shape;
  const at::Tensor planes = to_device(
      images.pixels, {count_of(images), shape.channels, shape.height, shape.width}, device);
  return {planes.permute({0, 2, 3, 1}), to_device(images.scale, {shape.channels}, device),
          to_device(images.offset, {shape.channels}, device)};
}

at::Tensor place_images(const HeldImages& images, std::span<const Placement> placements,
                        at::MemoryFormat format) {
  const at::Tensor& pixels = images.pixels;
  const auto size = std::ssize(placements);
  std::vector<std::int64_t> numbers(4 * placements.size());
  for (std::size_t i = 0; i < placements.size(); ++i) {
    const Placement& place = placements[i];
    if (place.image < 0 || place.image >= pixels.size(0)) {
      throw Error("HeldImages",
                  fmt::format("there is no image {} among {}", place.image, pixels.size(0)));
    }
    numbers[i] = place.image;
    numbers[placements.size() + i] = place.row;
    numbers[2 * placements.size() + i] = place.column;
    numbers[3 * placements.size() + i] = place.mirrored ? 1 : 0;
  }
  const at::Tensor each = to_device(numbers, {4, size, 1}, pixels.device());
  const std::int64_t height = pixels.size(1);
  const std::int64_t width = pixels.size(2);
  const auto whole = at::TensorOptions(pixels.device()).dtype(at::kLong);
  const at::Tensor across = at::arange(width, whole);
  const at::Tensor rows = at::arange(height, whole) + each[1];  // [size][height]
  const at::Tensor columns = at::where(each[3].eq(1), across.neg() + (width - 1), across) + each[2];
  const at::Tensor outside = (rows.lt(0) | rows.ge(height)).unsqueeze(2) |
                             (columns.lt(0) | columns.ge(width)).unsqueeze(1);
  const at::Tensor bytes =
      pixels.index({each[0].unsqueeze(2), rows.clamp(0, height - 1).unsqueeze(2),
                    columns.clamp(0, width - 1).unsqueeze(1)});
  // Two operations, each rounded, as on the host.
  return bytes.to(at::kFloat)
      .mul_(images.scale)
      .add_(images.offset)
      .masked_fill_(outside.unsqueeze(3), 0)
      .permute({0, 3, 1, 2})
      .contiguous(format);
}

}  // namespace gcg
