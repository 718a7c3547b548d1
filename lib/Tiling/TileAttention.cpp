//===- TileAttention.cpp - From attention to tiles in loops ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds level 2 by hand: the loops over workers, key blocks and panels carry a
// state of their own, which no interface of upstream tiles. What a reader may
// miss:
// - Scores are computed transposed, lanes = queries (notes of the rationale). A
//   panel is a packed query tile D x lanes; keys and values are read as they
//   are.
// - Panels of one block share each block of keys while it is in the cache.
// - The band bounds the loop over keys, so tiles outside are never visited;
//   inside, the strip holds -inf.
// - Blocks of queries run from the last to the first: with a causal band the
//   longest come first, and a dynamic schedule balances.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "../Transforms/ScoresTrace.h"
#include "TileKind.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "relattn/IR/RelAttn.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_TILEATTENTION
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

static constexpr StringLiteral kRewrite = "TileAttention";

namespace {

struct TileSizes {
  int64_t lanes, panels, keys;
};

class AttentionTiler {
public:
  AttentionTiler(AttentionOp op, RewriterBase &builder, TileSizes sizes)
      : op(op), b(builder), loc(op.getLoc()), sizes(sizes),
        accumulator(op.getAccumulatorType()),
        inputType(getElementTypeOrSelf(op.getQuery())),
        depth(op.getStaticSize(Dim::D)), width(op.getStaticSize(Dim::E)) {}

  SmallVector<Value> tile();

private:
  using Dim = AttentionOp::Dimension;
  using Online = OnlineAttentionOp;

  // Index arithmetic.
  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  template <typename Op> Value compute(Value lhs, Value rhs) {
    return b.createOrFold<Op>(loc, lhs, rhs);
  }
  Value add(Value lhs, Value rhs) { return compute<arith::AddIOp>(lhs, rhs); }
  Value sub(Value lhs, Value rhs) { return compute<arith::SubIOp>(lhs, rhs); }
  Value mul(Value lhs, Value rhs) { return compute<arith::MulIOp>(lhs, rhs); }
  Value min(Value lhs, Value rhs) { return compute<arith::MinSIOp>(lhs, rhs); }
  Value max(Value lhs, Value rhs) { return compute<arith::MaxSIOp>(lhs, rhs); }
  Value ceilDiv(Value lhs, Value rhs) {
    return compute<arith::CeilDivSIOp>(lhs, rhs);
  }

  Value getSize(unsigned dimension);
  /// A part of one of the op's tensors: `kept` dimensions from `offset`, of
  /// `size`; of the others the current entry.
  struct Range {
    Value offset;
    OpFoldResult size;
  };
  using Ranges = llvm::SmallDenseMap<unsigned, Range>;
  void getSlice(AffineMap map, const Ranges &kept,
                SmallVectorImpl<OpFoldResult> &offsets,
                SmallVectorImpl<OpFoldResult> &extents,
                SmallVectorImpl<unsigned> &order);
  Value extract(Value tensor, AffineMap map, const Ranges &kept,
                SmallVectorImpl<unsigned> &order);
  bool mayKeepUnit(ArrayRef<int64_t> shape);

  // Tensors of the whole op, before the loops.
  void createStrip();
  // Inside of the loop over workers.
  Value createQueryPanels();
  Value getBlock(Value tensor, AffineMap map, unsigned column, Value scratch,
                 SmallVectorImpl<unsigned> &order);
  SmallVector<Value> createPanelStep(Value panel, ValueRange state);
  Value createOutput(Value out, ValueRange state);
  Value createLse(Value out, ValueRange state);
  Value createScratch(ArrayRef<int64_t> shape, Type type) {
    return bufferization::AllocTensorOp::create(
        b, loc, RankedTensorType::get(shape, type), ValueRange());
  }
  Value createFilled(ArrayRef<int64_t> shape, double value, TileKind kind);
  linalg::GenericOp
  createGeneric(TileKind kind, ValueRange ins, Value out,
                ArrayRef<AffineMap> maps, unsigned loops,
                function_ref<Value(OpBuilder &, Location, ValueRange)> body);
  Value getPanel(Value tensor, Value panel);
  Value insertPanel(Value tensor, Value panel, Value into);
  AffineMap getOnlineMap(ArrayRef<unsigned> order);

  AttentionOp op;
  RewriterBase &b;
  Location loc;
  TileSizes sizes;
  FloatType accumulator;
  Type inputType;
  int64_t depth, width;

