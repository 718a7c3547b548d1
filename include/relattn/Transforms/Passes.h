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

#include "mlir/Pass/Pass.h"

namespace mlir::bufferization {
class BufferizationDialect;
} // namespace mlir::bufferization

namespace mlir::relattn {

#define GEN_PASS_DECL
#include "relattn/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "relattn/Transforms/Passes.h.inc"

} // namespace mlir::relattn

#endif // RELATTN_TRANSFORMS_PASSES_H
