//===- AttentionPanels.cpp - Panels of queries ----------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What happens to one panel: packing of its queries, a step over a block of
// keys, its results. Panels are [D, lanes]; lanes beyond the last query are 0.
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

/// Carries a tensor through the panels of the block; `body` gets a panel, its
/// first query and their number, and the tensor.
Value AttentionTiler::forEachPanel(
    Value init, function_ref<Value(Value, Value, Value, Value)> body) {
  return scf::ForOp::create(
             b, loc, zero, numPanels, one, init,
             [&](OpBuilder &, Location, Value panel, ValueRange args) {
               Value start = mul(panel, lanes);
               Value queries = min(sub(blockQueries, start), lanes);
               scf::YieldOp::create(b, loc,
                                    body(panel, start, queries, args[0]));
             })
      .getResult(0);
}

/// scale * query of the block, transposed to [panels, D, lanes], or in pairs;
/// the lanes beyond the last query are 0.
Value AttentionTiler::createQueryPanels() {
  Value panels =
      sizes.arePairs()
          ? createScratch({sizes.panels, getQueryParts(), getPairDepth() / 2,
                           sizes.lanes},
                          b.getI32Type())
          : createScratch({sizes.panels, depth, sizes.lanes}, accumulator);
  double scale = op.getScale().convertToDouble();
  return forEachPanel(panels, [&](Value panel, Value start, Value queries,
                                  Value carried) {
    // (Made here, or filling it would move out of the loop, and copies of it be
    // packed.)
    Value tile = sizes.arePairs()
                     ? createScratch({getPairDepth(), sizes.lanes}, accumulator)
                     : getPanel(carried, panel);
    auto fill = linalg::FillOp::create(
        b, loc, createFloatConstant(b, loc, accumulator, 0.0), tile);
    setTileKind(fill, TileKind::Fill);
    SmallVector<unsigned> order;
    Value query = extract(op.getQuery(), op.getQueryMap(),
                          {{Dim::M, {add(firstQuery, start), queries}},
                           {Dim::D, {zero, b.getIndexAttr(depth)}}},
                          order);
    SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)),
        extents = {b.getIndexAttr(depth), queries};
    Value out = createSlice(b, loc, fill.getResult(0), extents);
    AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
    bool isTransposed = order[0] == Dim::M;
    AffineMap read = isTransposed
                         ? AffineMap::get(2, 0, {d1, d0}, b.getContext())
                         : b.getMultiDimIdentityMap(2);
    auto pack = createGeneric(
        TileKind::Pack, query, out, {read, b.getMultiDimIdentityMap(2)}, 2,
        [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
          Value value = convertFloat(inner, bodyLoc, values[0], accumulator);
          if (scale == 1.0)
            return value;
          Value factor =
              createFloatConstant(inner, bodyLoc, accumulator, scale);
          return Value(arith::MulFOp::create(inner, bodyLoc, value, factor));
        });
    Value packed = insertSlice(b, loc, pack.getResult(0), fill.getResult(0),
                               offsets, extents);
    return sizes.arePairs() ? insertQueryPairs(packed, panel, carried)
                            : insertPanel(packed, panel, carried);
  });
}

/// Lanes of a step, the fewest first: all, half of them for the upper half,
/// and, for the last panel, half of them or a quarter where its queries may fit
/// into these and they are kMinLanes still.
SmallVector<int64_t> AttentionTiler::getPanelLanes() {
  int64_t queries = op.getStaticSize(Dim::M), upper = getUpperLanes();
  bool isDynamic = ShapedType::isDynamic(queries);
  int64_t last = isDynamic ? 0 : queries % sizes.lanes;
  bool hasLast = !isRow() && (isDynamic || last > 0);
  SmallVector<int64_t> all = {sizes.lanes};
  for (int64_t part : {sizes.lanes / 2, sizes.lanes / 4}) {
    bool fitsLast = hasLast && part >= std::max(kMinLanes, last);
    if (2 * part == all.front() && (fitsLast || part == upper))
      all.insert(all.begin(), part);
  }
  // Of a static number one fits the best.
  if (!isDynamic && all.size() > 2 && upper == 0)
    all.erase(all.begin() + 1);
  return all;
}

/// `createStep` with as few of `lanes` (ascending) as `queries` fit into.
SmallVector<Value> AttentionTiler::createFittingStep(
    Value queries, ArrayRef<int64_t> lanes,
    function_ref<SmallVector<Value>(int64_t)> createStep) {
  if (lanes.size() == 1)
    return createStep(lanes.front());
  Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, queries,
                                     number(lanes.front()));
  auto branch = scf::IfOp::create(
      b, loc, fits,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(b, loc, createStep(lanes.front()));
      },
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(
            b, loc, createFittingStep(queries, lanes.drop_front(), createStep));
      });
  return branch.getResults();
}

/// Lanes of the half that meets the last keys of a panel alone, which a band
/// hides from the other half; 0 without. A quarter of the work on these keys.
int64_t AttentionTiler::getUpperLanes() {
  int64_t half = sizes.lanes / 2;
  bool isSplit = bandHigh && !isRow() && !sizes.arePairs() &&
                 op.getStaticSize(Dim::N) != 1 && 2 * half == sizes.lanes &&
                 half >= kMinLanes;
  return isSplit ? half : 0;
}

