//===- KernelHeader.h - C code that launches kernels ------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A translation of host code in the gpu dialect to a C header.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TARGET_KERNELHEADER_H
#define RELATTN_TARGET_KERNELHEADER_H

#include "mlir/Support/LLVM.h"
#include "relattn/GPU/GPUChip.h"

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace mlir::relattn {

/// Writes a C99 header for the functions of `module`, which is what
/// relattn-to-gpu with host=gpu leaves: each as an inline function that calls
/// `struct relattn_device`, of the header's user, to allocate, copy and launch.
/// It thereby says which kernels run in what order, with which grid, workgroup,
/// shared memory and arguments. `name` is that of the file, for the guard.
///
/// Fails with an error at an op that has no form in C.
LogicalResult translateToKernelHeader(ModuleOp module, const GPUChip &chip,
                                      StringRef name, llvm::raw_ostream &os);

} // namespace mlir::relattn

#endif // RELATTN_TARGET_KERNELHEADER_H
