//===- BucketOp.cpp - relattn.bucket --------------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifier and folder.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/CommonFolders.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

LogicalResult BucketOp::verify() {
  std::optional<int64_t> numBuckets = getScheme().getNumBuckets();
  if (!numBuckets)
    return emitOpError("[C1] expected a bucketing, got ") << getScheme();
  Type element = getElementTypeOrSelf(getResult());
  unsigned width = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  if (!llvm::isIntN(width, *numBuckets - 1))
    return emitOpError("[C2] the largest bucket id, ")
           << *numBuckets - 1 << ", does not fit " << element;
  return success();
}

/// Constant offsets: a scalar, or a dense tensor.
OpFoldResult BucketOp::fold(FoldAdaptor adaptor) {
  Attribute offset = adaptor.getOffset();
  if (!offset)
    return {};
  std::optional<StepFunction> steps = getScheme().getStepFunction();
  if (!steps)
    return {};
  Type element = getElementTypeOrSelf(getResult());
  unsigned width = element.isIndex() ? IndexType::kInternalStorageBitWidth
                                     : element.getIntOrFloatBitWidth();
  auto evaluate = [&](const APInt &value) -> APInt {
    return APInt(width, steps->evaluate(value.getSExtValue()),
                 /*isSigned=*/true);
  };
  auto isNarrow = [](Type type) {
    return type.isIndex() || type.getIntOrFloatBitWidth() <= 64;
  };
  if (!isNarrow(getElementTypeOrSelf(getOffset())))
    return {};
  if (auto scalar = dyn_cast<IntegerAttr>(offset))
    return IntegerAttr::get(getType(), evaluate(scalar.getValue()));
  if (auto dense = dyn_cast<DenseIntElementsAttr>(offset))
    return dense.mapValues(element, evaluate);
  return {};
}
