//===- LowerTilesToLoops.cpp - The rest of linalg in workers --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the pass.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_LOWERTILESTOLOOPS
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;

namespace {
struct LowerTilesToLoops
    : public relattn::impl::LowerTilesToLoopsBase<LowerTilesToLoops> {
  using LowerTilesToLoopsBase::LowerTilesToLoopsBase;

  /// Makes the workers' buffers once for all of them, before their loop.
  void shareBuffers() {
    getOperation()->walk([](scf::ForallOp workers) {
      SmallVector<memref::AllocOp> buffers;
      workers->walk([&](memref::AllocOp op) {
        if (op.getType().hasStaticShape() &&
            !op->hasAttr(
                bufferization::BufferizationDialect::kManualDeallocation))
          buffers.push_back(op);
      });
      for (memref::AllocOp op : buffers)
        op->moveBefore(workers);
    });
  }

  /// Makes a worker's buffers on the stack at its start: in its loops the stack
  /// would grow with each step.
  void hoistFromLoops() {
    getOperation()->walk([](scf::ForallOp workers) {
      SmallVector<memref::AllocaOp> buffers;
      workers->walk([&](memref::AllocaOp op) {
        Operation *parent = op->getParentOp();
        while (isa<scf::ForOp, scf::IfOp>(parent))
          parent = parent->getParentOp();
        if (op.getType().hasStaticShape() && parent == workers &&
            op->getParentOp() != workers)
          buffers.push_back(op);
      });
      for (memref::AllocaOp op : llvm::reverse(buffers))
        op->moveBefore(&workers.getBody()->front());
    });
  }

  void runOnOperation() override {
    SmallVector<memref::CopyOp> copies;
    getOperation()->walk([&](memref::CopyOp op) { copies.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (memref::CopyOp op : copies) {
      auto isContiguous = [](Value buffer) {
        auto type = dyn_cast<MemRefType>(buffer.getType());
        return !type || type.getLayout().isIdentity();
      };
      if (isContiguous(op.getSource()) && isContiguous(op.getTarget()))
        continue;
      rewriter.setInsertionPoint(op);
      rewriter.replaceOpWithNewOp<linalg::CopyOp>(op, op.getSource(),
                                                  op.getTarget());
    }
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (op->getParentOfType<scf::ForallOp>())
        ops.push_back(op);
    });
    for (linalg::LinalgOp op : ops) {
      rewriter.setInsertionPoint(op);
      if (failed(linalg::linalgOpToLoops(rewriter, op))) {
        op.emitOpError("cannot be lowered to loops");
        return signalPassFailure();
      }
      rewriter.eraseOp(op);
    }
    if (oneWorker)
      shareBuffers();
    else
      hoistFromLoops();
  }
};
} // namespace
