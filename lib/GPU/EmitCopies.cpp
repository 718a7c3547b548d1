//===- EmitCopies.cpp - Queries, keys and values into shared memory -------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By cp.async, 16 bytes at a time, where rows are contiguous and start on 16
// bytes; else element by element. Rows that do not exist become 0, and are not
// read.
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::relattn;

/// Elements of one cp.async of 16 bytes.
static constexpr int64_t kChunk = 8;

/// Whether every row of `memory` is contiguous and starts on 16 bytes, if the
/// kernel's buffer does: its rows are the innermost dimension, whole, of a
/// row-major buffer.
bool TileEmitter::isAsync(Value memory, bool isTransposed) {
  auto type = cast<MemRefType>(memory.getType());
  auto rootType = cast<MemRefType>(getRoot(memory).getType());
  int64_t columns = type.getShape().back();
  return schedule.isMma() && !isTransposed &&
         type.getElementTypeBitWidth() == 16 &&
         rootType.getLayout().isIdentity() && rootType.getRank() > 0 &&
         rootType.getShape().back() == columns && columns % kChunk == 0;
}

/// `rows` rows of `columns` elements into `storage` (`buffer` of two, unless
/// null), of which the first `rowsThere` exist (null: all).
void TileEmitter::emitCopy(Value memory, bool isTransposed, Value rowsThere,
                           Value storage, Value buffer, int64_t rows,
                           int64_t columns, function_ref<Value(Value)> body) {
  int64_t threads = schedule.getNumThreads();
  auto getPlace = [&](Value row, Value column) {
    SmallVector<Value> place;
    if (buffer)
      place.push_back(buffer);
    place.append({row, column});
    return place;
  };
  Value first = index(0);
  auto isThere = [&](Value row) -> Value {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, row,
                                 rowsThere);
  };
  if (!body && isAsync(memory, isTransposed)) {
    int64_t perRow = columns / kChunk, chunks = rows * perRow;
    auto copy = [&](Value row, Value column) {
      Value source = row, elements;
      if (rowsThere) {
        Value there = isThere(row);
        source = arith::SelectOp::create(b, loc, there, row, first);
        elements = arith::SelectOp::create(b, loc, there, index(kChunk), first);
      }
      nvgpu::DeviceAsyncCopyOp::create(
          b, loc, nvgpu::DeviceAsyncTokenType::get(b.getContext()), storage,
          getPlace(row, column), memory, ValueRange{source, column},
          b.getIndexAttr(kChunk), elements, /*bypassL1=*/b.getUnitAttr());
    };
    bool isEven = threads % perRow == 0;
    for (int64_t done = 0; done < chunks; done += threads) {
      OpBuilder::InsertionGuard guard(b);
      Value chunk = isEven ? thread : add(thread, done);
      if (chunks - done < threads) {
        Value isOne = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                            add(thread, done), index(chunks));
        auto branch =
            scf::IfOp::create(b, loc, isOne, /*withElseRegion=*/false);
        b.setInsertionPoint(branch.thenYield());
      }
      Value row = compute<arith::DivUIOp>(chunk, index(perRow));
      Value column = compute<arith::RemUIOp>(chunk, index(perRow));
      if (isEven)
        row = add(row, done / perRow);
      copy(row, mul(column, kChunk));
    }
    return;
  }
  // Neighbouring threads take what is neighbouring in memory. Columns are
  // filled up to the steps of the products.
  int64_t there = columns;
  columns = llvm::alignTo(columns, Schedule::kSimtStep);
  auto loop =
      scf::ForOp::create(b, loc, thread, index(rows * columns), index(threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  int64_t fast = isTransposed ? rows : columns;
  Value slow = compute<arith::DivUIOp>(loop.getInductionVar(), index(fast));
  Value quick = compute<arith::RemUIOp>(loop.getInductionVar(), index(fast));
  Value row = isTransposed ? quick : slow, column = isTransposed ? slow : quick;
  SmallVector<Value> from = {row, column}, exist;
  if (rowsThere)
    exist.push_back(isThere(row));
  if (there < columns)
    exist.push_back(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                          column, index(there)));
  Value isRead;
  for (Value condition : exist)
    isRead = isRead ? compute<arith::AndIOp>(isRead, condition) : condition;
  if (isRead)
    for (Value &place : from)
      place = arith::SelectOp::create(b, loc, isRead, place, first);
  if (isTransposed)
    std::swap(from[0], from[1]);
  Value element = memref::LoadOp::create(b, loc, memory, from);
  if (body)
    element = body(element);
  if (isRead) {
    Value nothing =
        arith::ConstantOp::create(b, loc, b.getZeroAttr(element.getType()));
    element = arith::SelectOp::create(b, loc, isRead, element, nothing);
  }
  memref::StoreOp::create(b, loc, element, storage, getPlace(row, column));
}

