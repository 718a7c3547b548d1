//===- AttentionOp.cpp - relattn.attention --------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Queries on the op, its builder and its verifier. The verifier's functions
// stand in the order of the constraints in the op's description.
//
//===----------------------------------------------------------------------===//

#include "relattn/IR/RelAttn.h"

#include "DimensionNames.h"
#include "OffsetOperands.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::relattn;

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

FloatType AttentionOp::getAccumulatorType(Type elementType) {
  if (elementType.isF64())
    return cast<FloatType>(elementType);
  return Float32Type::get(elementType.getContext());
}

FloatType AttentionOp::getAccumulatorType() {
  return getAccumulatorType(getElementTypeOrSelf(getQuery()));
}

AffineMap AttentionOp::getMap(MLIRContext *context,
                              ArrayRef<unsigned> dimensions) {
  return AffineMap::getMultiDimMapWithTargets(kNumDimensions, dimensions,
                                              context);
}

ArrayAttr AttentionOp::getDefaultIndexingMaps(MLIRContext *context,
                                              int64_t rank) {
  if (rank < 2 || rank > 5)
    return {};
  SmallVector<unsigned> batch;
  if (rank >= 4)
    batch.push_back(B);
  if (rank >= 3)
    batch.push_back(G);
  SmallVector<unsigned> queryBatch(batch);
  if (rank == 5)
    queryBatch.push_back(R);
  auto makeMap = [&](SmallVector<unsigned> dimensions, unsigned row,
                     unsigned column) {
    dimensions.append({row, column});
    return getMap(context, dimensions);
  };
  return Builder(context).getAffineMapArrayAttr(
      {makeMap(queryBatch, M, D), makeMap(batch, N, D), makeMap(batch, N, E),
       makeMap(queryBatch, M, E)});
}

SmallVector<unsigned> AttentionOp::getBatchDimensions() {
  SmallVector<unsigned> result;
  for (unsigned dimension : {B, G, R})
    if (getOutputMap().isFunctionOfDim(dimension))
      result.push_back(dimension);
  return result;
}

AffineMap AttentionOp::getDefaultMaskMap() {
  SmallVector<unsigned> dimensions = getBatchDimensions();
  dimensions.append({M, N});
  return getMap(getContext(), dimensions);
}

AffineMap AttentionOp::getLseMap() {
  SmallVector<unsigned> dimensions = getBatchDimensions();
  dimensions.push_back(M);
  return getMap(getContext(), dimensions);
}

SmallVector<std::pair<Value, AffineMap>> AttentionOp::getMappedOperands() {
  MLIRContext *context = getContext();
  SmallVector<std::pair<Value, AffineMap>> result{{getQuery(), getQueryMap()},
                                                  {getKey(), getKeyMap()},
                                                  {getValue(), getValueMap()},
                                                  {getInit(), getOutputMap()}};
  if (auto dense = dyn_cast_if_present<DenseAttr>(getBiasSchemeAttr()))
    result.emplace_back(getBias(), dense.getMap());
  if (getMask())
    result.emplace_back(getMask(), *getMaskMap());
  if (isa_and_present<RankedTensorType>(
          getQueryOffset() ? getQueryOffset().getType() : Type()))
    result.emplace_back(getQueryOffset(), getMap(context, {B}));
  if (getKeyLengths())
    result.emplace_back(getKeyLengths(), getMap(context, {B}));
  if (getLseInit())
    result.emplace_back(getLseInit(), getLseMap());
  return result;
}

int64_t AttentionOp::getStaticSize(unsigned dimension) {
  int64_t size = 1;
  AffineExpr expr = getAffineDimExpr(dimension, getContext());
  for (auto [operand, map] : getMappedOperands()) {
    std::optional<unsigned> position = map.getResultPosition(expr);
    if (!position)
      continue;
    size = cast<RankedTensorType>(operand.getType()).getDimSize(*position);
    if (!ShapedType::isDynamic(size))
      return size;
  }
  return size;
}

