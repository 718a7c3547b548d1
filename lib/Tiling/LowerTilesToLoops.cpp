//===- LowerTilesToLoops.cpp - The rest of linalg in workers --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the pass.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/VectorInterfaces.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_LOWERTILESTOLOOPS
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;

namespace {

/// A vector of f16 or bf16 whose elements are no neighbours in memory, read or
/// written one by one as integers: LLVM inserts a bf16 into a vector by calls
/// of a run-time library.
class ElementTransfer {
public:
  ElementTransfer(RewriterBase &rewriter, VectorTransferOpInterface op)
      : b(rewriter), op(op), loc(op.getLoc()), type(op.getVectorType()) {}

  static bool isNeeded(VectorTransferOpInterface op) {
    auto buffer = dyn_cast<MemRefType>(op.getShapedType());
    Type element = op.getVectorType().getElementType();
    AffineMap map = op.getPermutationMap();
    if (!buffer || buffer.getElementType() != element ||
        !(element.isF16() || element.isBF16()) || op.getMask() ||
        cast<vector::MaskableOpInterface>(op.getOperation()).isMasked() ||
        op.hasOutOfBoundsDim() || op.getVectorType().isScalable() ||
        !map.isProjectedPermutation() || map.getNumResults() == 0)
      return false;
    bool isLast = map.getDimPosition(map.getNumResults() - 1) + 1 ==
                  unsigned(buffer.getRank());
    return !isLast || !buffer.isLastDimUnitStride();
  }

  void lower() {
    Type word = b.getI16Type();
    VectorType words = type.clone(word);
    SmallVector<int64_t> strides = computeStrides(type.getShape());
    auto forEach = [&](auto body) {
      for (int64_t i : llvm::seq(type.getNumElements()))
        body(delinearize(i, strides));
    };
    if (auto read = dyn_cast<vector::TransferReadOp>(op.getOperation())) {
      SmallVector<Value> elements;
      forEach([&](ArrayRef<int64_t> place) {
        Value element =
            memref::LoadOp::create(b, loc, op.getBase(), getIndices(place));
        elements.push_back(arith::BitcastOp::create(b, loc, word, element));
      });
      Value all = vector::FromElementsOp::create(b, loc, words, elements);
      b.replaceOpWithNewOp<arith::BitcastOp>(read, type, all);
      return;
    }
    auto write = cast<vector::TransferWriteOp>(op.getOperation());
    Value all = arith::BitcastOp::create(b, loc, words, write.getVector());
    forEach([&](ArrayRef<int64_t> place) {
      Value bits = vector::ExtractOp::create(b, loc, all, place);
      Value element =
          arith::BitcastOp::create(b, loc, type.getElementType(), bits);
      memref::StoreOp::create(b, loc, element, op.getBase(), getIndices(place));
    });
    b.eraseOp(write);
  }

private:
  SmallVector<Value> getIndices(ArrayRef<int64_t> place) {
    SmallVector<Value> indices(op.getIndices());
    for (auto [result, offset] : llvm::enumerate(place)) {
      Value &index = indices[op.getPermutationMap().getDimPosition(result)];
      index = b.createOrFold<arith::AddIOp>(
          loc, index, arith::ConstantIndexOp::create(b, loc, offset));
    }
    return indices;
  }

  RewriterBase &b;
  VectorTransferOpInterface op;
  Location loc;
  VectorType type;
};

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
    SmallVector<VectorTransferOpInterface> transfers;
    getOperation()->walk([&](VectorTransferOpInterface op) {
      if (ElementTransfer::isNeeded(op))
        transfers.push_back(op);
    });
    for (VectorTransferOpInterface op : transfers) {
      rewriter.setInsertionPoint(op);
      ElementTransfer(rewriter, op).lower();
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
