//===- TileEmitter.cpp - Tiles of a workgroup as code of a thread ---------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control. What a reader may miss:
// - Tiles are addressed by constants alone, so that LLVM turns the private
//   memory that holds them into registers.
// - Tiles of keys and values are copied while others are multiplied. The loops
//   over keys are one chain for that: what comes next is copied whichever loop
//   it belongs to, by the code of the last loop, the only one whose tile may
//   end early.
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/Utils/MemRefUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::relattn;

TileEmitter::TileEmitter(scf::ForallOp forall, OpBuilder &builder,
                         Schedule schedule)
    : forall(forall), b(builder), loc(forall.getLoc()), schedule(schedule),
      accumulators(
          schedule.isMma()
              ? Fragment::getMma16816C(builder.getContext())
              : Fragment::getRowPerPeers(builder.getContext(), schedule.peers)),
      factors(Fragment::getMma16816A(builder.getContext())),
      rowGroups(accumulators.getRowGroups()),
      numRowGroups(*llvm::max_element(rowGroups) + 1) {}

LogicalResult TileEmitter::fail(Operation *op, const Twine &reason) {
  if (!failure)
    failure = EmitFailure{op, reason.str()};
  return mlir::failure();
}

Value TileEmitter::lookup(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return lookup(value);
  return index(*getConstantIntValue(size));
}

Value TileEmitter::apply(AffineMap map, ValueRange operands) {
  return affine::makeComposedAffineApply(b, loc, map,
                                         getAsOpFoldResult(operands));
}

static std::optional<TileKind> getProductKind(Operation *op) {
  std::optional<TileKind> kind = getTileKind(op);
  if (kind == TileKind::Scores || kind == TileKind::Values)
    return kind;
  return std::nullopt;
}

bool TileEmitter::hasProduct(Operation *op) {
  return op
      ->walk([](Operation *inner) {
        return getProductKind(inner) ? WalkResult::interrupt()
                                     : WalkResult::advance();
      })
      .wasInterrupted();
}

//===----------------------------------------------------------------------===//
// What a buffer becomes
//===----------------------------------------------------------------------===//

/// The buffer that a part belongs to.
Value TileEmitter::getRoot(Value buffer) {
  return memref::skipViewLikeOps(cast<MemrefValue>(buffer));
}

TileEmitter::View TileEmitter::getView(Value buffer) {
  View view;
  auto type = cast<MemRefType>(buffer.getType());
  for (int64_t size : type.getShape())
    view.sizes.push_back(b.getIndexAttr(size));
  if (auto part = buffer.getDefiningOp<memref::SubViewOp>()) {
    // Sizes of the dimensions that the part keeps.
    llvm::SmallBitVector dropped = part.getDroppedDims();
    view.sizes.clear();
    for (auto [dim, size] : llvm::enumerate(part.getMixedSizes()))
      if (!dropped.test(dim))
        view.sizes.push_back(size);
  } else {
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      if (ShapedType::isDynamic(size))
        view.sizes[dim] =
            memref::DimOp::create(b, loc, lookup(buffer), dim).getResult();
  }
  auto found = tiles.find(getRoot(buffer));
  if (found != tiles.end())
    view.tile = &found->second;
  else
    view.memory = lookup(buffer);
  return view;
}

Value TileEmitter::createRegisters(int64_t count, Type type) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(declarations);
  return memref::AllocaOp::create(b, loc, MemRefType::get({count}, type));
}

Value TileEmitter::createShared(ArrayRef<int64_t> shape, Type type) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(declarations);
  auto space =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  // Rows start on 16 bytes, and 16 bytes behind the end of the one before:
  // those that several threads read at once are in different banks then.
  int64_t bytes = type.getIntOrFloatBitWidth() / 8, chunk = 16 / bytes;
  SmallVector<int64_t> padded(shape);
  padded.back() = llvm::alignTo(padded.back(), chunk) + chunk;
  for (int64_t size : padded)
    bytes *= size;
  int64_t offset = sharedBytes;
  sharedBytes += llvm::alignTo(bytes, 16);
  auto memory =
      MemRefType::get(padded, type, MemRefLayoutAttrInterface(), space);
  if (schedule.hasStaticSharedMemory())
    return memref::AllocOp::create(b, loc, memory);
  return memref::ViewOp::create(b, loc, memory, sharedMemory, index(offset),
                                ValueRange());
}