OpFoldResult AttentionOp::getMixedSize(OpBuilder &builder, unsigned dimension) {
  int64_t size = getStaticSize(dimension);
  if (ShapedType::isStatic(size))
    return builder.getIndexAttr(size);
  AffineExpr expr = getAffineDimExpr(dimension, getContext());
  for (auto [operand, map] : getMappedOperands())
    if (std::optional<unsigned> position = map.getResultPosition(expr))
      return tensor::getMixedSize(builder, getLoc(), operand, *position);
  llvm_unreachable("a dynamic size comes from an operand");
}

int64_t AttentionOp::getStaticNumHeads() {
  int64_t g = getStaticSize(G), r = getStaticSize(R);
  if (ShapedType::isDynamic(g) || ShapedType::isDynamic(r))
    return ShapedType::kDynamic;
  return g * r;
}

std::optional<int64_t> AttentionOp::getConstantQueryOffset() {
  return relattn::getConstantQueryOffset(getQueryOffset());
}

LogicalResult
AttentionOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  return reifyFromInits(builder, *this, reified);
}

//===----------------------------------------------------------------------===//
// Builder
//===----------------------------------------------------------------------===//

void AttentionOp::build(OpBuilder &builder, OperationState &state, Value query,
                        Value key, Value value, Value init) {
  auto type = cast<RankedTensorType>(init.getType());
  build(builder, state, type, /*lse=*/Type(), query, key, value,
        /*bias=*/Value(), /*zero=*/Value(), /*mask=*/Value(),
        /*query_offset=*/Value(), /*key_lengths=*/Value(), init,
        getDefaultIndexingMaps(builder.getContext(), type.getRank()),
        builder.getF64FloatAttr(1.0), /*bias_scheme=*/nullptr,
        /*band=*/nullptr, /*mask_map=*/nullptr);
}

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

namespace {
/// An operand that has dimensions of the iteration space.
struct NamedOperand {
  StringRef name;
  RankedTensorType type;
  AffineMap map;
};
} // namespace

static std::string getNames(ArrayRef<unsigned> dimensions) {
  SmallVector<StringRef> names;
  for (unsigned dimension : dimensions)
    names.push_back(kDimensionNames[dimension]);
  return llvm::join(names, ", ");
}

/// The element types that an operand may have beside the query's own.
static std::string describeFloats(AttentionOp op) {
  Type query = getElementTypeOrSelf(op.getQuery());
  std::string result;
  llvm::raw_string_ostream os(result);
  os << "'" << query << "'";
  if (query != op.getAccumulatorType())
    os << " or '" << op.getAccumulatorType() << "'";
  return result;
}

static bool isSupportedFloat(Type type) {
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type);
}

/// C1
static LogicalResult verifyElementTypes(AttentionOp op) {
  Type query = getElementTypeOrSelf(op.getQuery());
  if (!isSupportedFloat(query))
    return op.emitOpError("[C1] expected f16, bf16, f32 or f64, got query of ")
           << query;
  for (auto [name, operand] :
       {std::pair("key", op.getKey()), std::pair("value", op.getValue())})
    if (getElementTypeOrSelf(operand) != query)
      return op.emitOpError("[C1] query has element type ")
             << query << " but " << name << " has "
             << getElementTypeOrSelf(operand);
  Type output = getElementTypeOrSelf(op.getInit());
  if (output != query && output != op.getAccumulatorType())
    return op.emitOpError("[C1] expected an output of ")
           << describeFloats(op) << ", got " << output;
  return success();
}

/// C2
static LogicalResult verifyMap(AttentionOp op, StringRef label,
                               const NamedOperand &operand) {
  if (!isNameable(operand.map))
    return op.emitOpError()
           << label << " the map of " << operand.name
           << " is no projected permutation of the 7 dimensions: "
           << AffineMapAttr::get(operand.map);
  if (int64_t(operand.map.getNumResults()) != operand.type.getRank())
    return op.emitOpError()
           << label << " the map of " << operand.name << " has "
           << operand.map.getNumResults() << " results but " << operand.name
           << " has rank " << operand.type.getRank();
  return success();
}

