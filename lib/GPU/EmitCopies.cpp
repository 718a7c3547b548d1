//===- EmitCopies.cpp - Queries, keys and values into shared memory -------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By cp.async, 16 bytes at a time, where rows are contiguous and start on 16
// bytes; else element by element, a batch of loads before their stores: a
// thread that waited for each took two thirds of a kernel's time. Rows that do
// not exist become 0, and are not read.
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::relattn;

/// Of one cp.async.
static constexpr int64_t kChunkBytes = 16;

/// Elements that a thread loads before it stores them, at most.
static constexpr int64_t kMaxBatch = 8;

static int64_t getChunkElements(Type element) {
  return kChunkBytes * 8 / element.getIntOrFloatBitWidth();
}

/// Whether every row of `memory` is contiguous and starts on 16 bytes, if the
/// kernel's buffer does: its rows are the innermost dimension, whole, of a
/// row-major buffer.
bool TileEmitter::isAsync(Value memory, bool isTransposed) {
  auto type = cast<MemRefType>(memory.getType());
  auto rootType = cast<MemRefType>(getRoot(memory).getType());
  int64_t columns = type.getShape().back();
  // The products read columns up to their step, which this does not fill.
  int64_t step =
      std::max(getChunkElements(type.getElementType()), Schedule::kSimtStep);
  return schedule.hasAsyncCopies && !isTransposed &&
         type.isLastDimUnitStride() && rootType.getLayout().isIdentity() &&
         rootType.getRank() > 0 && rootType.getShape().back() == columns &&
         columns % step == 0;
}

/// emitCopy where isAsync says so.
void TileEmitter::emitAsyncCopy(Value memory, Value rowsThere, Value storage,
                                ValueRange leading, int64_t rows,
                                int64_t columns) {
  int64_t threads = schedule.getNumThreads(),
          chunkSize = getChunkElements(
              cast<MemRefType>(memory.getType()).getElementType());
  // An index has 64 bits, whose comparison is two instructions.
  auto narrow = [&](Value value) {
    return b.createOrFold<arith::IndexCastOp>(loc, b.getI32Type(), value);
  };
  Value end;
  if (rowsThere)
    end = narrow(compute<arith::MinSIOp>(rowsThere, index(rows)));
  auto copy = [&](Value row, Value column) {
    // Of a row that does not exist 0 elements are read, so its place does not
    // matter.
    Value there;
    if (end)
      there = arith::SelectOp::create(b, loc, isBefore(narrow(row), end),
                                      index(chunkSize), index(0));
    SmallVector<Value> place(leading);
    place.append({row, column});
    nvgpu::DeviceAsyncCopyOp::create(
        b, loc, nvgpu::DeviceAsyncTokenType::get(b.getContext()), storage,
        place, memory, ValueRange{row, column}, b.getIndexAttr(chunkSize),
        there, /*bypassL1=*/b.getUnitAttr());
  };
  int64_t perRow = columns / chunkSize, chunks = rows * perRow;
  bool isEven = threads % perRow == 0;
  for (int64_t done = 0; done < chunks; done += threads) {
    OpBuilder::InsertionGuard guard(b);
    Value chunk = isEven ? thread : add(thread, done);
    if (chunks - done < threads) {
      Value isOne = isBefore(add(thread, done), index(chunks));
      auto branch = scf::IfOp::create(b, loc, isOne, /*withElseRegion=*/false);
      b.setInsertionPoint(branch.thenYield());
    }
    Value row = compute<arith::DivUIOp>(chunk, index(perRow));
    Value column = compute<arith::RemUIOp>(chunk, index(perRow));
    if (isEven)
      row = add(row, done / perRow);
    copy(row, mul(column, chunkSize));
  }
}

