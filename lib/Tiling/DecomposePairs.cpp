//===- DecomposePairs.cpp - A panel meets keys in pairs -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// As a panel's step, but for its two products, whose factors are pairs of bf16:
// - Scores are made for whole chunks of keys; those beyond the last key become
//   -inf, and their weights 0.
// - Weights are made in pairs, of two keys at a time; those of a chunk are
//   summed from zero.
// - Sums of values have one level: products join the rescaled output in its
//   accumulators. (Weights and values that are all alike, in 512 keys, are off
//   by 4e-6, those of a panel's step by 8e-7.)
//
//===----------------------------------------------------------------------===//

#include "ExpandExp.h"
#include "Pairs.h"
#include "PanelStep.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

namespace {

class PairStep : public PanelStep {
public:
  PairStep(OnlineAttentionOp op, OpBuilder &builder)
      : PanelStep(op, builder), lanes(builder.getIndexAttr(numLanes)),
        keys(getNumKeys()),
        chunks(tensor::getMixedSize(b, loc, op.getValue(), 0)),
        rows(tensor::getMixedSize(b, loc, op.getKey(), 0)) {}

private:
  Value createScores() override;
  Value completeScores(Value scores) override;
  Weights createWeights(Value scores, Value shift) override;
  Value createOutput(ArrayRef<Value> weights, Value scale) override;
  Weights createChunk(Value scores, Value shift, Value chunk,
                      ValueRange weights, Value sum);
  SmallVector<MappedValue> getParts(Value pairs, unsigned dim, AffineMap map);
  /// 0 for each query.
  Value createEmptySum();
  /// A static bound of `count`, if there is one.
  int64_t getMost(OpFoldResult count, int64_t perCount);

  OpFoldResult lanes;
  /// The keys that count; all chunks of them, and their keys.
  OpFoldResult keys, chunks, rows;
  /// Scores of all chunks.
  Value scratch;
};

} // namespace

int64_t PairStep::getMost(OpFoldResult count, int64_t perCount) {
  if (auto number = getConstantIntValue(count))
    return *number;
  if (std::optional<uint64_t> most = op.getMaxKeys())
    return *most / perCount; // a multiple of a chunk
  return ShapedType::kDynamic;
}

/// The parts of a factor, which are its dimension `dim`.
SmallVector<MappedValue> PairStep::getParts(Value pairs, unsigned dim,
                                            AffineMap map) {
  auto type = cast<RankedTensorType>(pairs.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      extents = tensor::getMixedSizes(b, loc, pairs);
  extents[dim] = b.getIndexAttr(1);
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dim);
  SmallVector<MappedValue> parts;
  for (int64_t part : llvm::seq(type.getDimSize(dim))) {
    offsets[dim] = b.getIndexAttr(part);
    Value slice =
        createSlice(b, loc, pairs, offsets, extents,
                    RankedTensorType::get(shape, type.getElementType()));
    parts.push_back({slice, map});
  }
  return parts;
}

/// A body that adds the product of `numLeft` words and the others.
static auto getPairAccumulation(int64_t numLeft, bool isScore) {
  return [=](OpBuilder &builder, Location loc, ValueRange args) {
    ValueRange factors = args.drop_back();
    return SmallVector<Value>{
        createPairProduct(builder, loc, factors.take_front(numLeft),
                          factors.drop_front(numLeft), args.back(), isScore)};
  };
}

/// sum_d key * query of all chunks, from the strip or from zero.
Value PairStep::createScores() {
  Value bias =
      createBias(createBuffer({getMost(rows, 1), numLanes}, {rows, lanes}),
                 TileKind::PairBias);
  SmallVector<MappedValue> factors =
      getParts(op.getKey(), 1, getMap({Dim::N, Dim::D}));
  int64_t numKeyParts = factors.size();
  llvm::append_range(factors,
                     getParts(op.getQuery(), 0, getMap({Dim::D, Dim::M})));
  scratch = createGeneric(TileKind::PairScores, {Dim::N, Dim::M, Dim::D},
                          {Dim::D}, factors, {{bias, getMap({Dim::N, Dim::M})}},
                          getPairAccumulation(numKeyParts, /*isScore=*/true))
                .getResult(0);
  SmallVector<OpFoldResult> extents = {keys, lanes};
  return createSlice(b, loc, scratch, extents);
}

Value PairStep::completeScores(Value scores) {
  SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)),
      extents = {keys, lanes};
  scratch = insertSlice(b, loc, scores, scratch, offsets, extents);
  if (keys == rows)
    return scratch;
  AffineExpr all = b.getAffineDimExpr(0), some = b.getAffineDimExpr(1);
  offsets[0] = keys;
  extents[0] =
      affine::makeComposedFoldedAffineApply(b, loc, all - some, {rows, keys});
  Value rest = createFill(-std::numeric_limits<double>::infinity(),
                          createSlice(b, loc, scratch, offsets, extents),
                          TileKind::Fill);
  return insertSlice(b, loc, rest, scratch, offsets, extents);
}

