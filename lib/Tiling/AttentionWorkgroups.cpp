//===- AttentionWorkgroups.cpp - Blocks of queries for a GPU --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A workgroup has one block of queries of one (b, g, r), and meets tiles of
// keys in up to four loops:
//
//     [begin, low)    every offset of the tile is in the first interval of the
//                     bucketing: one number is the bias of all scores
//     [low, high)     scores start from the strip
//     [high, full)    the last interval: one number
//     [full, end)     the last keys, fewer than a tile
//
// Where the bias is one number u, scores are computed without it, and the
// running maximum is kept relative to it: less u before the loop, with it again
// behind. The loop is then that of no bias at all. (Started from u, as an
// operand of the first products, it has 14 to 26 more moves between registers,
// 1 to 2 % of a kernel's time on an H200; added to each tile's maxima, 8 more
// additions.) The maximum less u is rounded for all keys of the loop, so |u| is
// at most 64; with any other these keys are the strip's.
//
// Finite numbers of an f32 strip that are larger than 2^20 become that. The
// exponential's multiply-add (DecomposeBlock.cpp) rounds the maximum's product
// with log2(e), by 2^-4 of an exponent there; of 10^10 it made infinite
// weights, and a table may hide keys by the lowest number that there is. A row
// that sees nothing else weighs all its keys alike, and has +-2^20 in its lse.
//
// A tile of the first three is whole, so nothing in their loops is dynamic but
// where they begin. The band hides by the strip's -inf, so that its edge needs
// no loop of its own; keys that do not exist have no row.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

/// Places of the strip that one workgroup computes.
static constexpr int64_t kStripBlock = 256;

/// See above.
static constexpr double kLargestNumber = 64.0, kLargestBias = 0x1p20;

/// A bias that the exponential of a workgroup's step can take, where that is of
/// bounded scores.
Value AttentionTiler::limitBias(OpBuilder &builder, Location bodyLoc,
                                Value bias) {
  if (!accumulator.isF32())
    return bias;
  auto constant = [&](double value) {
    return createFloatConstant(builder, bodyLoc, accumulator, value);
  };
  auto isBetween = [&](double low, double high) {
    Value isAbove = arith::CmpFOp::create(
        builder, bodyLoc, arith::CmpFPredicate::OGT, bias, constant(low));
    Value isBelow = arith::CmpFOp::create(
        builder, bodyLoc, arith::CmpFPredicate::OLT, bias, constant(high));
    return arith::AndIOp::create(builder, bodyLoc, isAbove, isBelow);
  };
  double infinity = std::numeric_limits<double>::infinity();
  Value isHigh = isBetween(kLargestBias, infinity),
        isLow = isBetween(-infinity, -kLargestBias);
  bias = arith::SelectOp::create(builder, bodyLoc, isHigh,
                                 constant(kLargestBias), bias);
  return arith::SelectOp::create(builder, bodyLoc, isLow,
                                 constant(-kLargestBias), bias);
}