/// The block of queries, once; each element through `op`, if that computes.
LogicalResult TileEmitter::emitQueryCopy(Operation *op, Value source,
                                         Value target) {
  View from = getView(source), to = getView(target);
  if (from.tile || !to.tile || to.tile->place != Tile::Shared)
    return fail(op, "a copy into what is no tile of queries");
  bool isTransposed = false;
  function_ref<Value(Value)> body;
  auto emitElement = [&](Value element) {
    return emitBody(cast<linalg::LinalgOp>(op), {element, element}, {})[0];
  };
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    isTransposed = !generic.getIndexingMapsArray()[0].isIdentity();
    Block *block = generic.getBlock();
    if (block->getTerminator()->getOperand(0) != block->getArgument(0))
      body = emitElement;
  }
  Value rowsThere;
  if (getConstantIntValue(to.sizes[0]) != to.tile->rows)
    rowsThere = lookup(to.sizes[0]);
  emitCopy(from.memory, isTransposed, rowsThere, to.tile->storage, Value(),
           to.tile->rows, to.tile->columns, body);
  return success();
}

/// `value` of the loop `scope`, computed again for what `mapping` says of its
/// induction variable. (What the loop itself has computed is for its own.)
Value TileEmitter::cloneInto(Value value, IRMapping &mapping,
                             Operation *scope) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!op || !scope->isProperAncestor(op)) {
    mapping.map(value, lookup(value));
    return mapping.lookup(value);
  }
  for (Value operand : op->getOperands())
    (void)cloneInto(operand, mapping, scope);
  b.clone(*op, mapping);
  return mapping.lookup(value);
}

/// Shared memory for the factors of the products.
LogicalResult TileEmitter::createStaged(scf::ForOp last) {
  linalg::GenericOp scores, values;
  for (auto op : last.getBody()->getOps<linalg::GenericOp>()) {
    if (getTileKind(op) == TileKind::Scores)
      scores = op;
    if (getTileKind(op) == TileKind::Values)
      values = op;
  }
  if (!scores || !values)
    return fail(last, "a loop over keys without both products");
  View tile = getView(scores.getDpsInits()[0]);
  if (!tile.tile || tile.tile->place != Tile::Matrix)
    return fail(scores, "scores that are no tile");
  for (linalg::GenericOp op : {scores, values}) {
    Value operand = op.getDpsInputs()[1];
    if (!isa<MemRefType>(operand.getType()) || tiles.count(getRoot(operand)))
      return fail(op, "a factor that is a tile of its own");
    auto type = cast<MemRefType>(operand.getType());
    AffineMap map = op.getIndexingMapsArray()[1];
    // Scores are over (m, n, d), values over (m, e, n).
    unsigned rowDim = op == scores ? 1 : 2;
    bool isTransposed = map.getDimPosition(0) != rowDim;
    int64_t rows = tile.tile->columns,
            columns = type.getDimSize(isTransposed ? 0 : 1);
    Type element = type.getElementType();
    if (schedule.isMma() && !element.isF16() && !element.isBF16())
      return fail(op, "factors of another type than f16 and bf16");
    if (schedule.isMma() &&
        (columns % 16 != 0 || columns > Schedule::kMaxMmaColumns))
      return fail(op, "d or e of " + Twine(columns) +
                          ": it takes multiples of 16 up to " +
                          Twine(Schedule::kMaxMmaColumns));
    // Peers read as many columns each.
    Value storage =
        createShared({schedule.isMma() ? 2 : 1, rows,
                      int64_t(llvm::alignTo(columns, schedule.peers))},
                     element);
    staged.push_back({operand, storage, rows, columns, isTransposed});
  }
  return success();
}

/// The tile of keys from `key` on, and its values, into one of the two buffers.
void TileEmitter::emitStagedCopies(scf::ForOp last, Value key, Value buffer) {
  IRMapping mapping;
  mapping.map(last.getInductionVar(), key);
  for (const Staged &factor : staged) {
    Value memory = cloneInto(factor.operand, mapping, last);
    Value rowsThere;
    OpFoldResult size =
        getView(factor.operand).sizes[factor.isTransposed ? 1 : 0];
    if (auto value = dyn_cast<Value>(size))
      rowsThere = cloneInto(value, mapping, last);
    emitCopy(memory, factor.isTransposed, rowsThere, factor.storage, buffer,
             factor.rows, factor.columns, nullptr);
  }
}
