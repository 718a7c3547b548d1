//===- RelAttnTransformOps.cpp - relattn in transform scripts -------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rewrites of relattn as ops of the transform dialect.
//
//===----------------------------------------------------------------------===//

#include "relattn/TransformOps/RelAttnTransformOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Transform/IR/TransformDialect.h"
#include "relattn/Transforms/Passes.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "relattn/TransformOps/RelAttnTransformOps.cpp.inc"

void transform::ApplyFoldBiasIntoScoresPatternsOp::populatePatterns(
    RewritePatternSet &patterns) {
  relattn::populateFoldBiasIntoScoresPatterns(patterns);
}

void transform::ApplyRemoveScalingPatternsOp::populatePatterns(
    RewritePatternSet &patterns) {
  relattn::populateRemoveScalingPatterns(patterns, getAllowReassociation());
}

namespace {
struct RelAttnTransformExtension
    : public transform::TransformDialectExtension<RelAttnTransformExtension> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RelAttnTransformExtension)

  RelAttnTransformExtension() {
    // What the patterns create.
    declareGeneratedDialect<arith::ArithDialect>();
    declareGeneratedDialect<linalg::LinalgDialect>();
    declareGeneratedDialect<tensor::TensorDialect>();
    registerTransformOps<
#define GET_OP_LIST
#include "relattn/TransformOps/RelAttnTransformOps.cpp.inc"
        >();
  }
};
} // namespace

void relattn::registerTransformDialectExtension(DialectRegistry &registry) {
  registry.addExtensions<RelAttnTransformExtension>();
}
