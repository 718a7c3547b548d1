//===- OutlineTiles.cpp - A function for each register tile ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In one big function the allocation of registers is a lottery: another chain
// of remainders, or another unrolling, and accumulators are spilled (1.27
// to 1.49 times slower). Outlined, all variants cost the same.
//
//===----------------------------------------------------------------------===//

#include "OutlineTiles.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/RegionUtils.h"
#include "relattn/Tiling/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_OUTLINETILES
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

/// Constants, and a vector for each row where one says the same: as arguments
/// they would be passed in memory.
static void sinkCheap(RewriterBase &rewriter, Region &region) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(region, captured);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(&region.front());
  IRMapping sunk;
  // Operands before their users.
  std::function<void(Value)> sink = [&](Value value) {
    Operation *op = value.getDefiningOp();
    bool isCheap = op && (isa<vector::BroadcastOp>(op) ||
                          op->hasTrait<OpTrait::ConstantLike>());
    if (!isCheap || sunk.contains(value))
      return;
    for (Value operand : op->getOperands())
      sink(operand);
    rewriter.clone(*op, sunk);
  };
  for (Value value : captured) {
    sink(value);
    if (Value clone = sunk.lookupOrNull(value))
      replaceAllUsesInRegionWith(value, clone, region);
  }
}

LogicalResult relattn::outlineTile(RewriterBase &rewriter, SymbolTable &symbols,
                                   scf::ForOp loop) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  // Upstream outlines a region of one block.
  auto region =
      scf::ExecuteRegionOp::create(rewriter, loc, loop.getResultTypes());
  {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.createBlock(&region.getRegion());
    Operation *clone = rewriter.clone(*loop);
    scf::YieldOp::create(rewriter, loc, clone->getResults());
  }
  rewriter.replaceOp(loop, region->getResults());
  sinkCheap(rewriter, region.getRegion());
  func::CallOp call;
  FailureOr<func::FuncOp> function = outlineSingleBlockRegion(
      rewriter, loc, region.getRegion(), kOutlinedTile, &call);
  if (failed(function))
    return failure();
  function->setPrivate();
  symbols.insert(*function);
  call.setCallee(function->getSymName());
  (*function)->setAttr("passthrough", rewriter.getStrArrayAttr({"noinline"}));
  // Programs link several kernels; private functions are global to LLVM.
  (*function)->setAttr(
      "llvm.linkage",
      LLVM::LinkageAttr::get(rewriter.getContext(), LLVM::Linkage::Internal));
  Block *block = &region.getRegion().front();
  auto yield = cast<scf::YieldOp>(block->getTerminator());
  SmallVector<Value> results(yield.getOperands());
  rewriter.inlineBlockBefore(block, region);
  rewriter.replaceOp(region, results);
  rewriter.eraseOp(yield);
  return success();
}

namespace {
struct OutlineTiles : public relattn::impl::OutlineTilesBase<OutlineTiles> {
  using OutlineTilesBase::OutlineTilesBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    IRRewriter rewriter(&getContext());
    llvm::SetVector<scf::ForOp> loops;
    getOperation()->walk([&](vector::ContractionOp product) {
      scf::ForOp reduction = getReduction(product);
      if (!reduction)
        return;
      // With the loop over its rows, if that holds nothing else (unrolled, a
      // reduction is two loops): accumulators that are arguments go through
      // the stack.
      auto rows = dyn_cast<scf::ForOp>(reduction->getParentOp());
      bool isAlone =
          rows && llvm::all_of(rows.getOps<scf::ForOp>(), [](scf::ForOp loop) {
            return isReduction(loop) || isPrefetch(loop);
          });
      loops.insert(isAlone ? rows : reduction);
    });
    // The outermost of nested ones.
    auto isInner = [&](scf::ForOp loop) {
      for (Operation *parent = loop->getParentOp(); parent;
           parent = parent->getParentOp())
        if (auto outer = dyn_cast<scf::ForOp>(parent);
            outer && loops.contains(outer))
          return true;
      return false;
    };
    SmallVector<scf::ForOp> outermost(llvm::make_filter_range(
        loops, [&](scf::ForOp loop) { return !isInner(loop); }));
    for (scf::ForOp loop : outermost)
      if (failed(outlineTile(rewriter, symbols, loop))) {
        loop.emitOpError("cannot be outlined");
        return signalPassFailure();
      }
  }

  static bool isPrefetch(scf::ForOp loop) {
    return llvm::all_of(
        loop.getBody()->without_terminator(), [](Operation &op) {
          auto inner = dyn_cast<scf::ForOp>(op);
          return inner ? isPrefetch(inner) : isa<memref::PrefetchOp>(op);
        });
  }

  static bool isReduction(scf::ForOp loop) {
    return llvm::any_of(loop.getOps<vector::ContractionOp>(), getReduction);
  }
};
} // namespace
