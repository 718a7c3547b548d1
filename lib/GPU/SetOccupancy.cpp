//===- SetOccupancy.cpp - Registers before occupancy ----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ptxas 13 takes 96 or 128 registers for some kernels of the simt schedule, and
// spills, for workgroups that shared memory has no room for. With one workgroup
// as the least that a multiprocessor has to hold it takes what they need.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "relattn/GPU/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_SETOCCUPANCY
#include "relattn/GPU/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

template <typename Op> static bool has(gpu::GPUFuncOp kernel) {
  return kernel.walk([](Op) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

namespace {
struct SetOccupancy : public relattn::impl::SetOccupancyBase<SetOccupancy> {
  void runOnOperation() override {
    Builder b(&getContext());
    for (auto kernel : getOperation().getOps<gpu::GPUFuncOp>())
      if (has<gpu::DynamicSharedMemoryOp>(kernel) &&
          !has<nvgpu::MmaSyncOp>(kernel))
        kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                        b.getI32IntegerAttr(1));
  }
};
} // namespace
