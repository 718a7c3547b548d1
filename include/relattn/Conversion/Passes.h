//===- Passes.h - relattn conversion passes ---------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions out of the relattn dialect, as passes and as patterns.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_CONVERSION_PASSES_H
#define RELATTN_CONVERSION_PASSES_H

#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
namespace affine {
class AffineDialect;
} // namespace affine
namespace arith {
class ArithDialect;
} // namespace arith
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace math {
class MathDialect;
} // namespace math
namespace scf {
class SCFDialect;
} // namespace scf
namespace tensor {
class TensorDialect;
} // namespace tensor
} // namespace mlir

namespace mlir::relattn {

#define GEN_PASS_DECL
#include "relattn/Conversion/Passes.h.inc"

/// The patterns of convert-relattn-to-linalg; see the pass.
void populateConvertRelAttnToLinalgPatterns(RewritePatternSet &patterns);

#define GEN_PASS_REGISTRATION
#include "relattn/Conversion/Passes.h.inc"

} // namespace mlir::relattn

#endif // RELATTN_CONVERSION_PASSES_H