/// Every buffer that is made in the workgroup.
LogicalResult TileEmitter::classify(Block &block) {
  // Which are factors of products, and which sums over the columns of a tile.
  SmallPtrSet<Value, 4> shared, partial;
  block.walk([&](linalg::GenericOp op) {
    if (getTileKind(op) == TileKind::Scores)
      shared.insert(getRoot(op.getDpsInputs()[0]));
    if (getTileKind(op) == TileKind::Exp)
      partial.insert(getRoot(op.getDpsInits()[1]));
  });
  WalkResult result = block.walk([&](memref::AllocOp op) {
    auto type = op.getType();
    if (!type.hasStaticShape() || type.getRank() > 2) {
      (void)fail(op, "a buffer of unknown size");
      return WalkResult::interrupt();
    }
    Tile tile{Tile::Scalar, Value()};
    int64_t rows = getNumRows(), registers = 1;
    if (type.getRank() > 0 && type.getDimSize(0) != rows) {
      (void)fail(op, "a tile of " + Twine(type.getDimSize(0)) +
                         " rows where the schedule has " + Twine(rows));
      return WalkResult::interrupt();
    }
    if (type.getRank() == 1) {
      tile = {Tile::Row, Value(), rows};
      tile.isPartial = partial.contains(op);
      registers = schedule.rowTiles * numRowGroups;
    } else if (type.getRank() == 2) {
      tile = {shared.contains(op) ? Tile::Shared : Tile::Matrix, Value(), rows,
              type.getDimSize(1)};
      tile.paddedColumns =
          llvm::alignTo(tile.columns, accumulators.getNumColumns());
      registers = schedule.rowTiles * tile.paddedColumns /
                  accumulators.getNumColumns() * accumulators.getNumRegisters();
      if (schedule.isMma() &&
          (tile.columns % 16 != 0 || tile.columns > Schedule::kMaxMmaColumns)) {
        (void)fail(op, "d, e or a number of keys of " + Twine(tile.columns) +
                           ": it takes multiples of 16 up to " +
                           Twine(Schedule::kMaxMmaColumns));
        return WalkResult::interrupt();
      }
    }
    tile.storage =
        tile.place == Tile::Shared
            ? createShared({rows, tile.columns}, type.getElementType())
            : createRegisters(registers, type.getElementType());
    tiles[op] = tile;
    return WalkResult::advance();
  });
  return failure ? mlir::failure() : success(!result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

void TileEmitter::createThreadIndices() {
  MLIRContext *context = b.getContext();
  AffineExpr d0 = getAffineDimExpr(0, context);
  lane = apply(AffineMap::get(1, 0, d0 % Fragment::kNumLanes), thread);
  warpRow =
      apply(AffineMap::get(1, 0,
                           d0.floorDiv(Fragment::kNumLanes) *
                               (accumulators.getNumRows() * schedule.rowTiles)),
            thread);
  for (int64_t reg = 0; reg < accumulators.getNumRegisters(); ++reg) {
    AffineMap map = accumulators.getMap().replaceDimsAndSymbols(
        {d0}, {getAffineConstantExpr(reg, context)}, 1, 0);
    registerRow.push_back(add(warpRow, apply(map.getSubMap({0}), lane)));
    registerColumn.push_back(apply(map.getSubMap({1}), lane));
  }
}

std::optional<EmitFailure> TileEmitter::emit() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(forall);
  bool isAttention = hasProduct(forall);
  Value count = index(1);
  SmallVector<Value> counts;
  for (OpFoldResult size : forall.getMixedUpperBound()) {
    counts.push_back(getValueOrCreateConstantIndexOp(b, loc, size));
    count = compute<arith::MulIOp>(count, counts.back());
  }
  // No more than every Vulkan driver takes, of threads and workgroups.
  constexpr int64_t kMaxSPIRVGrid = 65535;
  bool isSPIRV = schedule.target == GPUTarget::SPIRV;
  int64_t kElementThreads = isSPIRV ? 128 : 256;
  int64_t threads = isAttention ? schedule.getNumThreads() : kElementThreads;
  Value one = index(1);
  auto bytes = arith::ConstantIntOp::create(b, loc, 0, 32);
  // A grid without a workgroup is an error of the driver: one, which does
  // nothing.
  Value grid = compute<arith::MaxSIOp>(count, one);
  Value gridX = grid, gridY = one;
  if (isSPIRV) {
    gridX = compute<arith::MinSIOp>(grid, index(kMaxSPIRVGrid));
    gridY = apply(
        AffineMap::get(
            1, 0, getAffineDimExpr(0, b.getContext()).ceilDiv(kMaxSPIRVGrid)),
        grid);
  }
  auto launch = gpu::LaunchOp::create(b, loc, gridX, gridY, one, index(threads),
                                      one, one, bytes);
  // One module holds the kernels of a program.
  launch.setModuleAttr(FlatSymbolRefAttr::get(b.getContext(), "kernels"));
  b.setInsertionPointToStart(&launch.getBody().front());
  auto end = gpu::TerminatorOp::create(b, loc);
  b.setInsertionPoint(end);
  thread = launch.getThreadIds().x;
  numThreads = launch.getBlockSizeX();
  if (isAttention && !schedule.hasStaticSharedMemory()) {
    auto space = gpu::AddressSpaceAttr::get(b.getContext(),
                                            gpu::AddressSpace::Workgroup);
    sharedMemory = gpu::DynamicSharedMemoryOp::create(
        b, loc,
        MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                        MemRefLayoutAttrInterface(), space));
  }
  if (isAttention)
    createThreadIndices();
  declarations = arith::ConstantIndexOp::create(b, loc, 0);
  Value workgroup = launch.getBlockIds().x;
  if (isSPIRV)
    workgroup = add(workgroup, mul(launch.getBlockIds().y, kMaxSPIRVGrid));
  if (grid != count || gridX != grid) {
    Value isOne = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult,
                                        workgroup, count);
    auto branch = scf::IfOp::create(b, loc, isOne, /*withElseRegion=*/false);
    b.setInsertionPoint(branch.thenYield());
  }
  // Constants in memory: the kernel's own, not the host's.
  forall->walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (auto global = operand.getDefiningOp<memref::GetGlobalOp>();
          global && !values.contains(operand))
        values.map(operand, b.clone(*global)->getResult(0));
  });
  // The workgroup's place, the last dimension fastest.
  Value rest = workgroup;
  SmallVector<Value> ivs = forall.getInductionVars();
  for (size_t i = ivs.size(); i-- > 0;) {
    values.map(ivs[i],
               i == 0 ? rest : compute<arith::RemUIOp>(rest, counts[i]));
    if (i > 0)
      rest = compute<arith::DivUIOp>(rest, counts[i]);
  }
  if (failed(classify(*forall.getBody())) ||
      failed(emitBlock(*forall.getBody()))) {
    launch->erase();
    return failure;
  }
  if (schedule.maxSharedBytes && sharedBytes > schedule.maxSharedBytes) {
    launch->erase();
    return EmitFailure{forall, "tiles of " + std::to_string(sharedBytes) +
                                   " bytes of shared memory, of which the chip "
                                   "has " +
                                   std::to_string(schedule.maxSharedBytes) +
                                   ": fewer keys or rows need less"};
  }
  declarations->erase();
  if (!schedule.hasStaticSharedMemory())
    bytes->setAttr("value", b.getI32IntegerAttr(sharedBytes));
  return std::nullopt;
}

