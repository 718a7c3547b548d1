//===- BalanceTiles.cpp - Tiles to threads one by one ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the pass. A counter of its own, since LLVM's run-time library takes 5 us
// for a loop of `schedule(dynamic)`, two threads and 16 iterations, and 0.5 us
// for the rest of a parallel region: a decode step takes 35 us.
//
//===----------------------------------------------------------------------===//

#include "OutlineTiles.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_BALANCETILES
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;

/// Whether a function of tiles is called.
static bool reachesTile(Operation *op) {
  return op
      ->walk([](func::CallOp call) {
        return call.getCallee().starts_with(relattn::kOutlinedTile)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The loop that is all of a parallel region, as upstream's conversion of
/// scf.parallel makes it, whose clauses say nothing; else null.
static omp::LoopNestOp getOnlyLoop(omp::ParallelOp parallel) {
  if (!parallel.getRegion().hasOneBlock())
    return {};
  auto worksharing =
      dyn_cast<omp::WsloopOp>(parallel.getRegion().front().front());
  if (!worksharing || !isa<omp::TerminatorOp>(worksharing->getNextNode()) ||
      worksharing->getNumOperands() != 0 || worksharing.getScheduleKind() ||
      worksharing.getOrdered())
    return {};
  auto loop =
      dyn_cast<omp::LoopNestOp>(worksharing.getRegion().front().front());
  if (!loop || loop.getLoopInclusive() || !loop.getRegion().hasOneBlock() ||
      loop.getCollapseNumLoops() != loop.getNumLoops() || loop.getTileSizes() ||
      !llvm::all_of(loop->getOperandTypes(), llvm::IsaPred<IndexType>))
    return {};
  return loop;
}

/// The region at whose beginning the buffers of a thread around `op` stand;
/// null if there may be several threads in it.
static Region *getOwnScope(Operation *op) {
  while (Operation *parent = op->getParentOp()) {
    if (isa<FunctionOpInterface, omp::OutlineableOpenMPOpInterface>(parent))
      return op->getParentRegion();
    if (parent->hasTrait<OpTrait::HasParallelRegion>())
      return nullptr;
    op = parent;
  }
  return nullptr;
}

namespace {
/// A parallel region whose threads take the next iteration when they are done
/// with one.
class Balancer {
public:
  Balancer(omp::ParallelOp parallel, omp::LoopNestOp loop, IRRewriter &rewriter)
      : parallel(parallel), loop(loop), b(rewriter), loc(loop.getLoc()) {}

  /// By branches: the scope of a body's buffers becomes several blocks before
  /// loops do.
  void balance() {
    createCounter();
    Operation *worksharing = loop->getParentOp();
    Block *entry = worksharing->getBlock();
    Block *exit = b.splitBlock(entry, std::next(worksharing->getIterator()));
    Block *take = b.createBlock(exit), *iteration = b.createBlock(exit);
    b.setInsertionPointToEnd(entry);
    cf::BranchOp::create(b, loc, take);

    b.setInsertionPointToEnd(take);
    Value step = arith::ConstantIntOp::create(b, loc, 1, 64);
    Value taken = memref::AtomicRMWOp::create(
        b, loc, arith::AtomicRMWKind::addi, step, counter, place);
    Value isThere =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, taken, count);
    cf::CondBranchOp::create(b, loc, isThere, iteration, exit);

    b.setInsertionPointToEnd(iteration);
    SmallVector<Value> ivs =
        getIVs(arith::IndexCastOp::create(b, loc, b.getIndexType(), taken));
    auto next = cf::BranchOp::create(b, loc, take);
    Block *body = &loop.getRegion().front();
    b.eraseOp(body->getTerminator());
    b.inlineBlockBefore(body, next, ivs);
    b.eraseOp(worksharing);
  }

private:
  /// Before the region: the number of iterations, and how many are taken, on a
  /// cache line of its own. A loop around has one for all turns; each thread of
  /// a region around has its own.
  void createCounter() {
    b.setInsertionPointToStart(&getOwnScope(parallel)->front());
    constexpr int64_t kCacheLine = 64;
    auto line = MemRefType::get({kCacheLine / 8}, b.getI64Type());
    counter =
        memref::AllocaOp::create(b, loc, line, b.getI64IntegerAttr(kCacheLine));

    b.setInsertionPoint(parallel);
    place = arith::ConstantIndexOp::create(b, loc, 0);
    Value none = arith::ConstantIntOp::create(b, loc, 0, 64);
    memref::StoreOp::create(b, loc, none, counter, place);
    Value all = arith::ConstantIndexOp::create(b, loc, 1);
    for (auto [lower, upper, step] :
         llvm::zip(loop.getLoopLowerBounds(), loop.getLoopUpperBounds(),
                   loop.getLoopSteps())) {
      Value length = b.createOrFold<arith::SubIOp>(loc, upper, lower);
      Value extent = b.createOrFold<arith::CeilDivSIOp>(loc, length, step);
      extents.push_back(b.createOrFold<arith::MaxSIOp>(loc, extent, place));
      all = b.createOrFold<arith::MulIOp>(loc, all, extents.back());
    }
    count = arith::IndexCastOp::create(b, loc, b.getI64Type(), all);
  }

  /// Of one iteration, the last loop fastest.
  SmallVector<Value> getIVs(Value rest) {
    SmallVector<Value> ivs(extents.size());
    for (size_t i = extents.size(); i-- > 0;) {
      Value number = rest;
      if (i > 0) {
        number = b.createOrFold<arith::RemSIOp>(loc, rest, extents[i]);
        rest = b.createOrFold<arith::DivSIOp>(loc, rest, extents[i]);
      }
      Value distance =
          b.createOrFold<arith::MulIOp>(loc, number, loop.getLoopSteps()[i]);
      ivs[i] = b.createOrFold<arith::AddIOp>(loc, loop.getLoopLowerBounds()[i],
                                             distance);
    }
    return ivs;
  }

  omp::ParallelOp parallel;
  omp::LoopNestOp loop;
  IRRewriter &b;
  Location loc;
  Value counter, place, count;
  SmallVector<Value> extents;
};

struct BalanceTiles : public relattn::impl::BalanceTilesBase<BalanceTiles> {
  using BalanceTilesBase::BalanceTilesBase;

  void runOnOperation() override {
    SmallVector<std::pair<omp::ParallelOp, omp::LoopNestOp>> found;
    getOperation()->walk([&](omp::ParallelOp parallel) {
      if (!reachesTile(parallel) || !getOwnScope(parallel))
        return;
      if (omp::LoopNestOp loop = getOnlyLoop(parallel))
        found.push_back({parallel, loop});
    });
    IRRewriter rewriter(&getContext());
    for (auto [parallel, loop] : found)
      Balancer(parallel, loop, rewriter).balance();
  }
};
} // namespace
