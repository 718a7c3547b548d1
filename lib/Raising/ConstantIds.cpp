//===- ConstantIds.cpp - Bucket ids that were folded ----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A constant of ids[query, key] as a vector over the offset.
//
//===----------------------------------------------------------------------===//

#include "ConstantIds.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::relattn;

/// The integers of a constant tensor, a resource included.
static std::optional<SmallVector<int64_t>> readIntegers(Value tensor) {
  Attribute attribute;
  if (!matchPattern(tensor, m_Constant(&attribute)))
    return std::nullopt;
  SmallVector<int64_t> integers;
  if (auto values = dyn_cast<DenseElementsAttr>(attribute)) {
    if (!isa<IntegerType>(values.getElementType()))
      return std::nullopt;
    for (const APInt &value : values.getValues<APInt>())
      integers.push_back(value.getSExtValue());
    return integers;
  }
  if (auto values = dyn_cast<DenseI64ResourceElementsAttr>(attribute)) {
    if (std::optional<ArrayRef<int64_t>> array = values.tryGetAsArrayRef())
      return SmallVector<int64_t>(array->begin(), array->end());
  } else if (auto values = dyn_cast<DenseI32ResourceElementsAttr>(attribute)) {
    if (std::optional<ArrayRef<int32_t>> array = values.tryGetAsArrayRef())
      return SmallVector<int64_t>(array->begin(), array->end());
  } else if (auto values = dyn_cast<DenseI16ResourceElementsAttr>(attribute)) {
    if (std::optional<ArrayRef<int16_t>> array = values.tryGetAsArrayRef())
      return SmallVector<int64_t>(array->begin(), array->end());
  }
  return std::nullopt;
}

const Expr *relattn::readDiagonals(ExprContext &context,
                                   MLIRContext *mlirContext, const Expr *leaf,
                                   std::optional<unsigned> query,
                                   unsigned key) {
  auto type = dyn_cast<RankedTensorType>(leaf->tensor.getType());
  if (!type || !type.hasStaticShape())
    return nullptr;
  std::optional<unsigned> queryDim, keyDim;
  int64_t queryStart = 0, keyStart = 0, base = 0;
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t i = type.getRank() - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * type.getDimSize(i + 1);
  for (auto [dim, index] : llvm::enumerate(leaf->operands)) {
    if (index->kind != Expr::Kind::Index)
      return nullptr;
    const Linear &linear = index->linear;
    if (linear.isConstant()) {
      base += linear.constant * strides[dim];
    } else if (linear.terms.size() == 1 && linear.terms[0].second == 1 &&
               query && linear.terms[0].first == *query && !queryDim) {
      queryDim = dim;
      queryStart = linear.constant;
    } else if (linear.terms.size() == 1 && linear.terms[0].second == 1 &&
               linear.terms[0].first == key && !keyDim) {
      keyDim = dim;
      keyStart = linear.constant;
    } else {
      return nullptr;
    }
  }
  if (queryDim.has_value() != query.has_value() || !keyDim)
    return nullptr;
  std::optional<SmallVector<int64_t>> values = readIntegers(leaf->tensor);
  if (!values)
    return nullptr;
  int64_t queries = queryDim ? type.getDimSize(*queryDim) : 1;
  int64_t queryStride = queryDim ? strides[*queryDim] : 0;
  int64_t keys = type.getDimSize(*keyDim);
  SmallVector<int64_t> diagonals(queries + keys - 1);
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t j = 0; j < keys; ++j) {
      int64_t value = (*values)[base + i * queryStride + j * strides[*keyDim]];
      int64_t &diagonal = diagonals[j - i + queries - 1];
      if (i == 0 || j == 0)
        diagonal = value;
      else if (diagonal != value)
        return nullptr;
    }
  }
  auto vector = DenseElementsAttr::get(
      RankedTensorType::get({int64_t(diagonals.size())},
                            IntegerType::get(mlirContext, 64)),
      ArrayRef<int64_t>(diagonals));
  // Place (key + keyStart) - (query + queryStart) + queries - 1.
  Linear index = Linear::var(key);
  if (query)
    index = index.plus(Linear::var(*query), -1);
  index.constant = keyStart - queryStart + queries - 1;
  return context.getLookup(vector, context.getIndex(index, {}));
}
