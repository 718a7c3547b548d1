//===- ConvertRelAttnToLinalg.cpp - relattn to linalg ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pass; its patterns stand in the other files of this folder.
//
//===----------------------------------------------------------------------===//

#include "LoweringUtils.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "relattn/Conversion/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_CONVERTRELATTNTOLINALG
#include "relattn/Conversion/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

void relattn::populateConvertRelAttnToLinalgPatterns(
    RewritePatternSet &patterns) {
  populateBiasToLinalgPatterns(patterns);
  populateAttentionBatchLoopPatterns(patterns);
  populateAttentionToLinalgPatterns(patterns);
}

namespace {
struct ConvertRelAttnToLinalg
    : public relattn::impl::ConvertRelAttnToLinalgBase<ConvertRelAttnToLinalg> {
  void runOnOperation() override {
    // A prefetch stays: a hint that bufferises.
    auto isConverted = [](Operation *op) {
      return isa_and_present<RelAttnDialect>(op->getDialect()) &&
             !isa<PrefetchOp>(op);
    };
    RewritePatternSet patterns(&getContext());
    populateConvertRelAttnToLinalgPatterns(patterns);
    FrozenRewritePatternSet frozen(std::move(patterns));
    // Each op is converted once and its replacement is never matched again,
    // but for the attention that the batch loop leaves: two walks.
    for (int walk = 0; walk < 2; ++walk) {
      getOperation()->walk(
          [&](Operation *op) { numConverted += isConverted(op); });
      walkAndApplyPatterns(getOperation(), frozen);
    }
    getOperation()->walk([&](Operation *op) {
      if (!isConverted(op))
        return;
      op->emitOpError("has no lowering to linalg");
      signalPassFailure();
    });
  }
};
} // namespace