/// C3
static LogicalResult verifyRole(AttentionOp op, const NamedOperand &operand,
                                ArrayRef<unsigned> with,
                                ArrayRef<unsigned> without) {
  auto has = [&](unsigned d) { return operand.map.isFunctionOfDim(d); };
  if (llvm::all_of(with, has) && llvm::none_of(without, has))
    return success();
  return op.emitOpError("[C3] ")
         << operand.name << " must have the dimensions " << getNames(with)
         << " and none of " << getNames(without);
}

/// C4 and C5
static LogicalResult verifySizes(AttentionOp op,
                                 ArrayRef<NamedOperand> operands) {
  AffineMap output = op.getOutputMap();
  for (unsigned d = 0; d < AttentionOp::kNumDimensions; ++d) {
    const NamedOperand *first = nullptr;
    int64_t firstSize = 0;
    AffineExpr expr = getAffineDimExpr(d, op.getContext());
    for (const NamedOperand &operand : operands) {
      std::optional<unsigned> position = operand.map.getResultPosition(expr);
      if (!position)
        continue;
      if (d <= AttentionOp::R && !output.isFunctionOfDim(d))
        return op.emitOpError("[C4] ")
               << operand.name << " has dimension '" << kDimensionNames[d]
               << "' but the output has not";
      int64_t size = operand.type.getDimSize(*position);
      if (ShapedType::isDynamic(size))
        continue;
      if (!first) {
        first = &operand;
        firstSize = size;
      } else if (size != firstSize) {
        return op.emitOpError("[C5] dimension '")
               << kDimensionNames[d] << "' is " << firstSize << " in "
               << first->name << " but " << size << " in " << operand.name;
      }
    }
  }
  return success();
}

/// C7, C8 and C9
static LogicalResult verifyBias(AttentionOp op) {
  auto scheme = op.getBiasSchemeAttr();
  if (bool(op.getBias()) != bool(scheme))
    return op.emitOpError("[C7] has ") << (scheme ? "a bias_scheme but no bias"
                                                  : "a bias but no "
                                                    "bias_scheme");
  bool needsZero = scheme && scheme.needsZero();
  if (bool(op.getZero()) != needsZero)
    return op.emitOpError("[C7] ")
           << (needsZero ? "the scheme needs a zero operand"
                         : "has a zero operand that no scheme needs");
  if (!scheme)
    return success();
  auto type = cast<RankedTensorType>(op.getBias().getType());
  Type query = getElementTypeOrSelf(op.getQuery());
  if (type.getElementType() != query &&
      type.getElementType() != op.getAccumulatorType())
    return op.emitOpError("[C8] expected a bias of ")
           << describeFloats(op) << ", got " << type.getElementType();
  return scheme.verifyBiasType([&]() { return op.emitOpError("[C9] "); }, type,
                               op.getStaticNumHeads());
}

/// C10
static LogicalResult verifyMask(AttentionOp op) {
  if (bool(op.getMask()) != op.getMaskMap().has_value())
    return op.emitOpError("[C10] has ")
           << (op.getMask() ? "a mask but no mask_map"
                            : "a mask_map but no mask");
  if (!op.getMask())
    return success();
  auto type = cast<RankedTensorType>(op.getMask().getType());
  Type element = type.getElementType();
  Type query = getElementTypeOrSelf(op.getQuery());
  if (!element.isInteger(1) && element != query &&
      element != op.getAccumulatorType())
    return op.emitOpError("[C10] expected a mask of i1 or ")
           << describeFloats(op) << ", got " << element;
  NamedOperand mask{"mask", type, *op.getMaskMap()};
  if (failed(verifyMap(op, "[C10]", mask)))
    return failure();
  for (unsigned dimension : {AttentionOp::D, AttentionOp::E})
    if (mask.map.isFunctionOfDim(dimension))
      return op.emitOpError("[C10] the mask must not have dimension '")
             << kDimensionNames[dimension] << "'";
  return success();
}