/// The strip of all heads, each part of it by a workgroup; buckets are searched
/// where they are needed.
void AttentionTiler::createWorkgroupStrip(Value length) {
  SmallVector<OpFoldResult> shape, workers;
  if (stripHasBatch)
    shape.push_back(getAsOpFoldResult(getSize(Dim::B)));
  if (stripHasHead)
    shape.push_back(getAsOpFoldResult(mul(getSize(Dim::G), getSize(Dim::R))));
  workers = shape;
  shape.push_back(getAsOpFoldResult(length));
  Value block = number(kStripBlock);
  workers.push_back(getAsOpFoldResult(ceilDiv(length, block)));
  Value init = tensor::EmptyOp::create(b, loc, shape, accumulator);
  auto forall = scf::ForallOp::create(b, loc, workers, init,
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  SmallVector<Value> ivs = forall.getInductionVars();
  Value first = mul(ivs.back(), block);
  Value count = min(sub(length, first), block);
  SmallVector<OpFoldResult> offsets =
                                getAsOpFoldResult(ArrayRef(ivs).drop_back()),
                            extents(offsets.size(), b.getIndexAttr(1)),
                            strides(offsets.size() + 1, b.getIndexAttr(1));
  Value batch = stripHasBatch ? ivs.front() : Value();
  Value head = stripHasHead ? ivs[offsets.size() - 1] : Value();
  offsets.push_back(first);
  extents.push_back(count);
  Value whole = forall.getRegionIterArgs()[0];
  auto type = RankedTensorType::get({ShapedType::kDynamic}, accumulator);
  Value part = createSlice(b, loc, whole, offsets, extents, type);
  part = createStripRow(part, first, batch, head);
  b.setInsertionPointToEnd(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, part, whole, offsets, extents,
                                        strides);
  strip = forall.getResult(0);
}

/// The strip of the current head, and where offset 0 of `query` and the current
/// key lies in it.
std::pair<Value, Value> AttentionTiler::getHeadStrip(Value query) {
  if (!stripSource)
    return {};
  auto type = cast<RankedTensorType>(strip.getType());
  SmallVector<OpFoldResult> offsets;
  if (stripHasBatch)
    offsets.push_back(getAsOpFoldResult(entry.lookup(Dim::B)));
  if (stripHasHead)
    offsets.push_back(getAsOpFoldResult(getHead()));
  SmallVector<OpFoldResult> extents(offsets.size(), b.getIndexAttr(1));
  offsets.push_back(b.getIndexAttr(0));
  extents.push_back(tensor::getMixedSize(b, loc, strip, type.getRank() - 1));
  Value row =
      createSlice(b, loc, strip, offsets, extents,
                  RankedTensorType::get({type.getShape().back()}, accumulator));
  return {row, add(sub(stripEnd, firstKey), query)};
}

/// The block's queries in their own type, [lanes, D]; rows beyond the last one
/// are 0.
Value AttentionTiler::createQueryBlock() {
  Value scratch = createScratch({sizes.lanes, depth}, inputType);
  auto fill = linalg::FillOp::create(
      b, loc, createFloatConstant(b, loc, inputType, 0.0), scratch);
  setTileKind(fill, TileKind::Fill);
  SmallVector<unsigned> order;
  Value query = extract(op.getQuery(), op.getQueryMap(),
                        {{Dim::M, {firstQuery, blockQueries}},
                         {Dim::D, {zero, b.getIndexAttr(depth)}}},
                        order);
  SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)),
      extents = {blockQueries, b.getIndexAttr(depth)};
  Value out = createSlice(b, loc, fill.getResult(0), extents);
  AffineMap identity = b.getMultiDimIdentityMap(2);
  AffineMap read = order[0] == Dim::M
                       ? identity
                       : AffineMap::getPermutationMap(ArrayRef<int64_t>{1, 0},
                                                      b.getContext());
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto pack = linalg::GenericOp::create(
      b, loc, out.getType(), query, out, ArrayRef{read, identity}, iterators,
      [](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        linalg::YieldOp::create(inner, bodyLoc, args[0]);
      });
  setTileKind(pack, TileKind::Pack);
  return insertSlice(b, loc, pack.getResult(0), fill.getResult(0), offsets,
                     extents);
}

/// The block of queries meets the tile of keys from `firstKey` on.
SmallVector<Value> AttentionTiler::createBlockStep(OpFoldResult keys,
                                                   bool hasStrip,
                                                   ValueRange state) {
  auto getTile = [&](Value tensor, AffineMap map, unsigned column,
                     SmallVectorImpl<unsigned> &order) {
    int64_t columns = column == Dim::D ? depth : width;
    return extract(
        tensor, map,
        {{Dim::N, {firstKey, keys}}, {column, {zero, b.getIndexAttr(columns)}}},
        order);
  };
  SmallVector<unsigned> keyDims, valueDims;
  Value keyTile = getTile(key, keyMap, Dim::D, keyDims);
  Value valueTile = getTile(value, valueMap, Dim::E, valueDims);
  auto getScoresTile = [&](Value tensor, AffineMap map,
                           AffineMapAttr &tileMap) {
    SmallVector<unsigned> order;
    Value tile = extract(
        tensor, map,
        {{Dim::M, {firstQuery, blockQueries}}, {Dim::N, {firstKey, keys}}},
        order);
    tileMap = AffineMapAttr::get(getOnlineMap(order));
    return tile;
  };
  Value bias, mask, stripRow, place;
  AffineMapAttr biasMap, maskMap;
  if (auto dense = dyn_cast_if_present<DenseAttr>(op.getBiasSchemeAttr()))
    bias = getScoresTile(op.getBias(), dense.getMap(), biasMap);
  if (op.getMask())
    mask = getScoresTile(op.getMask(), *op.getMaskMap(), maskMap);
  if (hasStrip)
    std::tie(stripRow, place) = getHeadStrip(firstQuery);
  SmallVector<AffineMap> maps = {getOnlineMap({Dim::M, Dim::D}),
                                 getOnlineMap(keyDims), getOnlineMap(valueDims),
                                 getOnlineMap({Dim::M, Dim::E})};
  auto step = OnlineAttentionOp::create(
      b, loc, queryPanels, keyTile, valueTile, state[0], state[1], state[2],
      /*num_keys=*/Value(), stripRow, place, bias, mask,
      b.getAffineMapArrayAttr(maps), biasMap, maskMap,
      b.getI64IntegerAttr(sizes.keys), /*ascending=*/false, op.getScale());
  return SmallVector<Value>(step.getResults());
}

