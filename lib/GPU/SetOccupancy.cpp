//===- SetOccupancy.cpp - Registers before occupancy ----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ptxas 13 takes 96 or 128 registers for some kernels of the simt schedule, and
// spills, for workgroups that shared memory has no room for. With one workgroup
// as the least that a multiprocessor has to hold it takes what they need. (It
// schedules kernels of the mma schedule differently then as well: on an H200
// those of d = 128 are 3 to 4 % slower. These are left alone.)
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
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
      if (has<gpu::DynamicSharedMemoryOp>(kernel) && !has<NVVM::MmaOp>(kernel))
        kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                        b.getI32IntegerAttr(1));
  }
};
} // namespace