/// C11 and C12
static LogicalResult verifyBatchOperand(AttentionOp op, StringRef label,
                                        StringRef name, Value operand) {
  if (!operand || operand.getType().isIndex())
    return success();
  if (failed(verifyPerBatchType(op, label, name, operand.getType())))
    return failure();
  if (!op.getOutputMap().isFunctionOfDim(AttentionOp::B))
    return op.emitOpError()
           << label << " " << name
           << " has one entry per batch entry but the output has no 'b'";
  return success();
}

/// C13
static LogicalResult verifyLse(AttentionOp op) {
  size_t numInits = op.getInits().size();
  if (numInits < 1 || numInits > 2)
    return op.emitOpError("[C13] expected one or two destinations, got ")
           << numInits;
  if (bool(op.getLse()) != (numInits == 2))
    return op.emitOpError("[C13] has ")
           << (op.getLse() ? "an lse result but no destination for it"
                           : "an lse destination but no such result");
  if (!op.getLse())
    return success();
  auto type = cast<RankedTensorType>(op.getLseInit().getType());
  if (type.getElementType() != op.getAccumulatorType())
    return op.emitOpError("[C13] expected lse of ")
           << op.getAccumulatorType() << ", got " << type.getElementType();
  int64_t rank = op.getBatchDimensions().size() + 1;
  if (type.getRank() != rank)
    return op.emitOpError("[C13] expected lse of rank ")
           << rank << ", got " << type.getRank();
  return success();
}

LogicalResult AttentionOp::verify() {
  if (getInits().empty() || getInits().size() > 2)
    return verifyLse(*this);
  if (failed(verifyElementTypes(*this)))
    return failure();

  // The maps, before anything asks them.
  if (getIndexingMaps().size() != 4)
    return emitOpError("[C2] expected 4 indexing maps, got ")
           << getIndexingMaps().size();
  auto named = [](StringRef name, Value value, AffineMap map) {
    return NamedOperand{name, cast<RankedTensorType>(value.getType()), map};
  };
  SmallVector<NamedOperand> operands{
      named("query", getQuery(), getQueryMap()),
      named("key", getKey(), getKeyMap()),
      named("value", getValue(), getValueMap()),
      named("output", getInit(), getOutputMap())};
  for (const NamedOperand &operand : operands)
    if (failed(verifyMap(*this, "[C2]", operand)))
      return failure();
  if (failed(verifyRole(*this, operands[0], {M, D}, {N, E})) ||
      failed(verifyRole(*this, operands[1], {N, D}, {M, E})) ||
      failed(verifyRole(*this, operands[2], {N, E}, {M, D})) ||
      failed(verifyRole(*this, operands[3], {M, E}, {N, D})))
    return failure();
  if (failed(verifySizes(*this, operands)))
    return failure();

  if (!getScale().isFinite())
    return emitOpError("[C6] scale must be finite");
  if (failed(verifyBias(*this)) || failed(verifyMask(*this)) ||
      failed(
          verifyBatchOperand(*this, "[C11]", "query_offset", getQueryOffset())))
    return failure();
  if (failed(
          verifyBatchOperand(*this, "[C12]", "key_lengths", getKeyLengths())) ||
      failed(verifyLse(*this)))
    return failure();

  // Once more with the optional operands, which are well-formed by now.
  if (auto dense = dyn_cast_if_present<DenseAttr>(getBiasSchemeAttr()))
    operands.push_back(named("bias", getBias(), dense.getMap()));
  if (getMask())
    operands.push_back(named("mask", getMask(), *getMaskMap()));
  AffineMap batch = getMap(getContext(), {B});
  if (getQueryOffset() && !getQueryOffset().getType().isIndex())
    operands.push_back(named("query_offset", getQueryOffset(), batch));
  if (getKeyLengths())
    operands.push_back(named("key_lengths", getKeyLengths(), batch));
  if (getLse())
    operands.push_back(named("lse", getLseInit(), getLseMap()));
  return verifySizes(*this, operands);
}
