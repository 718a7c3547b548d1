//===- Passes.h - relattn raising passes ----------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From what frontends emit to relattn's own ops.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_RAISING_PASSES_H
#define RELATTN_RAISING_PASSES_H

#include "mlir/Pass/Pass.h"
#include "relattn/IR/RelAttn.h"

namespace mlir {
namespace arith {
class ArithDialect;
} // namespace arith
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace tensor {
class TensorDialect;
} // namespace tensor
} // namespace mlir

namespace mlir::relattn {

#define GEN_PASS_DECL
#include "relattn/Raising/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "relattn/Raising/Passes.h.inc"

} // namespace mlir::relattn

#endif // RELATTN_RAISING_PASSES_H
