#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "backend/executor.h"

namespace gcg {

/// Sets of at most so many bytes are held by a device: CIFAR (150 MB) and TinyImageNet (1.2 GB)
/// are.
inline constexpr std::int64_t kMostHeldBytes = std::int64_t{4} << 30;

/// Of which so many are uploaded at a time.
inline constexpr std::int64_t kUploadBytes = std::int64_t{64} << 20;

/// Images that lie on a device as bytes.
struct HeldImages {
  at::Tensor pixels;  ///< [images][height][width][channels] bytes
  at::Tensor scale;   ///< [channels] float
  at::Tensor offset;
};

/// Uploads the images of a set, which may be given up then. Errors: sizes that do not fit.
HeldImages hold_images(const RawImages& images, const at::Device& device);

/// Sends those of a batch as to_device() does: on the CPU they are the memory of `images` itself.
HeldImages send_images(const RawImages& images, const at::Device& device);

/// A batch of them [size][channels][height][width], normalised: the values that SampleMaker::make
/// gives of these bytes, bit for bit. Memory in the order of `format`. Errors: an image that is not
/// there.
at::Tensor place_images(const HeldImages& images, std::span<const Placement> placements,
                        at::MemoryFormat format);

}  // namespace gcg
