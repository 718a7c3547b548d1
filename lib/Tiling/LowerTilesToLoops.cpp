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
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
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

  /// Moves static buffers that no step hands to the next one: for one worker
  /// after another those on the heap before the loop of workers, else those on
  /// the stack to the start of their worker, whose stack would grow with each
  /// step. Upstream's buffer-loop-hoisting also moves what the program frees in
  /// its loop.
  void hoistBuffers(scf::ForallOp workers,
                    const BufferViewFlowAnalysis &views) {
    SmallVector<Operation *> buffers;
    workers->walk([&](Operation *op) {
      bool isMoved =
          oneWorker ? isa<memref::AllocOp>(op) : isa<memref::AllocaOp>(op);
      if (!isMoved || op->getParentOp() == (oneWorker ? nullptr : workers) ||
          op->hasAttr(
              bufferization::BufferizationDialect::kManualDeallocation) ||
          !cast<MemRefType>(op->getResult(0).getType()).hasStaticShape())
        return;
      Operation *parent = op->getParentOp();
      while (isa<scf::ForOp, scf::IfOp>(parent))
        parent = parent->getParentOp();
      bool isCarried =
          llvm::any_of(views.resolve(op->getResult(0)), [](Value alias) {
            return isa<BlockArgument>(alias) ||
                   isa<RegionBranchOpInterface>(alias.getDefiningOp());
          });
      if (!isCarried && (oneWorker || parent == workers))
        buffers.push_back(op);
    });
    Operation *place = oneWorker ? workers : &workers.getBody()->front();
    for (Operation *op : buffers)
      op->moveBefore(place);
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
    BufferViewFlowAnalysis views(getOperation());
    getOperation()->walk(
        [&](scf::ForallOp workers) { hoistBuffers(workers, views); });
  }
};
} // namespace
