#include "dense/transfer.h"

#include <ATen/ops/from_blob.h>
#include <torch/csrc/api/include/torch/version.h>

#include "base/error.h"

namespace gcg {

namespace {

/// LibTorch has no tensors of constants: whoever gets this one only reads it.
template <typename T>
at::Tensor view(std::span<const T> values, at::IntArrayRef sizes, at::ScalarType type) {
  return at::from_blob(const_cast<T*>(values.data()), sizes, type);
}

at::Tensor sent(const at::Tensor& host, const at::Device& device) {
  return device.is_cpu() ? host : host.pin_memory().to(device, host.scalar_type(), true);
}

void check_on_host(const at::Tensor& tensor) {
  if (!tensor.device().is_cpu()) {
    throw Error("dense execution", "a tensor on " + tensor.device().str() + " is read as memory");
  }
}

float* elements(const at::Tensor& tensor) {
#if TORCH_VERSION_MAJOR >= 2
  return tensor.mutable_data_ptr<float>();
#else
  return tensor.data_ptr<float>();
#endif
}

}  // namespace

at::Tensor to_device(std::span<const float> values, at::IntArrayRef sizes,
                     const at::Device& device) {
  return sent(view(values, sizes, at::kFloat), device);
}

at::Tensor to_device(std::span<const std::int64_t> values, at::IntArrayRef sizes,
                     const at::Device& device) {
  return sent(view(values, sizes, at::kLong), device);
}

at::Tensor to_device(std::span<const std::uint8_t> values, at::IntArrayRef sizes,
                     const at::Device& device) {
  return sent(view(values, sizes, at::kByte), device);
}

at::Tensor to_device_once(std::span<const std::uint8_t> values, at::IntArrayRef sizes,
                          const at::Device& device) {
  return view(values, sizes, at::kByte).to(device);
}

void assign(const at::Tensor& to, std::span<const float> from) {
  to.copy_(view(from, to.sizes(), at::kFloat));
}

std::vector<float> plain(const at::Tensor& from) {
  std::vector<float> to(static_cast<std::size_t>(from.numel()));
  at::from_blob(to.data(), from.sizes(), at::kFloat).copy_(from.detach());
  return to;
}

std::vector<double> plain_doubles(const at::Tensor& from) {
  std::vector<double> to(static_cast<std::size_t>(from.numel()));
  at::from_blob(to.data(), from.sizes(), at::kDouble).copy_(from.detach());
  return to;
}

std::span<float> host_memory(const at::Tensor& tensor) {
  check_on_host(tensor);
  return {elements(tensor), static_cast<std::size_t>(tensor.numel())};
}

std::span<std::byte> host_bytes(const at::Tensor& tensor) {
  check_on_host(tensor);
  return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

}  // namespace gcg
