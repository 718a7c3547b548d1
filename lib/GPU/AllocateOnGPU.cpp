//===- AllocateOnGPU.cpp - Buffers in the GPU's memory --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program allocates between its kernels is for these alone. Upstream
// lowers gpu.alloc only in its asynchronous form, which `gpu-async-region`
// makes.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "relattn/GPU/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_ALLOCATEONGPU
#include "relattn/GPU/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

static bool isContiguous(Value buffer) {
  return cast<MemRefType>(buffer.getType()).getLayout().isIdentity();
}

namespace {
struct AllocateOnGPU : public relattn::impl::AllocateOnGPUBase<AllocateOnGPU> {
  using AllocateOnGPUBase::AllocateOnGPUBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](Operation *op) {
      if (op->getParentOfType<gpu::LaunchOp>())
        return;
      rewriter.setInsertionPoint(op);
      if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
        auto onGPU = gpu::AllocOp::create(
            rewriter, op->getLoc(), alloc.getType(), /*asyncToken=*/Type(),
            ValueRange(), alloc.getDynamicSizes(), alloc.getSymbolOperands());
        rewriter.replaceOp(op, onGPU.getMemref());
      } else if (auto dealloc = dyn_cast<memref::DeallocOp>(op)) {
        gpu::DeallocOp::create(rewriter, op->getLoc(), TypeRange(),
                               ValueRange(), dealloc.getMemref());
        rewriter.eraseOp(op);
      } else if (auto copy = dyn_cast<memref::CopyOp>(op);
                 copy && isContiguous(copy.getSource()) &&
                 isContiguous(copy.getTarget())) {
        gpu::MemcpyOp::create(rewriter, op->getLoc(), TypeRange(), ValueRange(),
                              copy.getTarget(), copy.getSource());
        rewriter.eraseOp(op);
      } else if (isa<memref::LoadOp, memref::StoreOp, memref::CopyOp,
                     linalg::LinalgOp>(op)) {
        op->emitError("host code that reads or writes the GPU's memory");
        signalPassFailure();
      }
    });
  }
};
} // namespace
