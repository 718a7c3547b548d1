//===- ConvertTilesToAMX.cpp - Products in pairs for Intel's AMX ----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two by two tiles of 16 x 16 accumulators, a loop over chunks of what is
// summed, and in it the products of parts, each with one factor of the one
// before it, so that two tiles are read for four products (four for those of
// the first parts): the unit's eight registers are all in use. (With all four
// tiles read again: 1.1 times slower. With both of a factor read before the
// first is used, LLVM spills one.)
//
// First accumulators are read where they are: a tile of the strip is 16 rows of
// it that start one number apart. Written to the scores' buffer before, in a C
// program, the bias cost 9 % of the kernel.
//
// What a product takes, measured on an Intel Xeon (Granite Rapids): 16 cycles
// of the unit if all numbers are 0, 24 to 29 if not (its clock, or its rate, is
// lowered by what it draws), whatever else is read and written beside it.
//
// From buffers, not by convert-vector-to-amx: that hands the accumulators of
// each product to the next one as a vector, by way of the stack.
//
//===----------------------------------------------------------------------===//

#include "OutlineTiles.h"
#include "Pairs.h"
#include "TileKind.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "relattn/Tiling/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_CONVERTTILESTOAMX
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

namespace {

/// Rows of a tile, and numbers of one of f32.
constexpr int64_t kTile = 16;

class ProductEmitter {
public:
  ProductEmitter(RewriterBase &builder, linalg::GenericOp op)
      : b(builder), loc(op.getLoc()), out(op.getOutputs().front()),
        areScores(getTileKind(op) == TileKind::PairScores) {
    setFactors(op);
    findBias(op);
  }

  /// Whether the op is one that level 3 makes, with whole tiles.
  bool isValid() const;
  /// The loop over the rows of the product; what it starts from is erased.
  scf::ForOp emit();

private:
  void setFactors(linalg::GenericOp op);
  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value add(Value lhs, int64_t rhs) {
    return b.createOrFold<arith::AddIOp>(loc, lhs, number(rhs));
  }
  Value load(Value buffer, ValueRange indices, amx::TileType type) {
    return amx::TileLoadOp::create(b, loc, type, buffer, indices);
  }
  Value loadFactor(Value factor, Value chunk, bool isLeft, Value place);
  void emitTiles(Value row, int64_t numRows, Value lane, int64_t numLanes);
  SmallVector<Value> emitProducts(Value chunk, Value row, int64_t numRows,
                                  Value lane, int64_t numLanes,
                                  ValueRange sums);
  void findBias(linalg::GenericOp op);
  Value createSum(Value row, Value lane);
  bool isByChunk(Value factor) const {
    return cast<MemRefType>(factor.getType()).getRank() == 3;
  }

  RewriterBase &b;
  Location loc;
  ValueRange lhs, rhs;
  Value out;
  bool areScores;
  /// What writes the first accumulators, if these can be had without: 0, or
  /// the strip, read at place - row + lane.
  linalg::LinalgOp bias;
  Value strip, place;
};

} // namespace

/// The parts of both factors, if they are indexed as those of level 3: [row,
/// word] and [word, lane], or by chunks, [chunk, row, word] and [chunk, word,
/// lane].
void ProductEmitter::setFactors(linalg::GenericOp op) {
  unsigned numLoops = op.getNumLoops();
  auto getMap = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(numLoops, dims, b.getContext());
  };
  if (numLoops != 3 && numLoops != 4)
    return;
  AffineMap left = numLoops == 3 ? getMap({0, 2}) : getMap({2, 0, 3}),
            right = numLoops == 3 ? getMap({2, 1}) : getMap({2, 3, 1});
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto factors = ArrayRef(maps).drop_back();
  auto first =
      llvm::find_if(factors, [&](AffineMap map) { return map != left; });
  if (maps.back() != getMap({0, 1}) ||
      !std::all_of(first, factors.end(),
                   [&](AffineMap map) { return map == right; }))
    return;
  size_t numLeft = first - factors.begin();
  lhs = op.getInputs().take_front(numLeft);
  rhs = op.getInputs().drop_front(numLeft);
}