  Value zero, one, lanes, numQueries, numKeys, queryOffset;
  /// The strip, read backwards, and the indices of its rows that b and h are.
  Value strip;
  bool stripHasBatch = false, stripHasHead = false;
  /// The current entry of b, g, r.
  llvm::SmallDenseMap<unsigned, Value> entry;
  /// The current block: its first query and number of queries; its first key
  /// and number of keys.
  Value firstQuery, blockQueries, firstKey, blockKeys;
  Value numPanels, queryPanels, keyBlock, valueBlock;
  SmallVector<unsigned> keyOrder, valueOrder;
};

} // namespace

//===----------------------------------------------------------------------===//
// Small builders
//===----------------------------------------------------------------------===//

Value AttentionTiler::getSize(unsigned dimension) {
  int64_t size = op.getStaticSize(dimension);
  if (!ShapedType::isDynamic(size))
    return number(size);
  for (auto [tensor, map] : op.getMappedOperands())
    if (std::optional<unsigned> position =
            map.getResultPosition(getAffineDimExpr(dimension, op.getContext())))
      return b.createOrFold<tensor::DimOp>(loc, tensor, *position);
  llvm_unreachable("a dynamic size comes from an operand");
}

void AttentionTiler::getSlice(AffineMap map, const Ranges &kept,
                              SmallVectorImpl<OpFoldResult> &offsets,
                              SmallVectorImpl<OpFoldResult> &extents,
                              SmallVectorImpl<unsigned> &order) {
  for (AffineExpr expr : map.getResults()) {
    unsigned dimension = cast<AffineDimExpr>(expr).getPosition();
    auto range = kept.find(dimension);
    if (range == kept.end()) {
      offsets.push_back(getAsOpFoldResult(entry.lookup(dimension)));
      extents.push_back(b.getIndexAttr(1));
      continue;
    }
    offsets.push_back(getAsOpFoldResult(range->second.offset));
    // Of one query or key every part is all of it. Upstream infers another type
    // for a slice that drops unit dimensions once it finds that it keeps one.
    extents.push_back(op.getStaticSize(dimension) == 1
                          ? OpFoldResult(b.getIndexAttr(1))
                          : range->second.size);
    order.push_back(dimension);
  }
}

/// Whether an extent of a slice is 1, or may turn out to be once the sizes
/// fold. Upstream infers then which unit dimensions the slice drops, and takes
/// the wrong ones, and their strides, where it keeps one as well. Such slices
/// drop none: they are collapsed. That is not done for all, because
/// bufferisation copies collapsed slices whose strides it does not know.
bool AttentionTiler::mayKeepUnit(ArrayRef<int64_t> shape) {
  int64_t queries = op.getStaticSize(Dim::M);
  bool isOneBlock =
      ShapedType::isStatic(queries) && queries <= sizes.lanes * sizes.panels;
  bool hasKnownLengths =
      op.getKeyLengths() && matchPattern(op.getKeyLengths(), m_Constant());
  return llvm::is_contained(shape, 1) || isOneBlock || hasKnownLengths;
}

/// The dimensions of `map` in as many groups as there are kept ones.
static SmallVector<ReassociationIndices>
getGroups(AffineMap map, function_ref<bool(unsigned)> isKept) {
  SmallVector<ReassociationIndices> groups(1);
  bool hasKept = false;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (isKept(cast<AffineDimExpr>(expr).getPosition())) {
      if (hasKept)
        groups.emplace_back();
      hasKept = true;
    }
    groups.back().push_back(dim);
  }
  if (!hasKept)
    groups.clear();
  return groups;
}

Value AttentionTiler::extract(Value tensor, AffineMap map, const Ranges &kept,
                              SmallVectorImpl<unsigned> &order) {
  SmallVector<OpFoldResult> offsets, extents;
  getSlice(map, kept, offsets, extents, order);
  SmallVector<int64_t> shape;
  for (auto [expr, extent] : llvm::zip(map.getResults(), extents))
    if (kept.contains(cast<AffineDimExpr>(expr).getPosition()))
      shape.push_back(
          getConstantIntValue(extent).value_or(ShapedType::kDynamic));
  SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
  auto type = RankedTensorType::get(shape, getElementTypeOrSelf(tensor));
  if (shape.size() == offsets.size() || !mayKeepUnit(shape))
    return tensor::ExtractSliceOp::create(b, loc, type, tensor, offsets,
                                          extents, strides);
  Value whole =
      tensor::ExtractSliceOp::create(b, loc, tensor, offsets, extents, strides);
  return tensor::CollapseShapeOp::create(
      b, loc, type, whole,
      getGroups(map, [&](unsigned dim) { return kept.contains(dim); }));
}

