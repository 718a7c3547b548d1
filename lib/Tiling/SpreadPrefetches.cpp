//===- SpreadPrefetches.cpp - Prefetches among register tiles -------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the pass.
//
//===----------------------------------------------------------------------===//

#include "ExpandExp.h"
#include "OutlineTiles.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "relattn/IR/RelAttn.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_SPREADPREFETCHES
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

/// Of a cache; where lines are longer, some are prefetched twice.
static constexpr int64_t kLineBits = 64 * 8;

/// Of a row, which are prefetched without a loop over them.
static constexpr int64_t kMaxLines = 64;

/// Whether a loop is over register tiles whose products loops inside of it
/// carry.
static bool hasTiles(scf::ForOp loop) {
  return llvm::any_of(loop.getOps<scf::ForOp>(), [](scf::ForOp inner) {
    return llvm::any_of(inner.getOps<vector::ContractionOp>(), getReduction);
  });
}

static bool hasExponentials(scf::ForOp loop) { return hasBoundedExp(loop); }

/// The next loop over register tiles of the block, or, where a matrix unit
/// multiplies, over exponentials; null if there is neither.
static scf::ForOp getLoop(PrefetchOp op) {
  for (auto *isWanted : {hasTiles, hasExponentials})
    for (Operation *next = op->getNextNode(); next; next = next->getNextNode())
      if (auto loop = dyn_cast<scf::ForOp>(next);
          loop && loop.getUpperBound().getType().isIndex() && isWanted(loop))
        return loop;
  return {};
}

/// Prefetches rows from `begin` to `end`.
static void prefetchRows(OpBuilder &b, PrefetchOp op, Value begin, Value end) {
  auto rows = cast<TypedValue<MemRefType>>(op.getRows());
  MemRefType type = rows.getType();
  Location loc = op.getLoc();
  int64_t columns = type.getDimSize(1),
          bits = llvm::alignTo(type.getElementTypeBitWidth(), 8),
          line = std::max<int64_t>(kLineBits / bits, 1);
  auto at = [&](int64_t index) {
    return arith::ConstantIndexOp::create(b, loc, index);
  };
  auto prefetch = [&](OpBuilder &inner, Value row, Value column) {
    // Lines to be written are prefetched into the first-level cache.
    memref::PrefetchOp::create(inner, loc, rows, ValueRange{row, column},
                               op.getWrite(),
                               /*localityHint=*/op.getWrite() ? 3 : 2,
                               /*isDataCache=*/true);
  };
  Value one = at(1);
  if (columns > kMaxLines * line) {
    Value zero = at(0), width = at(columns), step = at(line);
    scf::ForOp::create(b, loc, begin, end, one, ValueRange(),
                       [&](OpBuilder &outer, Location, Value row, ValueRange) {
                         scf::ForOp::create(outer, loc, zero, width, step,
                                            ValueRange(),
                                            [&](OpBuilder &inner, Location,
                                                Value column, ValueRange) {
                                              prefetch(inner, row, column);
                                              scf::YieldOp::create(inner, loc);
                                            });
                         scf::YieldOp::create(outer, loc);
                       });
    return;
  }
  SmallVector<Value> starts;
  for (int64_t column = 0; column < columns; column += line)
    starts.push_back(at(column));
  // Of a row that does not start on a line.
  if (columns % line != 0 && columns > 1)
    starts.push_back(at(columns - 1));
  scf::ForOp::create(b, loc, begin, end, one, ValueRange(),
                     [&](OpBuilder &inner, Location, Value row, ValueRange) {
                       for (Value column : starts)
                         prefetch(inner, row, column);
                       scf::YieldOp::create(inner, loc);
                     });
}

static void spread(RewriterBase &b, PrefetchOp op) {
  Location loc = op.getLoc();
  scf::ForOp loop = getLoop(op);
  b.setInsertionPoint(loop ? loop.getOperation() : op.getOperation());
  Value zero = arith::ConstantIndexOp::create(b, loc, 0),
        one = arith::ConstantIndexOp::create(b, loc, 1),
        count = memref::DimOp::create(b, loc, op.getRows(), zero);
  if (!loop)
    return prefetchRows(b, op, zero, count);
  // With each tile an equal share.
  Value low = loop.getLowerBound(), step = loop.getStep();
  Value extent = arith::SubIOp::create(b, loc, loop.getUpperBound(), low);
  Value tiles = arith::CeilDivSIOp::create(b, loc, extent, step);
  tiles = arith::MaxSIOp::create(b, loc, tiles, one);
  Value share = arith::CeilDivSIOp::create(b, loc, count, tiles);
  b.setInsertionPointToStart(loop.getBody());
  Value tile = arith::SubIOp::create(b, loc, loop.getInductionVar(), low);
  tile = arith::DivSIOp::create(b, loc, tile, step);
  Value begin = arith::MulIOp::create(b, loc, tile, share);
  Value end = arith::AddIOp::create(b, loc, begin, share);
  end = arith::MinSIOp::create(b, loc, end, count);
  prefetchRows(b, op, begin, end);
}

namespace {
struct SpreadPrefetches
    : public relattn::impl::SpreadPrefetchesBase<SpreadPrefetches> {
  void runOnOperation() override {
    SmallVector<PrefetchOp> ops;
    getOperation()->walk([&](PrefetchOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (PrefetchOp op : ops) {
      auto type = dyn_cast<MemRefType>(op.getRows().getType());
      if (!type)
        continue; // not bufferised
      if (type.getElementType().isIntOrFloat() && type.getDimSize(1) > 0 &&
          type.isLastDimUnitStride())
        spread(rewriter, op);
      rewriter.eraseOp(op);
    }
  }
};
} // namespace