/// One panel of queries meets the current block of keys.
SmallVector<Value> AttentionTiler::createPanelStep(Value panel,
                                                   ValueRange state) {
  Value start = mul(panel, lanes);
  Value queries = min(sub(blockQueries, start), lanes);
  Value query = add(firstQuery, start);
  if (!bandHigh || op.getStaticSize(Dim::N) == 1)
    return createPartStep(panel, {zero, queries, zero, blockKeys}, state);
  // Up to the last key that a query of the panel sees.
  auto getKeys = [&](Value numQueries) {
    Value end = add(add(query, numQueries), number(*bandHigh));
    if (queryOffset)
      end = add(end, queryOffset);
    return max(zero, min(blockKeys, sub(end, firstKey)));
  };
  Value keys = getKeys(queries);
  int64_t upper = getUpperLanes();
  if (upper == 0)
    return createPartStep(panel, {zero, queries, zero, keys}, state);
  Value half = number(sizes.lanes - upper);
  Value common = min(getKeys(half), keys);
  auto isNone = [&](Value count) {
    return compute<arith::CmpIOp>(arith::CmpIPredicate::eq, count, zero);
  };
  Value others = sub(keys, common);
  Value begin = compute<arith::SelectOp>(isNone(common), one, zero);
  Value end = compute<arith::SelectOp>(isNone(others), one, number(2));
  auto parts = scf::ForOp::create(
      b, loc, begin, end, one, state,
      [&](OpBuilder &, Location, Value part, ValueRange args) {
        Value isAll = isNone(part);
        auto choose = [&](Value all, Value some) {
          return compute<arith::SelectOp>(isAll, all, some);
        };
        PanelPart place = {choose(zero, half),
                           choose(queries, sub(queries, half)),
                           choose(zero, common), choose(common, others)};
        scf::YieldOp::create(b, loc, createPartStep(panel, place, args));
      });
  return parts.getResults();
}

/// Lanes of a panel meet keys of the current block, those of the last panel no
/// more than are enough.
SmallVector<Value> AttentionTiler::createPartStep(Value panel,
                                                  const PanelPart &part,
                                                  ValueRange state) {
  Value start = add(mul(panel, lanes), part.lane);
  Value queries = part.queries, query = add(firstQuery, start);
  Value keys = part.keys, partKey = add(firstKey, part.key);
  Value keyTile, valueTile, count;
  auto getKeys = [&](Value block, ArrayRef<unsigned> order) -> Value {
    if (keys == blockKeys)
      return block;
    SmallVector<OpFoldResult> offsets, extents;
    auto type = cast<RankedTensorType>(block.getType());
    for (auto [dim, dimension] : llvm::enumerate(order)) {
      bool isKey = dimension == Dim::N;
      offsets.push_back(isKey ? getAsOpFoldResult(part.key)
                              : b.getIndexAttr(0));
      extents.push_back(isKey ? OpFoldResult(keys)
                              : b.getIndexAttr(type.getDimSize(dim)));
    }
    return createSlice(b, loc, block, offsets, extents);
  };
  if (sizes.arePairs()) {
    count = keys;
    Value chunks = ceilDiv(keys, number(kChunk));
    keyTile = getPairs(key, keyMap, firstKey, mul(chunks, number(kChunk)));
    valueTile =
        getPairs(value, valueMap,
                 compute<arith::DivUIOp>(firstKey, number(kChunk)), chunks);
    keyOrder = {Dim::N, Dim::D};
    valueOrder = {Dim::N, Dim::E};
  } else {
    keyTile = getKeys(keyBlock, keyOrder);
    valueTile = getKeys(valueBlock, valueOrder);
  }
  Value stripRow, place;
  std::tie(stripRow, place) = getStrip(start);
  if (place)
    place = sub(place, part.key);
  // Dense bias and mask: of the queries and keys that exist.
  auto getScoresTile = [&](Value tensor, AffineMap map,
                           AffineMapAttr &onlineMap) -> Value {
    SmallVector<unsigned> order;
    Value tile =
        extract(tensor, map,
                {{Dim::M, {query, queries}}, {Dim::N, {partKey, keys}}}, order);
    onlineMap = AffineMapAttr::get(getOnlineMap(order));
    return tile;
  };
  Value bias, mask;
  AffineMapAttr biasMap, maskMap;
  if (auto dense = dyn_cast_if_present<DenseAttr>(op.getBiasSchemeAttr()))
    bias = getScoresTile(op.getBias(), dense.getMap(), biasMap);
  if (op.getMask())
    mask = getScoresTile(op.getMask(), *op.getMaskMap(), maskMap);
  SmallVector<AffineMap> maps = {
      getOnlineMap({Dim::D, Dim::M}), getOnlineMap(keyOrder),
      getOnlineMap(valueOrder), getOnlineMap({Dim::E, Dim::M})};

  auto createStep = [&](int64_t numLanes) {
    if (sizes.prefetches && numLanes == sizes.lanes)
      createPrefetches(panel);
    auto getLanes = [&](Value panels) {
      return getPanel(panels, panel, numLanes, part.lane);
    };
    auto step = OnlineAttentionOp::create(
        b, loc, getLanes(queryPanels), keyTile, valueTile, getLanes(state[0]),
        getLanes(state[1]), getLanes(state[2]), count, stripRow, place, bias,
        mask, b.getAffineMapArrayAttr(maps), biasMap, maskMap,
        b.getI64IntegerAttr(sizes.keys), /*ascending=*/stripRow && isRow(),
        APFloat(1.0), sizes.arePairs() ? sizes.weightParts : kMaxParts);
    SmallVector<Value> results;
    for (auto [result, whole] : llvm::zip(step.getResults(), state))
      results.push_back(insertPanel(result, panel, whole, part.lane));
    return results;
  };
  return createFittingStep(queries, getPanelLanes(), createStep);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Value AttentionTiler::createInverse(OpBuilder &builder, Location loc,
                                    ValueRange args) {
  Type type = args[0].getType();
  Value nothing = createFloatConstant(builder, loc, type, 0.0);
  Value whole = createFloatConstant(builder, loc, type, 1.0);
  Value quotient = arith::DivFOp::create(builder, loc, whole, args[0]);
  Value isEmpty = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ,
                                        args[0], nothing);
  return arith::SelectOp::create(builder, loc, isEmpty, nothing, quotient);
}

