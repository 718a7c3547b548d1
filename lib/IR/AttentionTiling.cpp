//===- AttentionTiling.cpp - TilingInterface of relattn.attention ---------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An attention of some entries of b, some groups g and some queries is an
// attention again: operands are sliced, heads' parts of tables as well, and the
// query offset moves by the first query. So any of upstream's tilings
// distributes attention. The loops are those of b, g and m that the output has.
// There is none over keys, which carries a state (relattn.online_attention,
// relattn.merge), nor over r, whose tiles would not be heads in a row.
// Upstream's verifier refuses slices of a tensor that is statically empty, and
// so does this.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

/// The dimensions of the loops.
static SmallVector<unsigned> getLoops(AttentionOp op) {
  SmallVector<unsigned> loops;
  for (unsigned dimension : {AttentionOp::B, AttentionOp::G, AttentionOp::M})
    if (op.getOutputMap().isFunctionOfDim(dimension))
      loops.push_back(dimension);
  return loops;
}

/// The map of a result.
static AffineMap getResultMap(AttentionOp op, unsigned number) {
  return number == 0 ? op.getOutputMap() : op.getLseMap();
}

SmallVector<utils::IteratorType> AttentionOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(getLoops(*this).size(),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> AttentionOp::getIterationDomain(OpBuilder &b) {
  return llvm::map_to_vector(getLoops(*this), [&](unsigned dimension) {
    return Range{b.getIndexAttr(0), getMixedSize(b, dimension),
                 b.getIndexAttr(1)};
  });
}

namespace {
/// Slices of the op's tensors for one tile of its loops.
class AttentionSlicer {
public:
  AttentionSlicer(AttentionOp op, OpBuilder &builder,
                  ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes)
      : op(op), b(builder), loc(op.getLoc()) {
    for (auto [dimension, offset, size] :
         llvm::zip(getLoops(op), offsets, sizes))
      tile[dimension] = {offset, size};
  }

  /// Where a tensor's part lies: all of the dimensions that have no loop.
  void getPlace(Value tensor, AffineMap map,
                SmallVectorImpl<OpFoldResult> &offsets,
                SmallVectorImpl<OpFoldResult> &sizes) {
    for (auto [position, expr] : llvm::enumerate(map.getResults())) {
      auto found = tile.find(cast<AffineDimExpr>(expr).getPosition());
      offsets.push_back(found == tile.end() ? b.getIndexAttr(0)
                                            : found->second.first);
      sizes.push_back(found == tile.end()
                          ? tensor::getMixedSize(b, loc, tensor, position)
                          : found->second.second);
    }
  }

  Value slice(Value tensor, AffineMap map) {
    if (!tensor)
      return tensor;
    SmallVector<OpFoldResult> offsets, sizes;
    getPlace(tensor, map, offsets, sizes);
    return slice(tensor, offsets, sizes);
  }

  /// Tables, slopes and strips of the groups' heads.
  Value sliceBias() {
    Value bias = op.getBias();
    BiasSchemeAttrInterface scheme = op.getBiasSchemeAttr();
    if (auto dense = dyn_cast_if_present<DenseAttr>(scheme))
      return slice(bias, dense.getMap());
    auto groups = tile.find(AttentionOp::G);
    if (!bias || groups == tile.end())
      return bias;
    auto type = cast<RankedTensorType>(bias.getType());
    if (scheme.isSharedByHeads(type))
      return bias;
    int64_t rank = type.getRank();
    unsigned heads = scheme.getNumBuckets() ? 1 : 0;
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, bias),
                              offsets(rank, b.getIndexAttr(0));
    offsets[heads] = inHeads(groups->second.first);
    sizes[heads] = inHeads(groups->second.second);
    return slice(bias, offsets, sizes);
  }

  /// offset = j - (i + query_offset), and i starts at the first query.
  Value moveQueryOffset() {
    Value offset = op.getQueryOffset();
    bool isTensor = offset && !offset.getType().isIndex();
    if (isTensor)
      offset = slice(offset, AttentionOp::getMap(op.getContext(),
                                                 {unsigned(AttentionOp::B)}));
    OpFoldResult first = tile.lookup(AttentionOp::M).first;
    bool isUsed = op.getBandAttr() || (op.getBiasSchemeAttr() &&
                                       !isa<DenseAttr>(op.getBiasSchemeAttr()));
    if (getConstantIntValue(first) == 0 || !isUsed)
      return offset;
    Value start = getValueOrCreateConstantIndexOp(b, loc, first);
    if (!offset)
      return start;
    if (!isTensor)
      return arith::AddIOp::create(b, loc, offset, start);
    auto type = cast<RankedTensorType>(offset.getType());
    if (!type.getElementType().isIndex())
      start = arith::IndexCastOp::create(b, loc, type.getElementType(), start);
    SmallVector<Value> sizes;
    if (type.isDynamicDim(0))
      sizes.push_back(tensor::DimOp::create(b, loc, offset, 0));
    Value starts = tensor::SplatOp::create(b, loc, start, type, sizes);
    return arith::AddIOp::create(b, loc, offset, starts);
  }

  SmallVector<Operation *> slices;

private:
  Value slice(Value tensor, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> sizes) {
    SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
    auto op =
        tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes, strides);
    slices.push_back(op);
    return op;
  }

  /// A number of groups as one of heads.
  OpFoldResult inHeads(OpFoldResult groups) {
    OpFoldResult repeats = op.getMixedSize(b, AttentionOp::R);
    std::optional<int64_t> x = getConstantIntValue(groups),
                           y = getConstantIntValue(repeats);
    if (x && y)
      return b.getIndexAttr(*x * *y);
    return getAsOpFoldResult(b.createOrFold<arith::MulIOp>(
        loc, getValueOrCreateConstantIndexOp(b, loc, groups),
        getValueOrCreateConstantIndexOp(b, loc, repeats)));
  }

  AttentionOp op;
  OpBuilder &b;
  Location loc;
  llvm::SmallDenseMap<unsigned, std::pair<OpFoldResult, OpFoldResult>> tile;
};
} // namespace

