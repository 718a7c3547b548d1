//===- DimensionSize.cpp - What decides a size ----------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "DimensionSize.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;
using namespace mlir::relattn;

DimensionSize relattn::traceSize(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return {*number, {}, -1};
  Value value = cast<Value>(size);
  while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    value = cast.getIn();
  if (auto dim = value.getDefiningOp<tensor::DimOp>())
    if (std::optional<int64_t> position = dim.getConstantIndex())
      return traceSize(dim.getSource(), *position);
  return {ShapedType::kDynamic, value, -1};
}

DimensionSize relattn::traceSize(Value tensor, int64_t dim) {
  while (true) {
    auto type = dyn_cast<RankedTensorType>(tensor.getType());
    if (type && !type.isDynamicDim(dim))
      return {type.getDimSize(dim), {}, -1};
    auto result = dyn_cast<OpResult>(tensor);
    Operation *op = result ? result.getOwner() : nullptr;
    if (auto destination = dyn_cast_or_null<DestinationStyleOpInterface>(op)) {
      tensor = destination.getTiedOpOperand(result)->get();
    } else if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(op)) {
      return traceSize(empty.getMixedSizes()[dim]);
    } else if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op)) {
      return traceSize(expand.getMixedOutputShape()[dim]);
    } else if (auto cast = dyn_cast_or_null<tensor::CastOp>(op)) {
      tensor = cast.getSource();
    } else if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
      ReassociationIndices group = collapse.getReassociationIndices()[dim];
      if (group.size() != 1)
        return {ShapedType::kDynamic, tensor, dim};
      tensor = collapse.getSrc();
      dim = group[0];
    } else if (auto reshape = dyn_cast_or_null<tensor::ReshapeOp>(op)) {
      auto shape = reshape.getShape().getDefiningOp<tensor::FromElementsOp>();
      if (!shape)
        return {ShapedType::kDynamic, tensor, dim};
      return traceSize(OpFoldResult(shape.getElements()[dim]));
    } else {
      return {ShapedType::kDynamic, tensor, dim};
    }
  }
}
