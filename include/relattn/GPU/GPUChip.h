//===- GPUChip.h - What a chip offers ---------------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By the name that LLVM gives it: sm_80, sm_90a; gfx90a, gfx942. Of SPIR-V,
// which any vendor's driver takes, by the programming interface: opencl,
// vulkan.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_GPU_GPUCHIP_H
#define RELATTN_GPU_GPUCHIP_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace mlir::relattn {

/// Whose dialect kernels are lowered to: NVIDIA's, AMD's or Khronos'.
enum class GPUTarget { NVVM, ROCDL, SPIRV };

struct GPUChip {
  GPUTarget target = GPUTarget::NVVM;
  std::string name = "sm_80";
  /// mma.m16n8k16 and cp.async: NVIDIA's from sm_80 on.
  bool hasMatrixUnits = true;
  /// Shared memory that one workgroup may have, in bytes (CUDA C++ Programming
  /// Guide, "Compute Capabilities"; AMD's: 64 KB of LDS; SPIR-V: 32 KB, the
  /// least of OpenCL's full profile, and of any desktop GPU's Vulkan driver).
  int64_t sharedBytes = 163 * 1024;
  /// The version of PTX that knows it, as a feature of LLVM's.
  llvm::StringRef features = "+ptx80";

  /// An error for a name that is no chip of the target, or one that is too old.
  /// Without a name sm_80, gfx90a or opencl.
  static llvm::Expected<GPUChip> get(GPUTarget target, llvm::StringRef name);
};

} // namespace mlir::relattn

#endif // RELATTN_GPU_GPUCHIP_H
