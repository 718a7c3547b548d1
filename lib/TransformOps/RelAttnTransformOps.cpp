//===- RelAttnTransformOps.cpp - relattn in transform scripts -------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rewrites of relattn as ops of the transform dialect.
//
//===----------------------------------------------------------------------===//

#include "relattn/TransformOps/RelAttnTransformOps.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Transform/IR/TransformDialect.h"
#include "relattn/Tiling/Transforms.h"
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

//===----------------------------------------------------------------------===//
// Tiling
//===----------------------------------------------------------------------===//

DiagnosedSilenceableFailure
transform::TileAttentionOp::apply(TransformRewriter &rewriter,
                                  TransformResults &results,
                                  TransformState &state) {
  relattn::AttentionTileOptions options;
  options.lanes = getLanes();
  options.panels = getPanels();
  options.keys = getKeys();
  options.rows = getRows();
  options.rowKeys = getRowKeys();
  options.workers = getWorkers();
  options.dynamicRows = getDynamicRows();
  options.workgroups = getWorkgroups();
  options.matrixUnits = getMatrixUnits();
  options.weightParts = getWeightParts();
  options.prefetch = getPrefetch();
  options.sharedBytes = getSharedBytes();
  SmallVector<Operation *> targets =
      llvm::to_vector(state.getPayloadOps(getTarget()));
  for (Operation *target : targets) {
    auto op = dyn_cast<relattn::AttentionOp>(target);
    if (!op)
      return emitDefiniteFailure("expected relattn.attention, got ")
             << target->getName();
    if (StringRef obstacle = relattn::getTilingObstacle(op, options.workgroups);
        !obstacle.empty())
      return emitSilenceableError() << "cannot tile: " << obstacle;
  }
  SmallVector<Operation *> loops;
  for (Operation *target : targets)
    llvm::append_range(
        loops, *relattn::tileAttention(
                   rewriter, cast<relattn::AttentionOp>(target), options));
  results.set(cast<OpResult>(getLoops()), loops);
  return DiagnosedSilenceableFailure::success();
}

void transform::TileAttentionOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  consumesHandle(getTargetMutable(), effects);
  producesHandle(getOperation()->getOpResults(), effects);
  modifiesPayload(effects);
}

DiagnosedSilenceableFailure
transform::DecomposeAttentionOp::apply(TransformRewriter &rewriter,
                                       TransformResults &results,
                                       TransformState &state) {
  SmallVector<Operation *> targets =
      llvm::to_vector(state.getPayloadOps(getTarget()));
  for (Operation *target : targets)
    if (!isa<relattn::OnlineAttentionOp, relattn::MergeOp>(target))
      return emitDefiniteFailure(
                 "expected relattn.online_attention or relattn.merge, got ")
             << target->getName();
  for (Operation *target : targets) {
    if (auto merge = dyn_cast<relattn::MergeOp>(target))
      relattn::decomposeMerge(rewriter, merge);
    else
      relattn::decomposeAttention(
          rewriter, cast<relattn::OnlineAttentionOp>(target), getWorkgroups());
  }
  return DiagnosedSilenceableFailure::success();
}

void transform::DecomposeAttentionOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  consumesHandle(getTargetMutable(), effects);
  modifiesPayload(effects);
}

namespace {
struct RelAttnTransformExtension
    : public transform::TransformDialectExtension<RelAttnTransformExtension> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RelAttnTransformExtension)

  RelAttnTransformExtension() {
    // What they create.
    declareGeneratedDialect<affine::AffineDialect>();
    declareGeneratedDialect<arith::ArithDialect>();
    declareGeneratedDialect<bufferization::BufferizationDialect>();
    declareGeneratedDialect<linalg::LinalgDialect>();
    declareGeneratedDialect<math::MathDialect>();
    declareGeneratedDialect<relattn::RelAttnDialect>();
    declareGeneratedDialect<scf::SCFDialect>();
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
