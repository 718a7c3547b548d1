//===- OffsetRange.h - Expressions over ranges of the offset ----*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bucket chains are evaluated, not recognised: over a range of offsets at once,
// each operation in its own type and rounding. A range whose result is one
// number is a step; any other is split. Chains are monotone in pieces and
// rounding is monotone, so the steps come out exactly, and what holds beyond
// every length is proved rather than sampled.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_OFFSETRANGE_H
#define RELATTN_LIB_RAISING_OFFSETRANGE_H

#include "ElementExpr.h"

namespace mlir::relattn {

/// All values of an expression over a range of offsets.
struct ValueRange1 {
  bool isFloat = false;
  /// Integers and booleans.
  int64_t low = 0, high = 0;
  /// Floats; a NaN may be among them.
  double floatLow = 0, floatHigh = 0;
  bool mayBeNaN = false;

  bool isSingle() const {
    return isFloat ? floatLow == floatHigh && !mayBeNaN : low == high;
  }
};

/// Evaluates `expr`, which depends on the variable `offset` alone, over offsets
/// in [low, high]. Logarithms are rounded correctly, then moved by `logUlps`
/// units in the last place.
ValueRange1 evaluateRange(const Expr *expr, unsigned offset, int64_t low,
                          int64_t high, int logUlps = 0);

/// Whether `expr` is in [0, limit) at all offsets in [low, high]; proved by
/// splitting.
bool isInside(const Expr *expr, unsigned offset, int64_t low, int64_t high,
              int64_t limit);

/// A piecewise constant function: `ids[k]` holds from `starts[k]` (the first is
/// -kMaxOffset) to the next start.
struct Pieces {
  SmallVector<int64_t> starts;
  SmallVector<int64_t> ids;
};

/// The steps of the integer `expr` over the offsets in [low, high]; the ends
/// hold beyond. Values outside [0, limit) are undefined behaviour in the
/// program (a read out of bounds) and take the value of a neighbour. None if
/// there are more than `maxPieces`.
std::optional<Pieces> findPieces(const Expr *expr, unsigned offset,
                                 int64_t limit, int logUlps, unsigned maxPieces,
                                 int64_t low = -kMaxOffset,
                                 int64_t high = kMaxOffset);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_OFFSETRANGE_H
