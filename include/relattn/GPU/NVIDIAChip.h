//===- NVIDIAChip.h - What a chip of NVIDIA offers --------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By the name that LLVM and ptxas give it: sm_80, sm_90a.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_GPU_NVIDIACHIP_H
#define RELATTN_GPU_NVIDIACHIP_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace mlir::relattn {

struct NVIDIAChip {
  /// Compute capability, times ten: 80, 90, 120.
  int64_t capability = 80;
  /// Shared memory that one workgroup may have, in bytes (CUDA C++ Programming
  /// Guide, "Compute Capabilities").
  int64_t sharedBytes = 163 * 1024;
  /// The version of PTX that knows it, as a feature of LLVM's.
  llvm::StringRef features = "+ptx80";

  /// mma.m16n8k16 and cp.async.
  bool hasMatrixUnits() const { return capability >= 80; }

  /// An error for a name that is no chip, or one older than sm_70.
  static llvm::Expected<NVIDIAChip> get(llvm::StringRef name);
};

} // namespace mlir::relattn

#endif // RELATTN_GPU_NVIDIACHIP_H