LogicalResult TileEmitter::emitBlock(Block &block) {
  SmallVector<scf::ForOp> loops;
  for (auto loop : block.getOps<scf::ForOp>())
    if (hasProduct(loop))
      loops.push_back(loop);
  // What stands between the loops over keys: bounds and constants, which the
  // copies for the first of them need already, and ops on rows, which stay
  // there.
  SmallVector<Operation *> stages;
  for (Operation &op : block.without_terminator()) {
    bool isBetween = !loops.empty() && !op.isBeforeInBlock(loops.front()) &&
                     !loops.back()->isBeforeInBlock(&op);
    if (isBetween && (llvm::is_contained(loops, dyn_cast<scf::ForOp>(op)) ||
                      isa<linalg::LinalgOp, memref::CopyOp>(op))) {
      stages.push_back(&op);
      if (&op != loops.back().getOperation())
        continue;
      if (failed(emitKeyLoops(stages)))
        return mlir::failure();
      continue;
    }
    if (failed(emitOp(&op)))
      return mlir::failure();
  }
  return success();
}

LogicalResult TileEmitter::emitOp(Operation *op) {
  auto isTile = [&](Value buffer) {
    return isa<MemRefType>(buffer.getType()) && tiles.count(getRoot(buffer));
  };
  if (isa<memref::AllocOp, memref::DeallocOp>(op))
    return success();
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    std::optional<TileKind> kind = getTileKind(op);
    if (getProductKind(op) && staged.empty())
      return fail(op, "a product outside of a loop over keys");
    if (kind == TileKind::Scores)
      return schedule.isMma() ? emitScores(generic) : emitSimtScores(generic);
    if (kind == TileKind::Values)
      return schedule.isMma() ? emitValues(generic) : emitSimtValues(generic);
    if (kind == TileKind::Pack)
      return emitQueryCopy(op, generic.getDpsInputs()[0],
                           generic.getDpsInits()[0]);
  }
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    Value out = linalgOp.getDpsInits()[0];
    // The copy into shared memory writes what this fills.
    if (getTileKind(op) == TileKind::Fill && isTile(out))
      return success();
    if (getTileKind(op) == TileKind::RareRescale && schedule.isMma())
      return emitRareRescale(linalgOp);
    bool isOnTiles = llvm::any_of(op->getOperands(), isTile);
    return isOnTiles ? emitElements(linalgOp) : emitCooperative(linalgOp);
  }
  if (auto copy = dyn_cast<memref::CopyOp>(op))
    return emitQueryCopy(op, copy.getSource(), copy.getTarget());
  if (auto store = dyn_cast<memref::StoreOp>(op);
      store && isTile(store.getMemRef())) {
    Tile &tile = tiles.find(getRoot(store.getMemRef()))->second;
    if (tile.place != Tile::Scalar)
      return fail(op, "a store to a tile");
    storeRegister(lookup(store.getValue()), tile.storage, 0);
    return success();
  }
  if (isa<memref::SubViewOp>(op) && isTile(op->getResult(0)))
    return success(); // by getView
  if (llvm::any_of(op->getOperands(), isTile) || op->getNumRegions() > 0)
    return fail(op, "an op that is not known on tiles");
  b.clone(*op, values);
  return success();
}

