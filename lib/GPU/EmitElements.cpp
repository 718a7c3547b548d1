//===- EmitElements.cpp - Ops on elements and rows of tiles ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every lane computes the elements that its registers hold. Beyond the end of
// an op (the last keys, the last queries) it computes on the last element that
// exists, and what comes out is dropped: by a select where it would enter a
// reduction, by a branch where it would be stored.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "../Tiling/ExpandExp.h"
#include "TileEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::relattn;

Value TileEmitter::loadRegister(Value storage, int64_t reg) {
  return memref::LoadOp::create(b, loc, storage, index(reg));
}

void TileEmitter::storeRegister(Value value, Value storage, int64_t reg) {
  memref::StoreOp::create(b, loc, value, storage, index(reg));
}

static Value callIntrinsic(OpBuilder &b, Location loc, StringRef name,
                           Value x) {
  return LLVM::CallIntrinsicOp::create(b, loc, x.getType(),
                                       b.getStringAttr(name), x)
      .getResult(0);
}

/// 2^x within two roundings, 0 for -inf and below 2^-126; for SPIR-V, whose own
/// need not be 0 there, within |x| roundings: of weights as small as that.
Value TileEmitter::emitExp2(Value x) {
  if (schedule.target == GPUTarget::SPIRV)
    return createBoundedExp(
        b, loc,
        arith::MulFOp::create(
            b, loc, x,
            createFloatConstant(b, loc, x.getType(), llvm::numbers::ln2)));
  return callIntrinsic(b, loc,
                       schedule.target == GPUTarget::NVVM
                           ? "llvm.nvvm.ex2.approx.ftz.f32"
                           : "llvm.amdgcn.exp2.f32",
                       x);
}

/// The natural logarithm on f32 as the target has it.
Value TileEmitter::emitNarrowLog(Value x) {
  if (schedule.target == GPUTarget::SPIRV)
    return math::LogOp::create(b, loc, x);
  StringRef name = schedule.target == GPUTarget::NVVM ? "llvm.nvvm.lg2.approx.f"
                                                      : "llvm.amdgcn.log.f32";
  return arith::MulFOp::create(
      b, loc, callIntrinsic(b, loc, name, x),
      createFloatConstant(b, loc, x.getType(), llvm::numbers::ln2));
}

/// The natural logarithm of a sum of weights: at least 1, or 0 or NaN. On f32
/// that of base 2 times ln 2, within 2^-22 of it. On f64, and of what SPIR-V
/// drivers compute, that is where Newton's steps y + x e^-y - 1 start from: the
/// second one leaves an error of the exponential.
Value TileEmitter::emitLog(Value x) {
  auto constant = [&](Type type, double value) {
    return createFloatConstant(b, loc, type, value);
  };
  Type f32 = b.getF32Type(), type = x.getType();
  bool isSPIRV = schedule.target == GPUTarget::SPIRV;
  Value isNone = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x,
                                       constant(type, 0.0));
  if (isSPIRV) // undefined at 0
    x = arith::SelectOp::create(b, loc, isNone, constant(type, 1.0), x);
  Value log = emitNarrowLog(convertFloat(b, loc, x, f32));
  if (type == f32 && !isSPIRV)
    return log;
  log = convertFloat(b, loc, log, type);
  Value none = constant(type, -std::numeric_limits<double>::infinity());
  // The exponential is of numbers that are not positive.
  log = arith::MaximumFOp::create(b, loc, log, constant(type, 0.0));
  for (int step = 0; step < 2; ++step) {
    Value back = createBoundedExp(b, loc, arith::NegFOp::create(b, loc, log));
    Value ratio = arith::MulFOp::create(b, loc, x, back);
    Value change = arith::SubFOp::create(b, loc, ratio, constant(type, 1.0));
    log = arith::AddFOp::create(b, loc, log, change);
    log =
        step == 0
            ? Value(arith::MaximumFOp::create(b, loc, log, constant(type, 0.0)))
            : log;
  }
  return arith::SelectOp::create(b, loc, isNone, none, log);
}