Value PairStep::createEmptySum() {
  Value empty =
      tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{numLanes}, type);
  return createFill(0.0, empty, TileKind::Row);
}

/// The weights of a chunk of keys, and the sum with theirs: they are summed
/// apart, or weights that are all alike would round it in one direction.
PanelStep::Weights PairStep::createChunk(Value scores, Value shift, Value chunk,
                                         ValueRange weights, Value sum) {
  SmallVector<OpFoldResult> at = {chunk, b.getIndexAttr(0), b.getIndexAttr(0)},
                            size = {b.getIndexAttr(1), b.getIndexAttr(kWords),
                                    lanes};
  auto words = RankedTensorType::get({kWords, numLanes}, b.getI32Type());
  AffineMap row = getMap({Dim::M}), tile = getMap({Dim::N, Dim::M});
  SmallVector<MappedValue> ins = {{shift, row}}, outs;
  for (int64_t first : {int64_t(0), kWords}) {
    OpFoldResult key = affine::makeComposedFoldedAffineApply(
        b, loc, b.getAffineDimExpr(0) * kChunk + first, {OpFoldResult(chunk)});
    Value half = createSlice(b, loc, scores, {key, b.getIndexAttr(0)},
                             ArrayRef(size).drop_front());
    ins.push_back({half, tile});
  }
  for (Value part : weights)
    outs.push_back({createSlice(b, loc, part, at, size, words), tile});
  outs.push_back({createEmptySum(), row});
  auto split = createGenericOver(
      b, loc, {Dim::N, Dim::M}, {Dim::N}, ins, outs,
      [&](OpBuilder &builder, Location bodyLoc, ValueRange args) {
        Value halves[2];
        for (int half : {0, 1}) {
          Value below =
              arith::SubFOp::create(builder, bodyLoc, args[1 + half], args[0]);
          halves[half] = createBoundedExp(builder, bodyLoc, below);
        }
        SmallVector<Value> results =
            createWords(builder, bodyLoc, halves[0], halves[1], weights.size());
        Value both =
            arith::AddFOp::create(builder, bodyLoc, halves[0], halves[1]);
        results.push_back(
            arith::AddFOp::create(builder, bodyLoc, args.back(), both));
        return results;
      });
  setTileKind(split, TileKind::ExpSplit);
  Weights result;
  for (auto [word, part] : llvm::zip(split.getResults(), weights))
    result.factors.push_back(insertSlice(b, loc, word, part, at, size));
  result.sum = createRow(split.getResults().back(), sum, accumulate);
  return result;
}

/// In pairs, [chunk, word, lane].
PanelStep::Weights PairStep::createWeights(Value scores, Value shift) {
  SmallVector<Value> carried;
  for (int64_t part = 0; part < int64_t(op.getWeightParts()); ++part)
    carried.push_back(createBuffer({getMost(chunks, kChunk), kWords, numLanes},
                                   {chunks, b.getIndexAttr(kWords), lanes},
                                   b.getI32Type()));
  carried.push_back(createEmptySum());
  auto getNumber = [&](OpFoldResult value) {
    return getValueOrCreateConstantIndexOp(b, loc, value);
  };
  auto loop = scf::ForOp::create(
      b, loc, getNumber(b.getIndexAttr(0)), getNumber(chunks),
      getNumber(b.getIndexAttr(1)), carried,
      [&](OpBuilder &, Location, Value chunk, ValueRange args) {
        Weights next =
            createChunk(scores, shift, chunk, args.drop_back(), args.back());
        next.factors.push_back(next.sum);
        scf::YieldOp::create(b, loc, next.factors);
      });
  ValueRange results = loop.getResults();
  return {llvm::to_vector_of<Value>(results.drop_back()), results.back()};
}

Value PairStep::createOutput(ArrayRef<Value> weights, Value scale) {
  Value out =
      createGeneric(TileKind::Rescale, {Dim::E, Dim::M}, {},
                    {{scale, getMap({Dim::M})}},
                    {{op.getOutInit(), op.getOutputMap()}},
                    [](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                      return SmallVector<Value>{arith::MulFOp::create(
                          inner, bodyLoc, args[1], args[0])};
                    })
          .getResult(0);
  // Over (e, m, chunk, word).
  auto getMap4 = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(4, dims, b.getContext());
  };
  SmallVector<MappedValue> factors =
      getParts(op.getValue(), 1, getMap4({2, 0, 3}));
  int64_t numValueParts = factors.size();
  for (Value part : weights)
    factors.push_back({part, getMap4({2, 3, 1})});
  auto product = createGenericOver(
      b, loc, {0, 1, 2, 3}, {2, 3}, factors, {{out, getMap4({0, 1})}},
      getPairAccumulation(numValueParts, /*isScore=*/false));
  setTileKind(product, TileKind::PairValues);
  return product.getResult(0);
}

SmallVector<Value> relattn::lowerPairStep(OnlineAttentionOp op,
                                          OpBuilder &builder) {
  return PairStep(op, builder).lower();
}