/// `rows` rows of `columns` elements into `storage` (`buffer` of two, unless
/// null), of which the first `rowsThere` exist (null: all).
void TileEmitter::emitCopy(Value memory, bool isTransposed, Value rowsThere,
                           Value storage, Value buffer, int64_t rows,
                           int64_t columns, function_ref<Value(Value)> body) {
  SmallVector<Value> leading;
  if (buffer)
    leading.push_back(buffer);
  if (!body && isAsync(memory, isTransposed))
    return emitAsyncCopy(memory, rowsThere, storage, leading, rows, columns);
  // Neighbouring threads take what is neighbouring in memory. Columns are
  // filled up to the steps of the products.
  int64_t there = columns;
  columns = llvm::alignTo(columns, Schedule::kSimtStep);
  int64_t threads = schedule.getNumThreads(), elements = rows * columns,
          batch = 1;
  while (batch < kMaxBatch && elements % (threads * batch * 2) == 0)
    batch *= 2;
  auto loop = scf::ForOp::create(b, loc, thread, index(elements),
                                 index(threads * batch));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  int64_t fast = isTransposed ? rows : columns;
  SmallVector<SmallVector<Value>> places;
  SmallVector<Value> loaded;
  for (int64_t i = 0; i < batch; ++i) {
    Value element = add(loop.getInductionVar(), i * threads);
    Value slow = compute<arith::DivUIOp>(element, index(fast));
    Value quick = compute<arith::RemUIOp>(element, index(fast));
    Value row = isTransposed ? quick : slow,
          column = isTransposed ? slow : quick;
    places.emplace_back(leading);
    places.back().append({row, column});
    loaded.push_back(emitLoad(memory, isTransposed, row, column, rowsThere,
                              there < columns ? index(there) : Value(), body));
  }
  for (auto [value, place] : llvm::zip(loaded, places))
    memref::StoreOp::create(b, loc, value, storage, place);
}

/// An element through `body`, if there is one; 0 at rows from `rowEnd` on and
/// columns from `columnEnd` on, as far as these are not null.
Value TileEmitter::emitLoad(Value memory, bool isTransposed, Value row,
                            Value column, Value rowEnd, Value columnEnd,
                            function_ref<Value(Value)> body) {
  Value isRead;
  for (auto [at, end] : {std::pair(row, rowEnd), std::pair(column, columnEnd)})
    if (end) {
      Value isThere = isBefore(at, end);
      isRead = isRead ? compute<arith::AndIOp>(isRead, isThere) : isThere;
    }
  SmallVector<Value> from = {row, column};
  if (isRead)
    for (Value &place : from)
      place = arith::SelectOp::create(b, loc, isRead, place, index(0));
  if (isTransposed)
    std::swap(from[0], from[1]);
  Value element = memref::LoadOp::create(b, loc, memory, from);
  if (body)
    element = body(element);
  if (!isRead)
    return element;
  Value nothing =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(element.getType()));
  return arith::SelectOp::create(b, loc, isRead, element, nothing);
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
LogicalResult TileEmitter::createStaged() {
  linalg::GenericOp scores, values;
  for (auto op : lastLoop.getBody()->getOps<linalg::GenericOp>()) {
    if (getTileKind(op) == TileKind::Scores)
      scores = op;
    if (getTileKind(op) == TileKind::Values)
      values = op;
  }
  if (!scores || !values)
    return fail(lastLoop, "a loop over keys without both products");
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

/// The factor's tile of the key `key` on into one of its buffers.
void TileEmitter::emitStagedCopy(const Staged &factor, Value key,
                                 Value buffer) {
  IRMapping mapping;
  mapping.map(lastLoop.getInductionVar(), key);
  Value memory = cloneInto(factor.operand, mapping, lastLoop);
  Value rowsThere;
  OpFoldResult size =
      getView(factor.operand).sizes[factor.isTransposed ? 1 : 0];
  if (auto value = dyn_cast<Value>(size))
    rowsThere = cloneInto(value, mapping, lastLoop);
  emitCopy(memory, factor.isTransposed, rowsThere, factor.storage, buffer,
           factor.rows, factor.columns, nullptr);
}

/// The same of several, if there is such a tile, as a group.
void TileEmitter::emitNextCopy(ArrayRef<Staged> factors, Value key,
                               Value buffer) {
  Value isThere =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, key, endKey);
  auto branch = scf::IfOp::create(b, loc, isThere, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    for (const Staged &factor : factors)
      emitStagedCopy(factor, key, buffer);
  }
  commitCopies();
}

/// What has been copied since the last time is a group to wait for.
void TileEmitter::commitCopies() {
  if (schedule.hasAsyncCopies)
    NVVM::CpAsyncCommitGroupOp::create(b, loc);
}

/// Until all copies but `pending` groups are there, of all threads.
void TileEmitter::waitForCopies(int64_t pending) {
  if (schedule.hasAsyncCopies)
    NVVM::CpAsyncWaitGroupOp::create(b, loc, pending);
  gpu::BarrierOp::create(b, loc);
}
