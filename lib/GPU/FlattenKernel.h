//===- FlattenKernel.h - Kernels on one-dimensional buffers -----*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What SPIR-V can say of memory: pointers to elements. A kernel's buffers
// become one-dimensional, and the sizes that it reads arguments of their own.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_GPU_FLATTENKERNEL_H
#define RELATTN_LIB_GPU_FLATTENKERNEL_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVEnums.h"

namespace mlir::relattn {

/// Rewrites a kernel and its launch.
///
/// Of the kernel: each buffer becomes `memref<?xT, #spirv.storage_class<...>>`
/// (`buffers`: CrossWorkgroup or StorageBuffer), all other arguments and the
/// sizes that are read follow as indices; memory of its own is of storage class
/// Workgroup or Function; constants in memory are written into the latter.
/// Elements of bf16 become i16, and those of index i64.
///
/// Of the launch, which then no longer fits the kernel's type: the number of
/// buffers, for each its address, its bytes and whether it is written (1 or 0),
/// and the indices; all of type index.
///
/// Fails with an error at an op that cannot be rewritten.
LogicalResult flattenKernel(gpu::GPUFuncOp kernel, gpu::LaunchFuncOp launch,
                            spirv::StorageClass buffers);

} // namespace mlir::relattn

#endif // RELATTN_LIB_GPU_FLATTENKERNEL_H
