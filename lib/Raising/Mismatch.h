//===- Mismatch.h - Why something is not raised -----------------*- C++ -*-===//
//-*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reason and the op of a missed remark.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_MISMATCH_H
#define RELATTN_LIB_RAISING_MISMATCH_H

#include "ElementExpr.h"

namespace mlir::relattn {

/// Why an expression is not what is looked for: the guard, and the op of the
/// program that breaks it.
struct Mismatch {
  StringRef reason;
  Operation *op = nullptr;

  explicit operator bool() const { return !reason.empty(); }

  /// `newReason` must be a literal.
  void set(StringRef newReason, Operation *newOp) {
    reason = newReason;
    op = newOp;
  }
  /// At the op that computes or produces `expr`. What has none (an argument, a
  /// number, a position) leaves the remark at the op that was looked at.
  void set(StringRef newReason, const Expr *expr) {
    set(newReason, expr->kind == Expr::Kind::Element && expr->tensor
                       ? expr->tensor.getDefiningOp()
                       : expr->op);
  }
};

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_MISMATCH_H
