//===- Passes.h - relattn transform passes ----------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that stay at their level.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TRANSFORMS_PASSES_H
#define RELATTN_TRANSFORMS_PASSES_H

#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"
#include <functional>

namespace mlir {
namespace arith {
class ArithDialect;
} // namespace arith
namespace bufferization {
class BufferizationDialect;
} // namespace bufferization
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace tensor {
class TensorDialect;
} // namespace tensor
} // namespace mlir

namespace mlir::relattn {

#define GEN_PASS_DECL
#include "relattn/Transforms/Passes.h.inc"

/// Called with each op that a rewrite is about to change.
using FoldObserver = std::function<void(Operation *)>;

/// The patterns of relattn-fold-bias-into-scores; see the pass.
void populateFoldBiasIntoScoresPatterns(RewritePatternSet &patterns,
                                        FoldObserver observer = {});

/// Called with each op that a rewrite is about to change, and what becomes of
/// its scale.
using ScalingObserver = std::function<void(Operation *, StringRef)>;

/// The patterns of relattn-remove-scaling; see the pass.
void populateRemoveScalingPatterns(RewritePatternSet &patterns,
                                   bool allowReassociation = false,
                                   ScalingObserver observer = {});

#define GEN_PASS_REGISTRATION
#include "relattn/Transforms/Passes.h.inc"

} // namespace mlir::relattn

#endif // RELATTN_TRANSFORMS_PASSES_H