linalg::GenericOp AttentionTiler::createGeneric(
    TileKind kind, ValueRange ins, Value out, ArrayRef<AffineMap> maps,
    unsigned loops,
    function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, loc, out.getType(), ins, out, maps, iterators,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        linalg::YieldOp::create(inner, bodyLoc, body(inner, bodyLoc, args));
      });
  // Narrow floats stay out of vectors: LLVM takes these apart by calls of a
  // run-time library. Loops over them become vectors of integers there.
  bool isNarrow = llvm::any_of(generic->getOperands(), [&](Value operand) {
    return getElementTypeOrSelf(operand) != accumulator;
  });
  if (!isNarrow)
    setTileKind(generic, kind);
  return generic;
}

Value AttentionTiler::createFilled(ArrayRef<int64_t> shape, double value,
                                   TileKind kind) {
  Value scalar = createFloatConstant(b, loc, accumulator, value);
  auto fill =
      linalg::FillOp::create(b, loc, scalar, createScratch(shape, accumulator));
  setTileKind(fill, kind);
  return fill.getResult(0);
}

/// Panel `panel` of [panels, ...].
Value AttentionTiler::getPanel(Value tensor, Value panel) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      extents = getAsIndexOpFoldResult(b.getContext(), type.getShape()),
      strides(type.getRank(), b.getIndexAttr(1));
  offsets[0] = getAsOpFoldResult(panel);
  extents[0] = b.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(
      b, loc,
      RankedTensorType::get(type.getShape().drop_front(),
                            type.getElementType()),
      tensor, offsets, extents, strides);
}