/// Buffers of i32 and f32 whose rows are whole rows of tiles, and sizes that
/// agree. (Dynamic ones are multiples of two tiles, as level 3 makes them.)
bool ProductEmitter::isValid() const {
  auto getShape = [](Value buffer, Type element) -> ArrayRef<int64_t> {
    auto type = dyn_cast<MemRefType>(buffer.getType());
    if (!type || type.getElementType() != element ||
        !type.isLastDimUnitStride())
      return {};
    return type.getShape();
  };
  auto isTiled = [](int64_t size) {
    return ShapedType::isStatic(size) && size > 0 && size % kTile == 0;
  };
  auto isRows = [&](int64_t size) {
    return ShapedType::isDynamic(size) || isTiled(size);
  };
  ArrayRef<int64_t> sums = getShape(out, b.getF32Type());
  if (sums.size() != 2 || !isRows(sums[0]) || !isTiled(sums[1]) ||
      lhs.empty() || rhs.empty() || int64_t(lhs.size()) > kMaxParts ||
      int64_t(rhs.size()) > kMaxParts)
    return false;
  ArrayRef<int64_t> words = getShape(lhs[0], b.getI32Type());
  size_t rank = words.size();
  bool isTile =
      (rank == 2 && isTiled(words[1])) || (rank == 3 && words[2] == kWords);
  auto fits = [&](Value part, int64_t row, int64_t column) {
    ArrayRef<int64_t> shape = getShape(part, b.getI32Type());
    return shape.size() == rank && shape[rank - 2] == row &&
           shape[rank - 1] == column;
  };
  return isTile &&
         llvm::all_of(
             lhs,
             [&](Value left) { return fits(left, sums[0], words.back()); }) &&
         llvm::all_of(rhs, [&](Value right) {
           return fits(right, words.back(), sums[1]);
         });
}

/// The op before `op` that fills its accumulators, all of them, as level 3
/// makes it; nothing between the two writes.
void ProductEmitter::findBias(linalg::GenericOp op) {
  linalg::LinalgOp found;
  for (Operation *before = op->getPrevNode(); before && !found;
       before = before->getPrevNode()) {
    if (isa<ViewLikeOpInterface>(before) || isMemoryEffectFree(before))
      continue;
    found = dyn_cast<linalg::LinalgOp>(before);
    if (!found || getTileKind(found) != TileKind::PairBias ||
        found.getDpsInits().front() != out)
      return;
  }
  if (!found)
    return;
  if (auto fill = dyn_cast<linalg::FillOp>(found.getOperation())) {
    if (matchPattern(fill.value(), m_AnyZeroFloat()))
      bias = found;
    return;
  }
  auto loads = found.getBlock()->getOps<memref::LoadOp>();
  if (!llvm::hasSingleElement(loads))
    return;
  memref::LoadOp load = *loads.begin();
  if (load.getMemRefType().getRank() != 1 ||
      !load.getMemRefType().isLastDimUnitStride())
    return;
  // (place - row) + lane.
  auto sum = load.getIndices().front().getDefiningOp<arith::AddIOp>();
  auto difference =
      sum ? sum.getLhs().getDefiningOp<arith::SubIOp>() : arith::SubIOp();
  auto isIndex = [](Value value, uint64_t dim) {
    auto index = value.getDefiningOp<linalg::IndexOp>();
    return index && index.getDim() == dim;
  };
  auto isOutside = [&](Value value) {
    return value.getParentBlock() != found.getBlock();
  };
  if (!difference || !isIndex(difference.getRhs(), 0) ||
      !isIndex(sum.getRhs(), 1) || !isOutside(load.getMemRef()) ||
      !isOutside(difference.getLhs()))
    return;
  bias = found;
  strip = load.getMemRef();
  place = difference.getLhs();
}

/// The first accumulators of a tile.
Value ProductEmitter::createSum(Value row, Value lane) {
  auto type = amx::TileType::get({kTile, kTile}, b.getF32Type());
  if (!bias)
    return load(out, {row, lane}, type);
  if (!strip)
    return amx::TileZeroOp::create(b, loc, type);
  Value at = arith::SubIOp::create(b, loc, place, row);
  at = arith::AddIOp::create(b, loc, at, lane);
  return amx::TileLoadOp::create(b, loc, type, strip, at, number(-1));
}

