//===- OffsetOperands.cpp - Shared by the ops with offsets ----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What attention and bias have in common.
//
//===----------------------------------------------------------------------===//

#include "OffsetOperands.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mlir::relattn;

std::optional<int64_t> relattn::getConstantQueryOffset(Value queryOffset) {
  if (!queryOffset)
    return 0;
  APInt value;
  if (queryOffset.getType().isIndex()) {
    if (matchPattern(queryOffset, m_ConstantInt(&value)))
      return value.getSExtValue();
    return std::nullopt;
  }
  DenseIntElementsAttr values;
  if (matchPattern(queryOffset, m_Constant(&values)) && values.isSplat())
    return values.getSplatValue<APInt>().getSExtValue();
  return std::nullopt;
}

LogicalResult relattn::verifyPerBatchType(Operation *op, StringRef label,
                                          StringRef name, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.getRank() == 1 &&
      (tensor.getElementType().isIndex() ||
       tensor.getElementType().isSignlessInteger(32) ||
       tensor.getElementType().isSignlessInteger(64)))
    return success();
  return op->emitOpError() << label << " expected " << name
                           << " to be a 1-D tensor of index, i32 or i64, got "
                           << type;
}

bool relattn::isKnownZero(Value tensor) {
  if (auto cast = tensor.getDefiningOp<tensor::CastOp>())
    return isKnownZero(cast.getSource());
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.value(), m_AnyZeroFloat());
  DenseFPElementsAttr values;
  if (!matchPattern(tensor, m_Constant(&values)))
    return false;
  return values.isSplat()
             ? values.getSplatValue<APFloat>().isZero()
             : llvm::all_of(values, [](APFloat v) { return v.isZero(); });
}

LogicalResult relattn::reifyFromInits(OpBuilder &builder,
                                      DestinationStyleOpInterface op,
                                      ReifiedRankedShapedTypeDims &reified) {
  for (OpOperand &init : op.getDpsInitsMutable())
    reified.push_back(tensor::getMixedSizes(builder, op.getLoc(), init.get()));
  return success();
}

/// Before:  %r = op outs(%init : tensor<?x?xf32>)
///          %s = tensor.cast %r : tensor<?x?xf32> to tensor<4x?xf32>
/// After:   %c = tensor.cast %init : tensor<?x?xf32> to tensor<4x?xf32>
///          %s = op outs(%c : tensor<4x?xf32>)
/// Not applied when the cast is not to a more static type, when the result has
/// other users (they would need a cast back), or when its sizes contradict the
/// other operands: such a program is wrong, but it must stay verifiable.
LogicalResult relattn::absorbResultCast(DestinationStyleOpInterface op,
                                        PatternRewriter &rewriter) {
  for (OpResult result : op->getResults()) {
    if (!result.hasOneUse())
      continue;
    auto cast = dyn_cast<tensor::CastOp>(*result.user_begin());
    if (!cast || !tensor::canFoldIntoProducerOp(cast))
      continue;
    auto type = dyn_cast<RankedTensorType>(cast.getType());
    if (!type)
      continue;
    OpOperand *init = op.getTiedOpOperand(result);
    Value oldInit = init->get();
    rewriter.setInsertionPoint(op);
    auto newInit =
        tensor::CastOp::create(rewriter, cast.getLoc(), type, oldInit);
    rewriter.startOpModification(op);
    init->set(newInit);
    result.setType(type);
    ScopedDiagnosticHandler quiet(op.getContext(),
                                  [](Diagnostic &) { return success(); });
    if (failed(mlir::verify(op, /*verifyRecursively=*/false))) {
      init->set(oldInit);
      result.setType(oldInit.getType());
      rewriter.cancelOpModification(op);
      rewriter.eraseOp(newInit);
      continue;
    }
    rewriter.finalizeOpModification(op);
    rewriter.replaceOp(cast, result);
    return success();
  }
  return failure();
}
