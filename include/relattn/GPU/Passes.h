//===- Passes.h - relattn GPU passes ----------------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From tiles on buffers to kernels of a GPU.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_GPU_PASSES_H
#define RELATTN_GPU_PASSES_H

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "relattn/GPU/GPUChip.h"

namespace mlir::relattn {

#define GEN_PASS_DECL
#include "relattn/GPU/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "relattn/GPU/Passes.h.inc"

} // namespace mlir::relattn

#endif // RELATTN_GPU_PASSES_H
