//===- RaisedBias.h - Operands of raised biases -----------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What both raising passes build from an OffsetBias.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_RAISEDBIAS_H
#define RELATTN_LIB_RAISING_RAISEDBIAS_H

#include "OffsetBias.h"

namespace mlir::relattn {

/// The operand of the bias's scheme: [rows, H] for the heads' variables (H is
/// their product, in this order), or [rows] if the bias depends on none.
Value buildTable(OpBuilder &builder, Location loc, ExprContext &context,
                 const OffsetBias &bias, ArrayRef<unsigned> heads);

/// Erases those of the ops, whose assertions are proved, that nothing reads any
/// more, and what only they read.
void eraseUnread(const llvm::SetVector<Operation *> &proven);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_RAISEDBIAS_H