/// Each loop over keys again, its tile by `emitTile`; what is between as it is.
LogicalResult TileEmitter::emitStages(
    ArrayRef<Operation *> stages,
    function_ref<LogicalResult(scf::ForOp, Value)> emitTile) {
  for (Operation *stage : stages) {
    auto loop = dyn_cast<scf::ForOp>(stage);
    if (!loop) {
      if (failed(emitOp(stage)))
        return mlir::failure();
      continue;
    }
    auto copy = scf::ForOp::create(b, loc, lookup(loop.getLowerBound()),
                                   lookup(loop.getUpperBound()),
                                   lookup(loop.getStep()));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(copy.getBody()->getTerminator());
    values.map(loop.getInductionVar(), copy.getInductionVar());
    if (failed(emitTile(loop, copy.getInductionVar())))
      return mlir::failure();
  }
  return success();
}

/// One buffer for the keys and one for the values: while scores are computed
/// the tile's values are copied, and while these are multiplied the next keys.
/// Two barriers a tile: each is where one copy has come and the other's buffer
/// is free.
LogicalResult TileEmitter::emitSimtKeyLoops(ArrayRef<Operation *> stages) {
  currentBuffer = index(0);
  emitNextCopy(staged[0], firstKey, currentBuffer);
  auto emitTile = [&](scf::ForOp loop, Value key) -> LogicalResult {
    waitForCopies(/*pending=*/0);
    emitStagedCopy(staged[1], key, currentBuffer);
    commitCopies();
    currentKey = key;
    for (Operation &op : loop.getBody()->without_terminator())
      if (failed(emitOp(&op)))
        return mlir::failure();
    return success();
  };
  if (failed(emitStages(stages, emitTile)))
    return mlir::failure();
  // The queries, where no tile of keys was.
  if (schedule.hasAsyncCopies)
    NVVM::CpAsyncWaitGroupOp::create(b, loc, 0);
  return success();
}

