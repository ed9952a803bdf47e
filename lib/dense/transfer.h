#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gcg {

/// Where plain memory and tensors on a device meet; nothing else in this folder reads or writes an
/// element.

/// Plain row-major memory as a tensor on a device. On the CPU it is the memory itself, which has to
/// outlive the tensor and must not be written to through it; to another device it is copied by way
/// of page-locked memory, without waiting for the device.
at::Tensor to_device(std::span<const float> values, at::IntArrayRef sizes,
                     const at::Device& device);
at::Tensor to_device(std::span<const std::int64_t> values, at::IntArrayRef sizes,
                     const at::Device& device);
at::Tensor to_device(std::span<const std::uint8_t> values, at::IntArrayRef sizes,
                     const at::Device& device);
/// The same for bytes that are many and sent once: without page-locked memory, of which the host
/// would keep as much; waits for the device.
at::Tensor to_device_once(std::span<const std::uint8_t> values, at::IntArrayRef sizes,
                          const at::Device& device);

/// Copies plain row-major memory into a tensor of any device and memory format, and back.
void assign(const at::Tensor& to, std::span<const float> from);
std::vector<float> plain(const at::Tensor& from);
std::vector<double> plain_doubles(const at::Tensor& from);

/// The elements of a dense tensor in the order they lie in memory. An Error unless it is on the
/// CPU.
std::span<float> host_memory(const at::Tensor& tensor);
/// The same of any type, as bytes.
std::span<std::byte> host_bytes(const at::Tensor& tensor);

}  // namespace gcg