Value AttentionTiler::insertPanel(Value tensor, Value panel, Value into) {
  auto type = cast<RankedTensorType>(into.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      extents = getAsIndexOpFoldResult(b.getContext(), type.getShape()),
      strides(type.getRank(), b.getIndexAttr(1));
  offsets[0] = getAsOpFoldResult(panel);
  extents[0] = b.getIndexAttr(1);
  return tensor::InsertSliceOp::create(b, loc, tensor, into, offsets, extents,
                                       strides);
}

AffineMap AttentionTiler::getOnlineMap(ArrayRef<unsigned> order) {
  SmallVector<AffineExpr> exprs;
  for (unsigned dimension : order)
    exprs.push_back(b.getAffineDimExpr(dimension == Dim::M   ? Online::M
                                       : dimension == Dim::N ? Online::N
                                       : dimension == Dim::D ? Online::D
                                                             : Online::E));
  return AffineMap::get(Online::kNumDimensions, 0, exprs, b.getContext());
}

//===----------------------------------------------------------------------===//
// The strip
//===----------------------------------------------------------------------===//

/// strip[(b,) (h,) x] is the bias of offset (N - 1) - x - query_offset, and
/// -inf outside of the band: read at x = (N - 1) + i - j. The last lanes of the
/// last panel may be beyond the queries; what they read is never used.
void AttentionTiler::createStrip() {
  BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
  bool hasBias = scheme && !isa<DenseAttr>(scheme);
  BandAttr band = op.getBandAttr();
  if (!hasBias && !band)
    return;
  bool hasOffsets =
      op.getQueryOffset() && !op.getQueryOffset().getType().isIndex();
  auto biasType =
      hasBias ? cast<RankedTensorType>(op.getBias().getType()) : nullptr;
  bool isShared = hasBias && (scheme.getNumBuckets() || scheme.needsZero()) &&
                  biasType.getRank() == 1;
  stripHasBatch = hasOffsets;
  stripHasHead = hasBias && !isShared;
  Value last = sub(numKeys, one);
  Value length = add(add(numQueries, numKeys), lanes);
  SmallVector<OpFoldResult> shape;
  if (stripHasBatch)
    shape.push_back(getAsOpFoldResult(getSize(Dim::B)));
  if (stripHasHead)
    shape.push_back(getAsOpFoldResult(mul(getSize(Dim::G), getSize(Dim::R))));
  shape.push_back(getAsOpFoldResult(length));
  Value init = tensor::EmptyOp::create(b, loc, shape, accumulator);
  unsigned rank = shape.size();
  // Buckets once for all heads, where the offset is one for all of the batch.
  Value ascending;
  bool hasTable = hasBias && scheme.getNumBuckets() && !hasOffsets;
  if (hasTable) {
    SmallVector<OpFoldResult> places(shape);
    Value empty = tensor::EmptyOp::create(b, loc, places, accumulator);
    // Place x of it is offset x - (length - 1) + (N - 1) - query_offset, so
    // that place length - 1 - x is what stands at x in the strip.
    Value start = sub(sub(length, one), last);
    if (op.getQueryOffset())
      start = add(start, op.getQueryOffset());
    ascending = BiasStripOp::create(b, loc, empty.getType(), scheme,
                                    op.getBias(), start, empty);
  }
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  Value offsets = op.getQueryOffset();
  strip =
      linalg::GenericOp::create(
          b, loc, init.getType(), ValueRange(), init, identity, iterators,
          [&](OpBuilder &inner, Location bodyLoc, ValueRange) {
            auto index = [&](unsigned dim) -> Value {
              return linalg::IndexOp::create(inner, bodyLoc, dim);
            };
            Value place = index(rank - 1);
            Value offset = arith::SubIOp::create(inner, bodyLoc, last, place);
            if (offsets) {
              Value own = hasOffsets
                              ? extractIndex(inner, bodyLoc, offsets, index(0))
                              : offsets;
              offset = arith::SubIOp::create(inner, bodyLoc, offset, own);
            }
            Value head = stripHasHead ? index(rank - 2) : Value();
            Value value;
            if (hasTable) {
              Value end = arith::SubIOp::create(
                  inner, bodyLoc,
                  arith::SubIOp::create(
                      inner, bodyLoc, length,
                      arith::ConstantIndexOp::create(inner, bodyLoc, 1)),
                  place);
              SmallVector<Value> at;
              if (head)
                at.push_back(head);
              at.push_back(end);
              value = tensor::ExtractOp::create(inner, bodyLoc, ascending, at);
            } else if (hasBias) {
              value = scheme.buildBias(inner, bodyLoc, op.getBias(),
                                       op.getZero(), head, offset);
              value = convertFloat(inner, bodyLoc, value, accumulator);
            } else {
              value = createFloatConstant(inner, bodyLoc, accumulator, 0.0);
            }
            auto hide = [&](std::optional<int64_t> bound,
                            arith::CmpIPredicate visible) {
              if (!bound)
                return;
              Value limit =
                  arith::ConstantIndexOp::create(inner, bodyLoc, *bound);
              Value inside =
                  arith::CmpIOp::create(inner, bodyLoc, visible, offset, limit);
              Value hidden =
                  createFloatConstant(inner, bodyLoc, accumulator,
                                      -std::numeric_limits<double>::infinity());
              value = arith::SelectOp::create(inner, bodyLoc, inside, value,
                                              hidden);
            };
            if (band) {
              hide(band.getLo(), arith::CmpIPredicate::sge);
              hide(band.getHi(), arith::CmpIPredicate::sle);
            }
            linalg::YieldOp::create(inner, bodyLoc, value);
          })
          .getResult(0);
}

//===----------------------------------------------------------------------===//
// Blocks and panels
//===----------------------------------------------------------------------===//

/// scale * query of the block, transposed to [panels, D, lanes]; the lanes
/// beyond the last query are 0.
Value AttentionTiler::createQueryPanels() {
  Value panels = createScratch({sizes.panels, depth, sizes.lanes}, accumulator);
  double scale = op.getScale().convertToDouble();
  auto loop = scf::ForOp::create(
      b, loc, zero, numPanels, one, ValueRange(panels),
      [&](OpBuilder &, Location, Value panel, ValueRange args) {
        Value start = mul(panel, lanes);
        Value queries = min(sub(blockQueries, start), lanes);
        Value tile = getPanel(args[0], panel);
        auto fill = linalg::FillOp::create(
            b, loc, createFloatConstant(b, loc, accumulator, 0.0), tile);
        setTileKind(fill, TileKind::Fill);
        SmallVector<unsigned> order;
        Value query = extract(op.getQuery(), op.getQueryMap(),
                              {{Dim::M, {add(firstQuery, start), queries}},
                               {Dim::D, {zero, b.getIndexAttr(depth)}}},
                              order);
        SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)),
            extents = {b.getIndexAttr(depth), queries},
            strides(2, b.getIndexAttr(1));
        Value out = tensor::ExtractSliceOp::create(b, loc, fill.getResult(0),
                                                   offsets, extents, strides);
        AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
        bool isTransposed = order[0] == Dim::M;
        AffineMap read = isTransposed
                             ? AffineMap::get(2, 0, {d1, d0}, b.getContext())
                             : b.getMultiDimIdentityMap(2);
        auto pack = createGeneric(
            TileKind::Pack, query, out, {read, b.getMultiDimIdentityMap(2)}, 2,
            [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
              Value value =
                  convertFloat(inner, bodyLoc, values[0], accumulator);
              if (scale == 1.0)
                return value;
              Value factor =
                  createFloatConstant(inner, bodyLoc, accumulator, scale);
              return Value(
                  arith::MulFOp::create(inner, bodyLoc, value, factor));
            });
        Value packed = tensor::InsertSliceOp::create(b, loc, pack.getResult(0),
                                                     fill.getResult(0), offsets,
                                                     extents, strides);
        scf::YieldOp::create(b, loc, insertPanel(packed, panel, args[0]));
      });
  return loop.getResult(0);
}

