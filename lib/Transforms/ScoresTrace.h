//===- ScoresTrace.h - From an elementwise op to its contraction -*- C++ -*-==//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the two rewrites of plain linalg share: finding the contraction behind
// an operand, the moves (reshapes, transposes, casts of the shape) between, and
// what the body of the op does first with the scores.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TRANSFORMS_SCORESTRACE_H
#define RELATTN_LIB_TRANSFORMS_SCORESTRACE_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include <optional>
#include <string>

namespace mlir::relattn {

/// Why a rewrite does not apply. Empty: the op is no candidate at all, and
/// nothing need be said.
using Refusal = std::string;

/// A contraction and the moves from its result to a value, in program order.
struct ScoresTrace {
  linalg::LinalgOp contraction;
  SmallVector<Operation *> moves;

  // Interface methods are not const, and an op is a handle.
  linalg::LinalgOp getContraction() const { return contraction; }
  Value getResult() const { return getContraction()->getResult(0); }
};

/// Follows `value` through tensor.expand_shape, collapse_shape, cast and
/// linalg.transpose to a contraction (sums of products, of real numbers). It is
/// on tensors alone, as is a linalg op that reads `value`: linalg's verifier
/// allows no mixture with buffers.
std::optional<ScoresTrace> traceScores(Value value);

/// Whether `value` is a contraction's result in another element type, converted
/// by an op of its own.
bool isConvertedScores(Value value);

/// Whether `op` sums products of floats.
bool isFloatContraction(linalg::LinalgOp op);

/// The guards that every rewrite of a contraction behind `scores` shares. Gives
/// the reason against it, or an empty string. The contraction may stand in
/// another block only where it stays there.
Refusal checkTrace(const ScoresTrace &trace, OpOperand &scores,
                   bool staysInBlock = false);

/// Whether the contraction starts from zeros, of either sign: adding them
/// changes no value (at most the sign of a zero).
bool startsAtZero(linalg::LinalgOp contraction);

/// The moves again, on another value.
Value replayMoves(RewriterBase &rewriter, ArrayRef<Operation *> moves,
                  Value value);

/// The additions that `scores` (a block argument) goes through first, each with
/// one use: ((scores + leaf) + leaf) + ...
struct AdditionChain {
  SmallVector<Operation *> additions;
  SmallVector<Value> leaves;

  /// What the chain computes; the scores themselves if it is empty.
  Value getResult(BlockArgument scores) const {
    return additions.empty() ? Value(scores) : additions.back()->getResult(0);
  }
};
AdditionChain followAdditions(BlockArgument scores);

/// The ops of the block that `values` need, in order. Fails if one has a side
/// effect.
LogicalResult getBodySlice(ArrayRef<Value> values, Block *body,
                           SmallVectorImpl<Operation *> &slice);

/// One line for a remark: passed or missed, at `op`, in category `relattn`.
void emitPassedRemark(Operation *op, StringRef rewrite, StringRef text);
void emitMissedRemark(Operation *op, StringRef rewrite, StringRef reason);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TRANSFORMS_SCORESTRACE_H