/// The offsets on whose outer sides the bias is one number that the band does
/// not hide; null where there is no such side.
std::pair<Value, Value> AttentionTiler::getSaturation() {
  std::optional<int64_t> low, high;
  if (stripSource && stripSource->scheme) {
    std::optional<StepFunction> steps = stripSource->scheme.getStepFunction();
    if (!steps)
      return {};
    low = steps->getLowSaturation();
    high = steps->getHighSaturation();
  } else if (bandHigh) {
    low = bandHigh; // no bias: everything that is visible
  }
  // Between two bounds little is left to gain.
  if (bandHigh) {
    high = std::nullopt;
    if (low)
      low = std::min(*low, *bandHigh);
  }
  if (bandLow)
    low = high = std::nullopt;
  return {low ? number(*low) : Value(), high ? number(*high) : Value()};
}

/// max - number, or max + number.
Value AttentionTiler::shiftMaximum(Value maximum, Value number, bool isAdded) {
  Value scalar = tensor::FromElementsOp::create(
      b, loc, RankedTensorType::get({}, accumulator), number);
  AffineMap row = b.getMultiDimIdentityMap(1);
  auto generic = linalg::GenericOp::create(
      b, loc, maximum.getType(), scalar, maximum,
      ArrayRef{AffineMap::get(1, 0, b.getContext()), row},
      utils::IteratorType::parallel,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value shifted =
            isAdded
                ? Value(arith::AddFOp::create(inner, bodyLoc, args[1], args[0]))
                : Value(
                      arith::SubFOp::create(inner, bodyLoc, args[1], args[0]));
        linalg::YieldOp::create(inner, bodyLoc, shifted);
      });
  setTileKind(generic, TileKind::Row);
  return generic.getResult(0);
}

/// The state after all keys.
SmallVector<Value> AttentionTiler::createKeyLoops() {
  Value limit = numKeys;
  if (Value lengths = op.getKeyLengths())
    limit = max(zero, min(numKeys,
                          extractIndex(b, loc, lengths, entry.lookup(Dim::B))));
  Value tileKeys = number(sizes.keys), tileLast = number(sizes.keys - 1);
  std::pair<Value, Value> visible = getVisibleKeys();
  Value begin = visible.first, end = visible.second;
  // Floors and ceilings of numbers that may be negative: none below 0 is used.
  auto floorTiles = [&](Value keys) {
    return compute<arith::DivSIOp>(max(keys, zero), tileKeys);
  };
  Value numTiles = floorTiles(add(sub(end, begin), tileLast));
  Value numWhole = min(numTiles, floorTiles(sub(limit, begin)));
  auto [lowOffset, highOffset] = getSaturation();
  Value position = queryOffset ? add(firstQuery, queryOffset) : firstQuery;
  auto getKey = [&](Value tile) { return add(begin, mul(tile, tileKeys)); };
  SmallVector<Value> state = {
      linalg::FillOp::create(b, loc,
                             createFloatConstant(b, loc, accumulator, 0.0),
                             createScratch({sizes.lanes, width}, accumulator))
          .getResult(0)};
  for (double start : {-std::numeric_limits<double>::infinity(), 0.0})
    state.push_back(linalg::FillOp::create(
                        b, loc, createFloatConstant(b, loc, accumulator, start),
                        createScratch({sizes.lanes}, accumulator))
                        .getResult(0));

  auto createLoop = [&](Value from, Value to, bool isWhole, bool hasStrip) {
    auto loop = scf::ForOp::create(
        b, loc, from, to, tileKeys, state,
        [&](OpBuilder &, Location, Value first, ValueRange args) {
          firstKey = first;
          OpFoldResult keys = b.getIndexAttr(sizes.keys);
          if (!isWhole)
            keys = getAsOpFoldResult(sub(limit, first));
          scf::YieldOp::create(b, loc, createBlockStep(keys, hasStrip, args));
        });
    state.assign(loop.result_begin(), loop.result_end());
  };
  // The strip's number at the block's first query and `key`.
  auto getConstant = [&](Value key) -> Value {
    firstKey = key;
    auto [row, place] = getHeadStrip(firstQuery);
    return tensor::ExtractOp::create(b, loc, row, place);
  };
  bool hasNumber = stripSource && stripSource->scheme;
  auto isSmall = [&](Value number) -> Value {
    auto compare = [&](arith::CmpFPredicate predicate, double limit) {
      return arith::CmpFOp::create(
          b, loc, predicate, number,
          createFloatConstant(b, loc, accumulator, limit));
    };
    Value isBelow = compare(arith::CmpFPredicate::OLE, kLargestNumber),
          isAbove = compare(arith::CmpFPredicate::OGE, -kLargestNumber);
    return arith::AndIOp::create(b, loc, isBelow, isAbove);
  };
  // Of a loop without a tile, whose number is not small.
  Value nothing = createFloatConstant(b, loc, accumulator, 0.0);
  auto createConstantLoop = [&](Value from, Value to, Value number) {
    if (hasNumber)
      state[1] = shiftMaximum(state[1], number, /*isAdded=*/false);
    createLoop(from, to, /*isWhole=*/true, /*hasStrip=*/false);
    if (hasNumber)
      state[1] = shiftMaximum(state[1], number, /*isAdded=*/true);
  };

  Value low = zero, high = numWhole;
  if (!stripSource) {
    createLoop(begin, getKey(numWhole), /*isWhole=*/true, /*hasStrip=*/false);
  } else {
    Value lastKey = sub(numKeys, one);
    if (lowOffset) {
      // The last key of the tile, the first query.
      Value keys = add(add(position, lowOffset), one), number;
      low = min(floorTiles(sub(keys, begin)), numWhole);
      if (hasNumber) {
        number = getConstant(min(begin, lastKey));
        Value isUsed = isSmall(number);
        low = arith::SelectOp::create(b, loc, isUsed, low, zero);
        number = arith::SelectOp::create(b, loc, isUsed, number, nothing);
      }
      createConstantLoop(begin, getKey(low), number);
    }
    Value number;
    if (highOffset) {
      // The first key of the tile, the last query.
      Value keys =
          add(add(position, this->number(sizes.lanes - 1)), highOffset);
      high =
          max(low, min(floorTiles(add(sub(keys, begin), tileLast)), numWhole));
      number = getConstant(lastKey);
      Value isUsed = isSmall(number);
      high = arith::SelectOp::create(b, loc, isUsed, high, numWhole);
      number = arith::SelectOp::create(b, loc, isUsed, number, nothing);
    }
    createLoop(getKey(low), getKey(high), /*isWhole=*/true, /*hasStrip=*/true);
    if (highOffset)
      createConstantLoop(getKey(high), getKey(numWhole), number);
  }
  Value last = min(getKey(numTiles), limit);
  bool mayEndInTile = !matchPattern(limit, m_Constant()) || op.getBandAttr() ||
                      op.getStaticSize(Dim::N) % sizes.keys != 0;
  if (mayEndInTile)
    createLoop(getKey(numWhole), last, /*isWhole=*/false,
               /*hasStrip=*/bool(stripSource));
  return state;
}