/// Keys or values of the current block, in the accumulator type.
Value AttentionTiler::getBlock(Value tensor, AffineMap map, unsigned column,
                               Value scratch,
                               SmallVectorImpl<unsigned> &order) {
  int64_t columns = column == Dim::D ? depth : width;
  Value block = extract(tensor, map,
                        {{Dim::N, {firstKey, blockKeys}},
                         {column, {zero, b.getIndexAttr(columns)}}},
                        order);
  if (!scratch)
    return block;
  // Narrow types widen once for all panels; columns become contiguous.
  bool isTransposed = order[0] != Dim::N;
  SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)),
      extents = {blockKeys, b.getIndexAttr(columns)},
      strides(2, b.getIndexAttr(1));
  Value out = tensor::ExtractSliceOp::create(b, loc, scratch, offsets, extents,
                                             strides);
  AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
  AffineMap read = isTransposed ? AffineMap::get(2, 0, {d1, d0}, b.getContext())
                                : b.getMultiDimIdentityMap(2);
  order.assign({Dim::N, column});
  return createGeneric(
             TileKind::Copy, block, out, {read, b.getMultiDimIdentityMap(2)}, 2,
             [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
               return convertFloat(inner, bodyLoc, values[0], accumulator);
             })
      .getResult(0);
}