/// out / sum, back in the output's layout.
Value AttentionTiler::createOutput(Value out, ValueRange state) {
  SmallVector<unsigned> order;
  for (AffineExpr expr : op.getOutputMap().getResults()) {
    unsigned dimension = cast<AffineDimExpr>(expr).getPosition();
    if (dimension == Dim::M || dimension == Dim::E)
      order.push_back(dimension);
  }
  bool isTransposed = order[0] == Dim::M;
  return forEachPanel(out, [&](Value panel, Value start, Value queries,
                               Value carried) {
    Value sum = getPanel(state[2], panel);
    Value tile = getPanel(state[0], panel);
    AffineMap row = b.getMultiDimIdentityMap(1);
    auto inverse =
        createGeneric(TileKind::Row, sum,
                      tensor::EmptyOp::create(
                          b, loc, ArrayRef<int64_t>{sizes.lanes}, accumulator),
                      {row, row}, 1, createInverse);
    SmallVector<OpFoldResult> offsets, extents;
    for (unsigned dimension : order) {
      extents.push_back(dimension == Dim::M ? OpFoldResult(queries)
                                            : b.getIndexAttr(width));
      offsets.push_back(dimension == Dim::M ? getAsOpFoldResult(start)
                                            : b.getIndexAttr(0));
    }
    Value part = createSlice(b, loc, tile, {b.getIndexAttr(width), queries});
    Value factors = createSlice(b, loc, inverse.getResult(0), {queries});
    Value target = createSlice(b, loc, carried, offsets, extents);
    AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
    MLIRContext *context = b.getContext();
    AffineMap read = isTransposed ? AffineMap::get(2, 0, {d1, d0}, context)
                                  : b.getMultiDimIdentityMap(2);
    AffineMap rows = AffineMap::get(2, 0, {isTransposed ? d0 : d1}, context);
    auto unpack = createGeneric(
        TileKind::Pack, {part, factors}, target,
        {read, rows, b.getMultiDimIdentityMap(2)}, 2,
        [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
          Value value =
              arith::MulFOp::create(inner, bodyLoc, values[0], values[1]);
          return convertFloat(inner, bodyLoc, value, getElementTypeOrSelf(out));
        });
    return insertSlice(b, loc, unpack.getResult(0), carried, offsets, extents);
  });
}

/// max + log(sum): -inf for a query that has seen nothing. One logarithm for
/// each query that exists: a loop, not a vector that would have to be masked.
Value AttentionTiler::createLse(Value out, ValueRange state) {
  return forEachPanel(
      out, [&](Value panel, Value start, Value queries, Value carried) {
        SmallVector<OpFoldResult> offset = {start}, extent = {queries};
        auto getPart = [&](Value rows) {
          return createSlice(b, loc, getPanel(rows, panel), extent);
        };
        Value target = createSlice(b, loc, carried, offset, extent);
        AffineMap row = b.getMultiDimIdentityMap(1);
        auto lse = linalg::GenericOp::create(
            b, loc, target.getType(),
            ValueRange{getPart(state[1]), getPart(state[2])}, target,
            ArrayRef<AffineMap>{row, row, row}, utils::IteratorType::parallel,
            [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
              Value logarithm = math::LogOp::create(inner, bodyLoc, values[1]);
              Value sum =
                  arith::AddFOp::create(inner, bodyLoc, values[0], logarithm);
              linalg::YieldOp::create(inner, bodyLoc, sum);
            });
        return insertSlice(b, loc, lse.getResult(0), carried, offset, extent);
      });
}