/// The body on one element; `indices` by dimension.
SmallVector<Value> TileEmitter::emitBody(linalg::LinalgOp op, ValueRange args,
                                         ArrayRef<Value> indices) {
  Block *body = op.getBlock();
  IRMapping mapping(values);
  mapping.map(body->getArguments(), args);
  for (Operation &inner : body->without_terminator()) {
    if (auto at = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(at.getResult(), indices[at.getDim()]);
      continue;
    }
    bool isF32 =
        inner.getNumResults() == 1 && inner.getResult(0).getType().isF32();
    if (isa<math::Exp2Op>(inner) && isF32)
      mapping.map(inner.getResult(0),
                  emitExp2(mapping.lookupOrDefault(inner.getOperand(0))));
    else if (isa<math::LogOp>(inner))
      mapping.map(inner.getResult(0),
                  emitLog(mapping.lookupOrDefault(inner.getOperand(0))));
    else
      b.clone(inner, mapping);
  }
  return llvm::map_to_vector(
      body->getTerminator()->getOperands(),
      [&](Value value) { return mapping.lookupOrDefault(value); });
}

/// Which dimensions are the tile's, by the tiles among the operands.
FailureOr<TileEmitter::Space>
TileEmitter::getSpace(linalg::LinalgOp op, MutableArrayRef<View> views) {
  Space space;
  bool hasRow = false;
  for (auto [view, map] : llvm::zip(views, op.getIndexingMapsArray())) {
    if (!view.tile || view.tile->place == Tile::Scalar)
      continue;
    if (view.tile->place == Tile::Shared)
      return fail(op, "an op on elements of shared memory");
    space.row = map.getDimPosition(0);
    hasRow = true;
    if (view.tile->place == Tile::Matrix) {
      space.column = map.getDimPosition(1);
      space.columns = view.tile->paddedColumns;
      if (view.tile->columns < space.columns)
        space.columnEnd = index(view.tile->columns);
    }
  }
  if (!hasRow || op.getNumLoops() > 2 ||
      (op.getNumLoops() == 2 && !space.column))
    return fail(op, "an op whose rows are no tile's");
  for (auto [view, map] : llvm::zip(views, op.getIndexingMapsArray()))
    for (auto [size, expr] : llvm::zip(view.sizes, map.getResults())) {
      auto end = dyn_cast<Value>(size);
      if (!end)
        continue;
      unsigned dim = cast<AffineDimExpr>(expr).getPosition();
      (dim == space.row ? space.rowEnd : space.columnEnd) = lookup(end);
    }
  return space;
}

/// The value of lane l ^ mask. Shuffles move 32 bits.
Value TileEmitter::exchange(Value value, int64_t mask) {
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  Value width = arith::ConstantIntOp::create(b, loc, Fragment::kNumLanes, 32),
        offset = arith::ConstantIntOp::create(b, loc, mask, 32);
  auto shuffle = [&](Value part) -> Value {
    return gpu::ShuffleOp::create(b, loc, part, offset, width,
                                  gpu::ShuffleMode::XOR)
        .getShuffleResult();
  };
  if (!value.getType().isF64())
    return shuffle(value);
  Value bits = arith::BitcastOp::create(b, loc, i64, value);
  Value half = arith::ConstantIntOp::create(b, loc, 32, 64);
  Value high = arith::ShRUIOp::create(b, loc, bits, half);
  auto move = [&](Value part) -> Value {
    part = arith::TruncIOp::create(b, loc, i32, part);
    return arith::ExtUIOp::create(b, loc, i64, shuffle(part));
  };
  Value low = move(bits);
  high = arith::ShLIOp::create(b, loc, move(high), half);
  return arith::BitcastOp::create(b, loc, value.getType(),
                                  arith::OrIOp::create(b, loc, high, low));
}

/// Over the lanes that hold parts of one row.
Value TileEmitter::reduceOverPeers(Value value, bool isMaximum) {
  for (int64_t mask : accumulators.getRowPeers()) {
    Value other = exchange(value, mask);
    if (isMaximum)
      value = arith::MaximumFOp::create(b, loc, value, other);
    else
      value = arith::AddFOp::create(b, loc, value, other);
  }
  return value;
}