/// One panel of queries meets the current block of keys.
SmallVector<Value> AttentionTiler::createPanelStep(Value panel,
                                                   ValueRange state) {
  Value start = mul(panel, lanes);
  Value query = add(firstQuery, start);
  Value queries = min(sub(blockQueries, start), lanes);
  Value keys = blockKeys;
  BandAttr band = op.getBandAttr();
  if (band && band.getHi() && op.getStaticSize(Dim::N) != 1) {
    // The last key that the panel's last query sees.
    Value end = add(add(query, queries), number(*band.getHi()));
    if (queryOffset)
      end = add(end, queryOffset);
    keys = max(zero, min(blockKeys, sub(end, firstKey)));
  }
  auto firstKeys = [&](Value block, ArrayRef<unsigned> order) -> Value {
    if (keys == blockKeys)
      return block;
    SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)), extents,
        strides(2, b.getIndexAttr(1));
    auto type = cast<RankedTensorType>(block.getType());
    for (auto [dim, dimension] : llvm::enumerate(order))
      extents.push_back(dimension == Dim::N
                            ? OpFoldResult(keys)
                            : b.getIndexAttr(type.getDimSize(dim)));
    return tensor::ExtractSliceOp::create(b, loc, block, offsets, extents,
                                          strides);
  };
  Value stripRow, place;
  if (strip) {
    place = sub(add(sub(numKeys, one), query), firstKey);
    auto type = cast<RankedTensorType>(strip.getType());
    SmallVector<OpFoldResult> offsets, extents,
        strides(type.getRank(), b.getIndexAttr(1));
    if (stripHasBatch)
      offsets.push_back(getAsOpFoldResult(entry.lookup(Dim::B)));
    if (stripHasHead) {
      auto find = [&](unsigned dimension) {
        Value value = entry.lookup(dimension);
        return value ? value : zero;
      };
      offsets.push_back(getAsOpFoldResult(
          add(mul(find(Dim::G), getSize(Dim::R)), find(Dim::R))));
    }
    extents.assign(offsets.size(), b.getIndexAttr(1));
    offsets.push_back(b.getIndexAttr(0));
    extents.push_back(tensor::getMixedSize(b, loc, strip, type.getRank() - 1));
    stripRow = tensor::ExtractSliceOp::create(
        b, loc, RankedTensorType::get({type.getShape().back()}, accumulator),
        strip, offsets, extents, strides);
  }
  // Dense bias and mask: of the queries and keys that exist.
  auto getScoresTile = [&](Value tensor, AffineMap map,
                           AffineMapAttr &onlineMap) -> Value {
    SmallVector<unsigned> order;
    Value tile = extract(
        tensor, map, {{Dim::M, {query, queries}}, {Dim::N, {firstKey, keys}}},
        order);
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
  auto step = OnlineAttentionOp::create(
      b, loc, getPanel(queryPanels, panel), firstKeys(keyBlock, keyOrder),
      firstKeys(valueBlock, valueOrder), getPanel(state[0], panel),
      getPanel(state[1], panel), getPanel(state[2], panel), stripRow, place,
      bias, mask, b.getAffineMapArrayAttr(maps), biasMap, maskMap,
      b.getI64IntegerAttr(sizes.keys));
  SmallVector<Value> results;
  for (auto [result, whole] : llvm::zip(step.getResults(), state))
    results.push_back(insertPanel(result, panel, whole));
  return results;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// out / sum, 0 for a query that has seen nothing, back in the output's layout.
Value AttentionTiler::createOutput(Value out, ValueRange state) {
  SmallVector<unsigned> order;
  for (AffineExpr expr : op.getOutputMap().getResults()) {
    unsigned dimension = cast<AffineDimExpr>(expr).getPosition();
    if (dimension == Dim::M || dimension == Dim::E)
      order.push_back(dimension);
  }
  bool isTransposed = order[0] == Dim::M;
  auto loop = scf::ForOp::create(
      b, loc, zero, numPanels, one, ValueRange(out),
      [&](OpBuilder &, Location, Value panel, ValueRange args) {
        Value start = mul(panel, lanes);
        Value queries = min(sub(blockQueries, start), lanes);
        Value sum = getPanel(state[2], panel);
        Value tile = getPanel(state[0], panel);
        AffineMap row = b.getMultiDimIdentityMap(1);
        auto inverse = createGeneric(
            TileKind::Row, sum,
            tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{sizes.lanes},
                                    accumulator),
            {row, row}, 1,
            [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
              Value nothing =
                  createFloatConstant(inner, bodyLoc, accumulator, 0.0);
              Value whole =
                  createFloatConstant(inner, bodyLoc, accumulator, 1.0);
              Value quotient =
                  arith::DivFOp::create(inner, bodyLoc, whole, values[0]);
              Value isEmpty = arith::CmpFOp::create(inner, bodyLoc,
                                                    arith::CmpFPredicate::OEQ,
                                                    values[0], nothing);
              return Value(arith::SelectOp::create(inner, bodyLoc, isEmpty,
                                                   nothing, quotient));
            });
        SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)), extents,
            targetOffsets, strides(2, b.getIndexAttr(1));
        for (unsigned dimension : order) {
          extents.push_back(dimension == Dim::M ? OpFoldResult(queries)
                                                : b.getIndexAttr(width));
          targetOffsets.push_back(dimension == Dim::M ? getAsOpFoldResult(start)
                                                      : b.getIndexAttr(0));
        }
        SmallVector<OpFoldResult> tileExtents = {b.getIndexAttr(width),
                                                 queries};
        Value part = tensor::ExtractSliceOp::create(b, loc, tile, offsets,
                                                    tileExtents, strides);
        SmallVector<OpFoldResult> rowOffset(1, b.getIndexAttr(0)),
            rowExtent = {queries}, rowStride(1, b.getIndexAttr(1));
        Value factors = tensor::ExtractSliceOp::create(
            b, loc, inverse.getResult(0), rowOffset, rowExtent, rowStride);
        Value target = tensor::ExtractSliceOp::create(
            b, loc, args[0], targetOffsets, extents, strides);
        AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
        MLIRContext *context = b.getContext();
        AffineMap read = isTransposed ? AffineMap::get(2, 0, {d1, d0}, context)
                                      : b.getMultiDimIdentityMap(2);
        AffineMap rows =
            AffineMap::get(2, 0, {isTransposed ? d0 : d1}, context);
        auto unpack = createGeneric(
            TileKind::Pack, {part, factors}, target,
            {read, rows, b.getMultiDimIdentityMap(2)}, 2,
            [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
              Value value =
                  arith::MulFOp::create(inner, bodyLoc, values[0], values[1]);
              return convertFloat(inner, bodyLoc, value,
                                  getElementTypeOrSelf(out));
            });
        scf::YieldOp::create(b, loc,
                             Value(tensor::InsertSliceOp::create(
                                 b, loc, unpack.getResult(0), args[0],
                                 targetOffsets, extents, strides)));
      });
  return loop.getResult(0);
}

