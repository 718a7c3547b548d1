//===- PrefetchOp.cpp - relattn.prefetch ----------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifier and bufferisation.
//
//===----------------------------------------------------------------------===//

#include "relattn/IR/RelAttn.h"

using namespace mlir;
using namespace mlir::relattn;
using namespace mlir::bufferization;

LogicalResult PrefetchOp::verify() {
  auto type = cast<ShapedType>(getRows().getType());
  if (type.getRank() != 2 || type.isDynamicDim(1))
    return emitOpError("[P1] expected rows of rank 2 with a static number of "
                       "columns, got ")
           << type;
  return success();
}

bool PrefetchOp::bufferizesToMemoryRead(OpOperand &, const AnalysisState &) {
  return false;
}

bool PrefetchOp::bufferizesToMemoryWrite(OpOperand &, const AnalysisState &) {
  return false;
}

AliasingValueList PrefetchOp::getAliasingValues(OpOperand &,
                                                const AnalysisState &) {
  return {};
}

LogicalResult PrefetchOp::bufferize(RewriterBase &rewriter,
                                    const BufferizationOptions &options,
                                    BufferizationState &state) {
  FailureOr<Value> buffer = getBuffer(rewriter, getRows(), options, state);
  if (failed(buffer))
    return failure();
  replaceOpWithNewBufferizedOp<PrefetchOp>(rewriter, *this, *buffer,
                                           getWrite());
  return success();
}
