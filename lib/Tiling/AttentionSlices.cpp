//===- AttentionSlices.cpp - Parts of attention's tensors -----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Slices of operands and results by dimensions of the attention, whatever their
// order, and of the panels.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "AttentionTiler.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::relattn;

Value AttentionTiler::getSize(unsigned dimension) {
  return getValueOrCreateConstantIndexOp(b, loc, op.getMixedSize(b, dimension));
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
    OpFoldResult size = range->second.size;
    if (auto value = dyn_cast<Value>(size))
      size = getAsOpFoldResult(value);
    // (A workgroup's sizes never fold: its loops stay.)
    extents.push_back(op.getStaticSize(dimension) == 1 && !sizes.areWorkgroups
                          ? OpFoldResult(b.getIndexAttr(1))
                          : size);
    order.push_back(dimension);
  }
}

/// Whether an extent of a slice is 1, or may turn out to be once the sizes
/// fold. Upstream infers then which unit dimensions the slice drops, and takes
/// the wrong ones, and their strides, where it keeps one as well. Such slices
/// drop none: they are collapsed. That is not done for all, because
/// bufferisation copies collapsed slices whose strides it does not know.
bool AttentionTiler::mayKeepUnit(ArrayRef<int64_t> shape) {
  if (sizes.areWorkgroups)
    return false;
  int64_t queries = op.getStaticSize(Dim::M);
  bool isOneBlock =
      ShapedType::isStatic(queries) && queries <= sizes.lanes * sizes.panels;
  bool hasKnownLengths =
      op.getKeyLengths() && matchPattern(op.getKeyLengths(), m_Constant());
  return llvm::is_contained(shape, 1) || isOneBlock || hasKnownLengths;
}

/// The dimensions of `map` in as many groups as there are kept ones.
SmallVector<ReassociationIndices>
AttentionTiler::getGroups(AffineMap map, const Ranges &kept) {
  SmallVector<ReassociationIndices> groups(1);
  bool hasKept = false;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (kept.contains(cast<AffineDimExpr>(expr).getPosition())) {
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
  auto type = RankedTensorType::get(shape, getElementTypeOrSelf(tensor));
  if (shape.size() == offsets.size() || !mayKeepUnit(shape))
    return createSlice(b, loc, tensor, offsets, extents, type);
  Value whole = createSlice(b, loc, tensor, offsets, extents);
  return tensor::CollapseShapeOp::create(b, loc, type, whole,
                                         getGroups(map, kept));
}

/// The way back, at the end of the worker.
void AttentionTiler::insert(Value part, Value whole, AffineMap map,
                            const Ranges &kept, scf::ForallOp worker) {
  SmallVector<OpFoldResult> offsets, extents;
  SmallVector<unsigned> order;
  getSlice(map, kept, offsets, extents, order);
  auto type = cast<RankedTensorType>(part.getType());
  if (order.size() < offsets.size() && mayKeepUnit(type.getShape())) {
    auto shape = llvm::map_to_vector(extents, [](OpFoldResult extent) {
      return getConstantIntValue(extent).value_or(ShapedType::kDynamic);
    });
    part = tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), part,
        getGroups(map, kept), extents);
  }
  SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(worker.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, part, whole, offsets, extents,
                                        strides);
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

/// Where panel `panel` of [panels, ...] stands, `numLanes` of its lanes.
static std::pair<SmallVector<OpFoldResult>, SmallVector<OpFoldResult>>
getPlace(OpBuilder &b, RankedTensorType panels, Value panel, int64_t numLanes,
         Value lane) {
  SmallVector<OpFoldResult> offsets(panels.getRank(), b.getIndexAttr(0)),
      extents = getAsIndexOpFoldResult(b.getContext(), panels.getShape());
  offsets[0] = getAsOpFoldResult(panel);
  offsets.back() = getAsOpFoldResult(lane);
  extents[0] = b.getIndexAttr(1);
  extents.back() = b.getIndexAttr(numLanes);
  return {offsets, extents};
}

Value AttentionTiler::getPanel(Value panels, Value panel, int64_t numLanes,
                               Value lane) {
  auto type = cast<RankedTensorType>(panels.getType());
  auto [offsets, extents] = getPlace(b, type, panel, numLanes, lane);
  SmallVector<int64_t> shape(type.getShape().drop_front());
  shape.back() = numLanes;
  return createSlice(b, loc, panels, offsets, extents,
                     RankedTensorType::get(shape, type.getElementType()));
}

Value AttentionTiler::insertPanel(Value tensor, Value panel, Value panels,
                                  Value lane) {
  auto [offsets, extents] = getPlace(
      b, cast<RankedTensorType>(panels.getType()), panel,
      cast<RankedTensorType>(tensor.getType()).getShape().back(), lane);
  return insertSlice(b, loc, tensor, panels, offsets, extents);
}

AffineMap AttentionTiler::getOnlineMap(ArrayRef<unsigned> order) {
  auto dimensions = llvm::map_to_vector(order, [](unsigned dimension) {
    return unsigned(dimension == Dim::M   ? Online::M
                    : dimension == Dim::N ? Online::N
                    : dimension == Dim::D ? Online::D
                                          : Online::E);
  });
  return AffineMap::getMultiDimMapWithTargets(Online::kNumDimensions,
                                              dimensions, b.getContext());
}