/// max + log(sum): -inf for a query that has seen nothing. One logarithm for
/// each query that exists: a loop, not a vector that would have to be masked.
Value AttentionTiler::createLse(Value out, ValueRange state) {
  auto loop = scf::ForOp::create(
      b, loc, zero, numPanels, one, ValueRange(out),
      [&](OpBuilder &, Location, Value panel, ValueRange args) {
        Value start = mul(panel, lanes);
        Value queries = min(sub(blockQueries, start), lanes);
        SmallVector<OpFoldResult> from(1, b.getIndexAttr(0)),
            to = {start}, extent = {queries}, stride(1, b.getIndexAttr(1));
        auto getPart = [&](Value row) -> Value {
          return tensor::ExtractSliceOp::create(b, loc, row, from, extent,
                                                stride);
        };
        Value target =
            tensor::ExtractSliceOp::create(b, loc, args[0], to, extent, stride);
        AffineMap row = b.getMultiDimIdentityMap(1);
        auto lse = linalg::GenericOp::create(
            b, loc, target.getType(),
            ValueRange{getPart(getPanel(state[1], panel)),
                       getPart(getPanel(state[2], panel))},
            target, ArrayRef<AffineMap>{row, row, row},
            utils::IteratorType::parallel,
            [&](OpBuilder &inner, Location bodyLoc, ValueRange values) {
              Value logarithm = math::LogOp::create(inner, bodyLoc, values[1]);
              Value sum =
                  arith::AddFOp::create(inner, bodyLoc, values[0], logarithm);
              linalg::YieldOp::create(inner, bodyLoc, sum);
            });
        scf::YieldOp::create(
            b, loc,
            Value(tensor::InsertSliceOp::create(b, loc, lse.getResult(0),
                                                args[0], to, extent, stride)));
      });
  return loop.getResult(0);
}

//===----------------------------------------------------------------------===//
// The loops
//===----------------------------------------------------------------------===//