/// Operands by what they are, and what becomes of the results.
FailureOr<TileEmitter::Elements>
TileEmitter::analyzeElements(linalg::LinalgOp op) {
  Elements elements{op, {}, op.getIndexingMapsArray()};
  for (Value operand : op->getOperands()) {
    if (isa<MemRefType>(operand.getType())) {
      elements.views.push_back(getView(operand));
      continue;
    }
    View scalar;
    scalar.memory = lookup(operand);
    elements.views.push_back(scalar);
  }
  FailureOr<Space> space = getSpace(op, elements.views);
  if (failed(space))
    return mlir::failure();
  elements.space = *space;
  unsigned numInputs = op.getNumDpsInputs();
  elements.results.resize(elements.views.size(), Elements::None);
  for (unsigned i = numInputs; i < elements.views.size(); ++i) {
    const View &view = elements.views[i];
    elements.writesPartial |= view.tile && view.tile->isPartial;
    // A result that lacks the columns is reduced over them.
    if (!space->column || elements.maps[i].isFunctionOfDim(*space->column)) {
      elements.hasMemoryResult |= !view.tile;
      elements.results[i] = view.tile ? Elements::Stored : Elements::InMemory;
      continue;
    }
    if (!view.tile)
      return fail(op, "a reduction into memory");
    Operation *combiner = op.getBlock()
                              ->getTerminator()
                              ->getOperand(i - numInputs)
                              .getDefiningOp();
    if (isa_and_present<arith::MaximumFOp>(combiner))
      elements.results[i] = Elements::Maximum;
    else if (isa_and_present<arith::AddFOp>(combiner) && view.tile->isPartial)
      elements.results[i] = Elements::Sum;
    else
      return fail(op, "a reduction that is neither maximum nor sum");
  }
  for (const View &view : ArrayRef(elements.views).take_front(numInputs))
    if (elements.writesPartial && view.tile && view.tile->isPartial)
      return fail(op, "an op of several partial sums");
  return elements;
}

Value TileEmitter::clampTo(Value at, Value end) {
  return end ? compute<arith::MinSIOp>(at, add(end, -1)) : at;
}

Value TileEmitter::isBefore(Value at, Value end) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, at, end);
}

/// One element; `rows` are the operands that are the same for the whole row,
/// and what is reduced over it.
void TileEmitter::emitElement(Elements &elements, SmallVectorImpl<Value> &rows,
                              Value row, int64_t rowTile, int64_t columnTile,
                              int64_t reg) {
  linalg::LinalgOp op = elements.op;
  SmallVector<Value> indices(op.getNumLoops(), row);
  Value isVisible;
  if (std::optional<unsigned> dim = elements.space.column) {
    Value column =
        add(registerColumn[reg], columnTile * accumulators.getNumColumns());
    if (elements.space.columnEnd)
      isVisible = isBefore(column, elements.space.columnEnd);
    indices[*dim] = clampTo(column, elements.space.columnEnd);
  }
  auto getPlace = [&](unsigned i) {
    return llvm::map_to_vector(
        elements.maps[i].getResults(), [&](AffineExpr e) {
          return indices[cast<AffineDimExpr>(e).getPosition()];
        });
  };
  auto getRegister = [&](const View &view) {
    return getMatrixRegister(*view.tile, rowTile, columnTile, reg);
  };
  SmallVector<Value> args;
  for (auto [i, view] : llvm::enumerate(elements.views)) {
    if (rows[i])
      args.push_back(rows[i]);
    else if (view.tile)
      args.push_back(loadRegister(view.tile->storage, getRegister(view)));
    else if (!isa<MemRefType>(view.memory.getType()))
      args.push_back(view.memory);
    else if (op.payloadUsesValueFromOperand(&op->getOpOperand(i)))
      args.push_back(memref::LoadOp::create(b, loc, view.memory, getPlace(i)));
    else // never read
      args.push_back(arith::ConstantOp::create(
          b, loc, b.getZeroAttr(getElementTypeOrSelf(view.memory.getType()))));
  }
  unsigned i = op.getNumDpsInputs();
  for (Value result : emitBody(op, args, indices)) {
    const View &view = elements.views[i];
    if (elements.results[i] == Elements::InMemory) {
      OpBuilder::InsertionGuard guard(b);
      if (isVisible) {
        auto branch =
            scf::IfOp::create(b, loc, isVisible, /*withElseRegion=*/false);
        b.setInsertionPoint(branch.thenYield());
      }
      memref::StoreOp::create(b, loc, result, view.memory, getPlace(i));
    } else if (view.tile->place == Tile::Row) {
      bool isReduced = elements.results[i] != Elements::Stored;
      rows[i] =
          isReduced && isVisible
              ? arith::SelectOp::create(b, loc, isVisible, result, rows[i])
              : result;
    } else {
      storeRegister(result, view.tile->storage, getRegister(view));
    }
    ++i;
  }
}

