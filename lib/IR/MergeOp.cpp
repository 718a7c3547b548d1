//===- MergeOp.cpp - relattn.merge ----------------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifier.
//
//===----------------------------------------------------------------------===//

#include "OffsetOperands.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

AffineMap MergeOp::dropPart(AffineMap map) {
  AffineExpr part = getAffineDimExpr(0, map.getContext());
  auto kept = llvm::to_vector(llvm::make_filter_range(
      map.getResults(), [&](AffineExpr expr) { return expr != part; }));
  return AffineMap::get(map.getNumDims(), 0, kept, map.getContext());
}

LogicalResult MergeOp::verify() {
  if (getIndexingMaps().size() != 2)
    return emitOpError("[M1] expected 2 indexing maps, got ")
           << getIndexingMaps().size();
  AffineMap outs = getOutsMap(), rows = getRowsMap();
  unsigned numDims = outs.getNumDims();
  if (numDims < 2 || rows.getNumDims() != numDims || !outs.isPermutation() ||
      !rows.isProjectedPermutation() || rows.getNumResults() != numDims - 1 ||
      rows.isFunctionOfDim(numDims - 1))
    return emitOpError("[M1] expected maps over (part, rows, e): a permutation "
                       "for outs, and all dimensions but e for maxes and sums");

  Type element = getElementTypeOrSelf(getOuts());
  if (!element.isF32() && !element.isF64())
    return emitOpError("[M2] expected f32 or f64, got ") << element;
  struct Operand {
    StringRef name;
    Value tensor;
    AffineMap map;
  };
  SmallVector<int64_t> sizes(numDims, ShapedType::kDynamic);
  for (auto [name, tensor, map] :
       {Operand{"outs", getOuts(), outs}, Operand{"maxes", getMaxes(), rows},
        Operand{"sums", getSums(), rows},
        Operand{"out", getOutInit(), dropPart(outs)},
        Operand{"max", getMaxInit(), dropPart(rows)},
        Operand{"sum", getSumInit(), dropPart(rows)}}) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (type.getElementType() != element)
      return emitOpError("[M2] expected ")
             << name << " of " << element << ", got " << type.getElementType();
    if (type.getRank() != int64_t(map.getNumResults()))
      return emitOpError("[M3] expected ")
             << name << " of rank " << map.getNumResults() << ", got " << type;
    for (auto [size, expr] : llvm::zip(type.getShape(), map.getResults())) {
      int64_t &known = sizes[cast<AffineDimExpr>(expr).getPosition()];
      if (ShapedType::isDynamic(size))
        continue;
      if (ShapedType::isStatic(known) && known != size)
        return emitOpError("[M3] ") << name << " has " << size
                                    << " where another operand has " << known;
      known = size;
    }
  }
  return success();
}

LogicalResult MergeOp::reifyResultShapes(OpBuilder &builder,
                                         ReifiedRankedShapedTypeDims &reified) {
  return reifyFromInits(builder, *this, reified);
}