/// A tile of words: left ones are [row, word], right ones [word, lane], those
/// with three dimensions chunk by chunk.
Value ProductEmitter::loadFactor(Value factor, Value chunk, bool isLeft,
                                 Value place) {
  auto type = amx::TileType::get({kTile, kChunk}, b.getBF16Type());
  if (isByChunk(factor)) {
    Value zero = number(0);
    return load(factor,
                isLeft ? ValueRange{chunk, place, zero}
                       : ValueRange{chunk, zero, place},
                type);
  }
  Value word = b.createOrFold<arith::MulIOp>(loc, chunk, number(kWords));
  return load(factor,
              isLeft ? ValueRange{place, word} : ValueRange{word, place}, type);
}

/// The sums with the products of one chunk.
SmallVector<Value> ProductEmitter::emitProducts(Value chunk, Value row,
                                                int64_t numRows, Value lane,
                                                int64_t numLanes,
                                                ValueRange sums) {
  SmallVector<Value> results(sums);
  SmallVector<Value> lefts(numRows / kTile), rights(numLanes / kTile);
  auto multiply = [&](size_t i, size_t j) {
    Value &sum = results[i * rights.size() + j];
    sum = amx::TileMulFOp::create(b, loc, sum.getType(), lefts[i], rights[j],
                                  sum);
  };
  auto loadLeft = [&](int64_t part, size_t i) {
    lefts[i] = loadFactor(lhs[part], chunk, true, add(row, i * kTile));
  };
  auto loadRight = [&](int64_t part, size_t j) {
    rights[j] = loadFactor(rhs[part], chunk, false, add(lane, j * kTile));
  };
  int64_t oldLeft = -1;
  bool byRight = false;
  for (auto [left, right] :
       getPartProducts(lhs.size(), rhs.size(), areScores)) {
    bool wasByRight = byRight, isFirst = oldLeft < 0;
    byRight = left == oldLeft;
    if (byRight) {
      if (!wasByRight && lefts.size() > 1)
        loadLeft(left, 0);
      for (size_t j : llvm::seq(rights.size())) {
        loadRight(right, j);
        for (size_t i : llvm::seq(lefts.size()))
          multiply(i, j);
      }
    } else {
      if (wasByRight && rights.size() > 1)
        loadRight(right, 0);
      for (size_t i : llvm::seq(lefts.size())) {
        loadLeft(left, i);
        for (size_t j : llvm::seq(rights.size())) {
          if (i == 0 && isFirst)
            loadRight(right, j);
          multiply(i, j);
        }
      }
    }
    oldLeft = left;
  }
  return results;
}

void ProductEmitter::emitTiles(Value row, int64_t numRows, Value lane,
                               int64_t numLanes) {
  SmallVector<std::pair<Value, Value>> places;
  SmallVector<Value> sums;
  for (int64_t i = 0; i < numRows; i += kTile)
    for (int64_t j = 0; j < numLanes; j += kTile) {
      places.push_back({add(row, i), add(lane, j)});
      sums.push_back(createSum(places.back().first, places.back().second));
    }
  Value chunks =
      isByChunk(lhs[0])
          ? b.createOrFold<memref::DimOp>(loc, lhs[0], 0)
          : number(cast<MemRefType>(lhs[0].getType()).getDimSize(1) / kWords);
  auto loop = scf::ForOp::create(
      b, loc, number(0), chunks, number(1), sums,
      [&](OpBuilder &, Location, Value chunk, ValueRange carried) {
        scf::YieldOp::create(
            b, loc, emitProducts(chunk, row, numRows, lane, numLanes, carried));
      });
  for (auto [place, sum] : llvm::zip(places, loop.getResults()))
    amx::TileStoreOp::create(b, loc, out, {place.first, place.second}, sum);
}

