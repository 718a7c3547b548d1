//===- RelAttnTransformOps.h - relattn in transform scripts -----*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rewrites of relattn as ops of the transform dialect.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TRANSFORMOPS_RELATTNTRANSFORMOPS_H
#define RELATTN_TRANSFORMOPS_RELATTNTRANSFORMOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Transform/Interfaces/TransformInterfaces.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "relattn/TransformOps/RelAttnTransformOps.h.inc"

namespace mlir::relattn {

/// Adds the ops to the transform dialect of every context made from `registry`.
void registerTransformDialectExtension(DialectRegistry &registry);

} // namespace mlir::relattn

#endif // RELATTN_TRANSFORMOPS_RELATTNTRANSFORMOPS_H
