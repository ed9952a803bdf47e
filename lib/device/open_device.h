#pragma once

#include <string>

#include "backend/precision.h"

namespace gcg {

/// How a device computes.
struct DeviceSettings {
  std::string device =
      "cpu";  ///< "cpu" or "cuda", the first of those that CUDA_VISIBLE_DEVICES shows
  Precision precision = Precision::fp32;
  bool deterministic =
      true;             ///< on cuda: operations that give the same bits every time, or an error
  bool graphs = false;  ///< on cuda: forward and backward pass as a CUDA graph
};

/// Sets LibTorch up for a device, for the whole process; comes before any work on it. Errors: a
/// LibTorch without CUDA or, where they are asked for, without CUDA graphs; no device.
void open_device(const DeviceSettings& settings);

/// What open_device sets, for the whole process as well. The factors of a GPU's products: rounded
/// to tf32, or as they are.
void set_tf32(bool on);
/// Operations that give the same bits every time, or an error; or the fastest ones, tried out.
void set_deterministic(bool on);

/// "NVIDIA A100-SXM4-40GB, 40.0 GiB", as the driver says; empty on the CPU.
std::string device_name(const std::string& device);

}  // namespace gcg