SmallVector<Value> AttentionTiler::tile() {
  b.setInsertionPoint(op);
  zero = number(0);
  one = number(1);
  lanes = number(sizes.lanes);
  numQueries = getSize(Dim::M);
  numKeys = getSize(Dim::N);
  createStrip();

  SmallVector<unsigned> batch = op.getBatchDimensions();
  SmallVector<OpFoldResult> counts;
  for (unsigned dimension : batch)
    counts.push_back(getAsOpFoldResult(getSize(dimension)));
  Value blockSize = number(sizes.lanes * sizes.panels);
  Value numBlocks = ceilDiv(numQueries, blockSize);
  counts.push_back(getAsOpFoldResult(numBlocks));

  auto forall = scf::ForallOp::create(b, loc, counts, op.getInits(),
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  SmallVector<Value> ivs = forall.getInductionVars();
  for (auto [dimension, iv] : llvm::zip(batch, ivs))
    entry[dimension] = iv;
  firstQuery = mul(sub(sub(numBlocks, one), ivs.back()), blockSize);
  blockQueries = min(sub(numQueries, firstQuery), blockSize);
  numPanels = ceilDiv(blockQueries, lanes);
  queryOffset = op.getQueryOffset();
  if (queryOffset && !queryOffset.getType().isIndex())
    queryOffset = extractIndex(b, loc, queryOffset, entry.lookup(Dim::B));

  // The keys that some query of the block sees.
  Value begin = zero, end = numKeys;
  if (Value lengths = op.getKeyLengths())
    end = max(zero, min(numKeys,
                        extractIndex(b, loc, lengths, entry.lookup(Dim::B))));
  if (BandAttr band = op.getBandAttr(); band && op.getStaticSize(Dim::N) != 1) {
    Value position = firstQuery;
    if (queryOffset)
      position = add(position, queryOffset);
    if (band.getHi())
      end = max(zero, min(end, add(add(position, blockQueries),
                                   number(*band.getHi()))));
    if (band.getLo())
      begin = max(zero, add(position, number(*band.getLo())));
  }

  queryPanels = createQueryPanels();
  // Destinations of different content: equal ones would be merged and copied.
  SmallVector<Value> state = {
      createFilled({sizes.panels, width, sizes.lanes}, 0.0,
                   TileKind::FillPanels),
      createFilled({sizes.panels, sizes.lanes},
                   -std::numeric_limits<double>::infinity(), TileKind::Row),
      createFilled({sizes.panels, sizes.lanes}, 0.0, TileKind::Row)};
  Value keyScratch, valueScratch;
  if (inputType != accumulator) {
    keyScratch = createScratch({sizes.keys, depth}, accumulator);
    valueScratch = createScratch({sizes.keys, width}, accumulator);
  }
  auto keyLoop = scf::ForOp::create(
      b, loc, begin, end, number(sizes.keys), state,
      [&](OpBuilder &, Location, Value key, ValueRange args) {
        firstKey = key;
        blockKeys = min(sub(end, key), number(sizes.keys));
        keyBlock =
            getBlock(op.getKey(), op.getKeyMap(), Dim::D, keyScratch, keyOrder);
        valueBlock = getBlock(op.getValue(), op.getValueMap(), Dim::E,
                              valueScratch, valueOrder);
        auto panelLoop = scf::ForOp::create(
            b, loc, zero, numPanels, one, args,
            [&](OpBuilder &, Location, Value panel, ValueRange inner) {
              scf::YieldOp::create(b, loc, createPanelStep(panel, inner));
            });
        scf::YieldOp::create(b, loc, panelLoop.getResults());
      });

  // Into the destinations.
  auto store = [&](Value out, AffineMap map, bool isLse) {
    Ranges kept = {{Dim::M, {firstQuery, blockQueries}}};
    if (!isLse)
      kept[Dim::E] = {zero, b.getIndexAttr(width)};
    SmallVector<unsigned> order;
    Value part = extract(out, map, kept, order);
    part = isLse ? createLse(part, keyLoop.getResults())
                 : createOutput(part, keyLoop.getResults());
    SmallVector<OpFoldResult> offsets, extents;
    order.clear();
    getSlice(map, kept, offsets, extents, order);
    SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
    auto partType = cast<RankedTensorType>(part.getType());
    if (partType.getRank() < int64_t(offsets.size()) &&
        mayKeepUnit(partType.getShape())) {
      SmallVector<int64_t> shape;
      for (OpFoldResult extent : extents)
        shape.push_back(
            getConstantIntValue(extent).value_or(ShapedType::kDynamic));
      part = tensor::ExpandShapeOp::create(
          b, loc, RankedTensorType::get(shape, partType.getElementType()), part,
          getGroups(map, [&](unsigned dim) { return kept.contains(dim); }),
          extents);
    }
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToEnd(forall.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(b, loc, part, out, offsets, extents,
                                          strides);
  };
  store(forall.getRegionIterArgs()[0], op.getOutputMap(), /*isLse=*/false);
  if (op.getLseInit()) {
    SmallVector<unsigned> rows(batch);
    rows.push_back(Dim::M);
    store(forall.getRegionIterArgs()[1],
          AttentionOp::getMap(op.getContext(), rows), /*isLse=*/true);
  }
  return forall.getResults();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

/// Why the op is not tiled, or nothing.
static StringRef findObstacle(AttentionOp op) {
  if (ShapedType::isDynamic(op.getStaticSize(AttentionOp::D)) ||
      ShapedType::isDynamic(op.getStaticSize(AttentionOp::E)))
    return "the sizes of d and e are not static";
  if (op.getStaticSize(AttentionOp::D) == 0 ||
      op.getStaticSize(AttentionOp::E) == 0)
    return "d or e is empty";
  if (op.getStaticSize(AttentionOp::D) > 256 ||
      op.getStaticSize(AttentionOp::E) > 256)
    return "d or e is larger than 256";
  for (auto [tensor, map] : op.getMappedOperands())
    if (llvm::is_contained(cast<RankedTensorType>(tensor.getType()).getShape(),
                           0))
      return "a dimension is empty";
  if (op.getKeyLengths() && op.getStaticSize(AttentionOp::N) == 1)
    return "one key may be none";
  BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
  if (scheme && !scheme.isOffsetFunction() && !isa<DenseAttr>(scheme))
    return "the bias is no function of the offset";
  auto isNarrow = [](Value tensor, Type accumulator) {
    Type element = getElementTypeOrSelf(tensor);
    return element != accumulator && !element.isInteger(1);
  };
  Type accumulator = op.getAccumulatorType();
  if (isa_and_present<DenseAttr>(scheme) && isNarrow(op.getBias(), accumulator))
    return "the dense bias is narrower than the accumulator";
  if (op.getMask() && isNarrow(op.getMask(), accumulator))
    return "the mask is narrower than the accumulator";
  return {};
}

namespace {
struct TileAttention : public relattn::impl::TileAttentionBase<TileAttention> {
  using TileAttentionBase::TileAttentionBase;

  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    getOperation()->walk([&](AttentionOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    if (lanes < 1 || panels < 1 || keys < 1) {
      getOperation()->emitError("expected tile sizes of at least 1");
      return signalPassFailure();
    }
    for (AttentionOp op : ops) {
      if (StringRef reason = findObstacle(op); !reason.empty()) {
        emitMissedRemark(op, kRewrite, reason);
        ++numLeft;
        continue;
      }
      TileSizes sizes{lanes, panels, keys};
      if (op.getAccumulatorType().isF64()) {
        sizes.lanes = std::max<int64_t>(lanes / 2, 1);
        sizes.keys = std::max<int64_t>(keys / 2, 1);
      }
      // A block of keys and one of values stay in the first-level cache.
      if (op.getStaticSize(AttentionOp::D) >= 128)
        sizes.keys = std::max<int64_t>(sizes.keys / 2, 1);
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, AttentionTiler(op, rewriter, sizes).tile());
      ++numTiled;
    }
  }
};
} // namespace
