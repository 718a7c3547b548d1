//===- BiasOps.cpp - relattn.bias_strip and relattn.bias ------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers and canonicalisations.
//
//===----------------------------------------------------------------------===//

#include "OffsetOperands.h"
#include "mlir/IR/Matchers.h"
#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;

/// C2 of both ops.
static LogicalResult verifyBiasElementType(Operation *op, Type bias,
                                           Type result) {
  bias = getElementTypeOrSelf(bias);
  result = getElementTypeOrSelf(result);
  if (!isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(bias))
    return op->emitOpError("[C2] expected a bias of f16, bf16, f32 or f64, "
                           "got ")
           << bias;
  Type accumulator = AttentionOp::getAccumulatorType(bias);
  if (result == bias || result == accumulator)
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError("[C2] expected a result of ")
                                  << bias;
  if (bias != accumulator)
    diagnostic << " or " << accumulator;
  return diagnostic << ", got " << result;
}

//===----------------------------------------------------------------------===//
// BiasStripOp
//===----------------------------------------------------------------------===//

LogicalResult BiasStripOp::verify() {
  BiasSchemeAttrInterface scheme = getScheme();
  if (!scheme.isOffsetFunction() || scheme.needsZero())
    return emitOpError("[C1] expected a function of the offset other than a "
                       "strip, got ")
           << scheme;
  auto biasType = cast<RankedTensorType>(getBias().getType());
  auto resultType = cast<RankedTensorType>(getInit().getType());
  if (failed(verifyBiasElementType(*this, biasType, resultType)))
    return failure();
  int64_t rank = resultType.getRank();
  if (rank != 1 && rank != 2)
    return emitOpError("[C3] expected a result [H, L] or [L], got rank ")
           << rank;
  if (rank == 1 && !scheme.isSharedByHeads(biasType))
    return emitOpError("[C3] a result [L] needs a table [num_buckets] that "
                       "the heads share");
  int64_t heads = rank == 2 ? resultType.getDimSize(0) : ShapedType::kDynamic;
  return scheme.verifyBiasType([&]() { return emitOpError("[C3] "); }, biasType,
                               heads);
}

LogicalResult
BiasStripOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  return reifyFromInits(builder, *this, reified);
}

void BiasStripOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<AbsorbResultCast<BiasStripOp>>(context);
}

//===----------------------------------------------------------------------===//
// BiasOp
//===----------------------------------------------------------------------===//

LogicalResult BiasOp::verify() {
  BiasSchemeAttrInterface scheme = getScheme();
  if (!scheme.isOffsetFunction())
    return emitOpError("[C1] expected a function of the offset, got ")
           << scheme;
  auto biasType = cast<RankedTensorType>(getBias().getType());
  auto resultType = cast<RankedTensorType>(getInit().getType());
  if (failed(verifyBiasElementType(*this, biasType, resultType)))
    return failure();
  int64_t rank = resultType.getRank();
  if (rank != 3 && rank != 4)
    return emitOpError("[C3] expected a result [H, M, N] or [B, H, M, N], got "
                       "rank ")
           << rank;
  if (failed(scheme.verifyBiasType([&]() { return emitOpError("[C3] "); },
                                   biasType, resultType.getDimSize(rank - 3))))
    return failure();
  if (bool(getZero()) != scheme.needsZero())
    return emitOpError("[C4] ")
           << (getZero() ? "has a zero operand that no scheme needs"
                         : "the scheme needs a zero operand");
  if (!getQueryOffset() || getQueryOffset().getType().isIndex())
    return success();
  if (failed(verifyPerBatchType(*this, "[C5]", "query_offset",
                                getQueryOffset().getType())))
    return failure();
  if (rank != 4)
    return emitOpError("[C5] query_offset has one entry per batch entry but "
                       "the result has no B");
  int64_t entries =
      cast<RankedTensorType>(getQueryOffset().getType()).getDimSize(0);
  int64_t batch = resultType.getDimSize(0);
  if (!ShapedType::isDynamic(entries) && !ShapedType::isDynamic(batch) &&
      entries != batch)
    return emitOpError("[C5] query_offset has ")
           << entries << " entries but B is " << batch;
  return success();
}

LogicalResult BiasOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &reified) {
  return reifyFromInits(builder, *this, reified);
}

void BiasOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<AbsorbResultCast<BiasOp>>(context);
}