/// The row that a lane holds in the registers of `group`.
void TileEmitter::emitRow(Elements &elements, int64_t rowTile, int64_t group) {
  OpBuilder::InsertionGuard guard(b);
  const Space &space = elements.space;
  SmallVector<int64_t> registers;
  for (int64_t reg = 0; reg < accumulators.getNumRegisters(); ++reg)
    if (rowGroups[reg] == group && (space.column || registers.empty()))
      registers.push_back(reg);
  Value row =
      add(registerRow[registers[0]], rowTile * accumulators.getNumRows());
  int64_t rowRegister = getRowRegister(rowTile, registers[0]);
  // All lanes take part in sums over peers, those without a query too.
  SmallVector<Value> rows(elements.views.size());
  for (auto [i, view] : llvm::enumerate(elements.views)) {
    if (!view.tile)
      continue;
    if (view.tile->place == Tile::Scalar)
      rows[i] = loadRegister(view.tile->storage, 0);
    if (view.tile->place != Tile::Row)
      continue;
    rows[i] = loadRegister(view.tile->storage, rowRegister);
    if (view.tile->isPartial && !elements.writesPartial)
      rows[i] = reduceOverPeers(rows[i], /*isMaximum=*/false);
  }
  if (elements.hasMemoryResult && space.rowEnd) {
    auto branch = scf::IfOp::create(b, loc, isBefore(row, space.rowEnd),
                                    /*withElseRegion=*/false);
    b.setInsertionPoint(branch.thenYield());
  } else {
    row = clampTo(row, space.rowEnd);
  }
  int64_t columnTiles =
      space.column ? space.columns / accumulators.getNumColumns() : 1;
  for (int64_t columnTile = 0; columnTile < columnTiles; ++columnTile)
    for (int64_t reg : registers)
      emitElement(elements, rows, row, rowTile, columnTile, reg);
  for (auto [i, view] : llvm::enumerate(elements.views)) {
    if (elements.results[i] == Elements::None || !view.tile ||
        view.tile->place != Tile::Row)
      continue;
    if (elements.results[i] == Elements::Maximum)
      rows[i] = reduceOverPeers(rows[i], /*isMaximum=*/true);
    storeRegister(rows[i], view.tile->storage, rowRegister);
  }
}

LogicalResult TileEmitter::emitElements(linalg::LinalgOp op) {
  FailureOr<Elements> elements = analyzeElements(op);
  if (failed(elements))
    return mlir::failure();
  for (int64_t rowTile = 0; rowTile < schedule.rowTiles; ++rowTile)
    for (int64_t group = 0; group < numRowGroups; ++group)
      emitRow(*elements, rowTile, group);
  return success();
}

/// An op on memory alone: its elements are shared out to the threads.
LogicalResult TileEmitter::emitCooperative(linalg::LinalgOp op) {
  if (op.getNumParallelLoops() != op.getNumLoops())
    return fail(op, "a reduction over memory");
  // By the result, whose map has every dimension.
  OpOperand *init = op.getDpsInitOperand(0);
  AffineMap resultMap = op.getMatchingIndexingMap(init);
  if (!resultMap.isPermutation())
    return fail(op, "a result that lacks a dimension");
  View out = getView(init->get());
  SmallVector<Value> sizes(op.getNumLoops());
  Value count = index(1);
  for (auto [size, expr] : llvm::zip(out.sizes, resultMap.getResults())) {
    Value extent = lookup(size);
    sizes[cast<AffineDimExpr>(expr).getPosition()] = extent;
    count = compute<arith::MulIOp>(count, extent);
  }
  auto loop = scf::ForOp::create(b, loc, thread, count, numThreads);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  Value rest = loop.getInductionVar();
  SmallVector<Value> indices(sizes.size());
  for (size_t i = sizes.size(); i-- > 0;) {
    indices[i] = i == 0 ? rest : compute<arith::RemUIOp>(rest, sizes[i]);
    if (i > 0)
      rest = compute<arith::DivUIOp>(rest, sizes[i]);
  }
  auto getPlace = [&](AffineMap map) {
    return llvm::map_to_vector(map.getResults(), [&](AffineExpr e) {
      return indices[cast<AffineDimExpr>(e).getPosition()];
    });
  };
  SmallVector<Value> args;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = lookup(operand.get());
    if (isa<MemRefType>(value.getType()))
      value = memref::LoadOp::create(
          b, loc, value, getPlace(op.getMatchingIndexingMap(&operand)));
    args.push_back(value);
  }
  SmallVector<Value> results = emitBody(op, args, indices);
  for (auto [result, operand] : llvm::zip(results, op.getDpsInitsMutable()))
    memref::StoreOp::create(b, loc, result, lookup(operand.get()),
                            getPlace(op.getMatchingIndexingMap(&operand)));
  return success();
}