scf::ForOp ProductEmitter::emit() {
  auto type = cast<MemRefType>(out.getType());
  int64_t lanes = type.getDimSize(1), rows = type.getDimSize(0);
  // A static number of rows may end with half a step.
  int64_t rest = ShapedType::isDynamic(rows) ? 0 : rows % (2 * kTile);
  Value all = ShapedType::isDynamic(rows)
                  ? b.createOrFold<memref::DimOp>(loc, out, 0)
                  : number(rows);
  auto emitRow = [&](Value row, int64_t numRows) {
    int64_t pairs = lanes / (2 * kTile) * (2 * kTile);
    if (pairs > 0)
      scf::ForOp::create(b, loc, number(0), number(pairs), number(2 * kTile),
                         ValueRange(),
                         [&](OpBuilder &, Location, Value lane, ValueRange) {
                           emitTiles(row, numRows, lane, 2 * kTile);
                           scf::YieldOp::create(b, loc);
                         });
    if (pairs < lanes)
      emitTiles(row, numRows, number(pairs), kTile);
  };
  // One loop, so that one function holds all.
  auto loop = scf::ForOp::create(
      b, loc, number(0), all, number(2 * kTile), ValueRange(),
      [&](OpBuilder &, Location, Value row, ValueRange) {
        if (rest == 0) {
          emitRow(row, 2 * kTile);
        } else {
          Value isWhole = arith::CmpIOp::create(
              b, loc, arith::CmpIPredicate::slt, row, number(rows - rest));
          scf::IfOp::create(
              b, loc, isWhole,
              [&](OpBuilder &, Location) {
                emitRow(row, 2 * kTile);
                scf::YieldOp::create(b, loc);
              },
              [&](OpBuilder &, Location) {
                emitRow(row, kTile);
                scf::YieldOp::create(b, loc);
              });
        }
        scf::YieldOp::create(b, loc);
      });
  if (bias)
    b.eraseOp(bias);
  return loop;
}

/// Asks Linux for the unit's registers, without which its instructions are
/// illegal: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA), for all
/// threads of the process; asking again is allowed. A call of the C library
/// would be a symbol that the program may have declared otherwise.
static void requestPermission(RewriterBase &b, func::FuncOp function) {
  constexpr int64_t kArchPrctl = 158, kRequest = 0x1023, kTileData = 18;
  b.setInsertionPointToStart(&function.getBody().front());
  Location loc = function.getLoc();
  Type i64 = b.getI64Type();
  SmallVector<Value> arguments;
  for (int64_t value : {kArchPrctl, kRequest, kTileData})
    arguments.push_back(
        arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)));
  LLVM::InlineAsmOp::create(b, loc, i64, arguments, "syscall",
                            "={ax},{ax},{di},{si},~{rcx},~{r11},~{memory}",
                            /*has_side_effects=*/true, /*is_align_stack=*/false,
                            LLVM::tailcallkind::TailCallKind::None,
                            LLVM::AsmDialectAttr(), ArrayAttr());
}

namespace {
struct ConvertTilesToAMX
    : public relattn::impl::ConvertTilesToAMXBase<ConvertTilesToAMX> {
  using ConvertTilesToAMXBase::ConvertTilesToAMXBase;

  void runOnOperation() override {
    SmallVector<linalg::GenericOp> products;
    getOperation()->walk([&](linalg::GenericOp op) {
      std::optional<TileKind> kind = getTileKind(op);
      if (kind == TileKind::PairScores || kind == TileKind::PairValues)
        products.push_back(op);
    });
    SymbolTable symbols(getOperation());
    IRRewriter rewriter(&getContext());
    llvm::SetVector<func::FuncOp> users;
    for (linalg::GenericOp op : products) {
      if (!op.hasPureBufferSemantics() || op.getOutputs().size() != 1 ||
          !ProductEmitter(rewriter, op).isValid()) {
        op.emitOpError("cannot be multiplied by AMX: expected buffers of whole "
                       "tiles");
        return signalPassFailure();
      }
      auto function = op->getParentOfType<func::FuncOp>();
      if (!function || function->getParentOp() != getOperation()) {
        op.emitOpError("cannot be multiplied by AMX outside of the module's "
                       "functions");
        return signalPassFailure();
      }
      users.insert(function);
      ProductEmitter emitter(rewriter, op);
      rewriter.setInsertionPoint(op);
      scf::ForOp loop = emitter.emit();
      rewriter.eraseOp(op);
      if (failed(outlineTile(rewriter, symbols, loop))) {
        loop.emitOpError("cannot be outlined");
        return signalPassFailure();
      }
    }
    for (func::FuncOp function : users)
      requestPermission(rewriter, function);
  }
};
} // namespace