/// out / sum, or max + log(sum), of the queries that exist, into `part`.
Value AttentionTiler::createBlockResult(Value part, ArrayRef<unsigned> order,
                                        ValueRange state, bool isLse) {
  OpFoldResult queries = blockQueries;
  AffineMap row = b.getMultiDimIdentityMap(1);
  auto getRows = [&](Value tensor) {
    return createSlice(b, loc, tensor, {queries});
  };
  if (isLse) {
    auto lse = linalg::GenericOp::create(
        b, loc, part.getType(),
        ValueRange{getRows(state[1]), getRows(state[2])}, part,
        ArrayRef{row, row, row}, utils::IteratorType::parallel,
        [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
          Value logarithm = math::LogOp::create(inner, bodyLoc, args[1]);
          Value sum = arith::AddFOp::create(inner, bodyLoc, args[0], logarithm);
          linalg::YieldOp::create(inner, bodyLoc, sum);
        });
    return lse.getResult(0);
  }
  auto inverse =
      createGeneric(TileKind::Row, state[2],
                    tensor::EmptyOp::create(
                        b, loc, ArrayRef<int64_t>{sizes.lanes}, accumulator),
                    {row, row}, 1, createInverse);
  MLIRContext *context = b.getContext();
  AffineMap tile =
      order[0] == Dim::M
          ? b.getMultiDimIdentityMap(2)
          : AffineMap::getPermutationMap(ArrayRef<int64_t>{1, 0}, context);
  Value numerators =
      createSlice(b, loc, state[0], {queries, b.getIndexAttr(width)});
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto quotient = linalg::GenericOp::create(
      b, loc, part.getType(),
      ValueRange{numerators, getRows(inverse.getResult(0))}, part,
      ArrayRef{b.getMultiDimIdentityMap(2),
               AffineMap::get(2, 0, b.getAffineDimExpr(0)), tile},
      iterators, [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        Value value = arith::MulFOp::create(inner, bodyLoc, args[0], args[1]);
        linalg::YieldOp::create(
            inner, bodyLoc,
            convertFloat(inner, bodyLoc, value, args[2].getType()));
      });
  return quotient.getResult(0);
}