FailureOr<TilingResult>
AttentionOp::getTiledImplementation(OpBuilder &b,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes) {
  for (auto [operand, map] : getMappedOperands())
    if (llvm::is_contained(cast<RankedTensorType>(operand.getType()).getShape(),
                           0))
      return emitOpError("cannot be tiled: a dimension is empty"), failure();
  AttentionSlicer slicer(*this, b, offsets, sizes);
  Value query = slicer.slice(getQuery(), getQueryMap());
  Value key = slicer.slice(getKey(), getKeyMap());
  Value value = slicer.slice(getValue(), getValueMap());
  Value bias = slicer.sliceBias();
  Value mask = slicer.slice(getMask(), getMaskMap().value_or(AffineMap()));
  Value queryOffset = slicer.moveQueryOffset();
  Value lengths =
      slicer.slice(getKeyLengths(), getMap(getContext(), {unsigned(B)}));
  SmallVector<Value> inits;
  for (auto [number, init] : llvm::enumerate(getInits()))
    inits.push_back(slicer.slice(init, getResultMap(*this, number)));
  auto tiled = AttentionOp::create(
      b, getLoc(), inits[0].getType(),
      inits.size() > 1 ? inits[1].getType() : Type(), query, key, value, bias,
      getZero(), mask, queryOffset, lengths, inits, getIndexingMapsAttr(),
      getScaleAttr(), getBiasSchemeAttr(), getBandAttr(), getMaskMapAttr());
  tiled->setDiscardableAttrs(llvm::to_vector((*this)->getDiscardableAttrs()));
  return TilingResult{
      {tiled}, SmallVector<Value>(tiled->getResults()), slicer.slices};
}

LogicalResult AttentionOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  AttentionSlicer slicer(*this, b, offsets, sizes);
  slicer.getPlace(getInits()[resultNumber], getResultMap(*this, resultNumber),
                  resultOffsets, resultSizes);
  return success();
}

/// For fusion into what reads a tile: fails if that is no tile of the loops.
FailureOr<TilingResult>
AttentionOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                     ArrayRef<OpFoldResult> offsets,
                                     ArrayRef<OpFoldResult> sizes) {
  SmallVector<unsigned> loops = getLoops(*this);
  SmallVector<OpFoldResult> loopOffsets(loops.size()), loopSizes(loops.size());
  AffineMap map = getResultMap(*this, resultNumber);
  auto type = cast<RankedTensorType>(getInits()[resultNumber].getType());
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    const auto *found =
        llvm::find(loops, cast<AffineDimExpr>(expr).getPosition());
    if (found != loops.end()) {
      loopOffsets[found - loops.begin()] = offsets[position];
      loopSizes[found - loops.begin()] = sizes[position];
      continue;
    }
    // All of r and e.
    int64_t size = type.getDimSize(position);
    if (getConstantIntValue(offsets[position]) != 0 ||
        ShapedType::isDynamic(size) ||
        getConstantIntValue(sizes[position]) != size)
      return failure();
  }
  FailureOr<TilingResult> tiled =
      getTiledImplementation(b, loopOffsets, loopSizes);
  if (succeeded(tiled))
    tiled->tiledValues = {tiled->tiledValues[resultNumber]};
  return tiled;
}