/// Whether a lane's part of the queries fits into registers beside that of the
/// scores and the output: 255 are there, and what else lives needs some 60.
bool TileEmitter::queriesFit() {
  constexpr int64_t kBudget = 192;
  int64_t keys = staged[0].rows, depth = staged[0].columns,
          width = staged[1].columns;
  int64_t perRow = (keys + width) / 2 + depth / 4;
  return schedule.rowTiles * perRow <= kBudget;
}

LogicalResult TileEmitter::emitKeyLoops(ArrayRef<Operation *> stages) {
  for (Operation *stage : stages)
    if (isa<scf::ForOp>(stage) && stage->getNumResults() > 0)
      return fail(stage, "a state that changes its buffer");
  auto first = cast<scf::ForOp>(stages.front());
  lastLoop = cast<scf::ForOp>(stages.back());
  firstKey = lookup(first.getLowerBound());
  endKey = lookup(lastLoop.getUpperBound());
  tileKeys = lookup(lastLoop.getStep());
  if (failed(createStaged()))
    return mlir::failure();
  return schedule.isMma() ? emitMmaKeyLoops(stages) : emitSimtKeyLoops(stages);
}

/// Two buffers in turn for keys and values: those of the next tile are copied
/// while this one's are multiplied. One barrier a tile: behind it the buffers
/// of the tile before are free.
LogicalResult TileEmitter::emitMmaKeyLoops(ArrayRef<Operation *> stages) {
  // The queries are one group, the first keys another: the products wait for
  // the first alone before they load the queries.
  commitCopies();
  emitNextCopy(staged, firstKey, index(0));
  waitForCopies(/*pending=*/1);
  sharesQueries = !queriesFit();
  if (!sharesQueries)
    lastLoop.walk([&](linalg::GenericOp op) {
      if (getTileKind(op) == TileKind::Scores)
        queryFragments = loadQueries(op, 0, staged[0].columns);
    });

  auto emitTile = [&](scf::ForOp loop, Value key) -> LogicalResult {
    // What the scores start from is read while the copies are under way.
    for (Operation &op : loop.getBody()->without_terminator()) {
      if (getTileKind(&op) == TileKind::Scores) {
        waitForCopies(/*pending=*/0);
        Value tile = compute<arith::DivUIOp>(
            compute<arith::SubIOp>(key, firstKey), tileKeys);
        currentBuffer = compute<arith::RemUIOp>(tile, index(2));
        emitNextCopy(staged, add(key, tileKeys),
                     compute<arith::SubIOp>(index(1), currentBuffer));
      }
      if (failed(emitOp(&op)))
        return mlir::failure();
    }
    return success();
  };
  return emitStages(stages, emitTile);
}
