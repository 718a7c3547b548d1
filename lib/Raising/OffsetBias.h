//===- OffsetBias.h - A bias that is a function of the offset ---*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decides whether an expression over a query and a key position depends on
// their difference alone, and which scheme says so.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_OFFSETBIAS_H
#define RELATTN_LIB_RAISING_OFFSETBIAS_H

#include "Mismatch.h"
#include "OffsetRange.h"
#include "mlir/IR/PatternMatch.h"
#include "relattn/IR/RelAttn.h"

namespace mlir::relattn {

/// A bias of the head and the offset, found without changing anything.
struct OffsetBias {
  BiasSchemeAttrInterface scheme;
  /// Element `row` of the operand of the scheme, for the heads' variables; the
  /// place in the strip for `#relattn.strip`.
  const Expr *operand = nullptr;
  unsigned row = 0;
  std::optional<int64_t> rows;
  /// The variables of the heads that the operand depends on.
  SmallVector<unsigned, 2> heads;
  /// offset = key - (query + queryOffset); over symbols.
  Linear queryOffset;
  /// For `#relattn.strip`: where offset 0 lies, when M is static.
  std::optional<int64_t> zero;
  /// Whether no assertion of the program can fail.
  bool isInBounds = true;
};

/// Analyses `expr` over the positions `query` and `key` (variables). A single
/// query has no variable; its position is 0. Gives the reason if it is none.
std::optional<OffsetBias> analyzeOffsetBias(ExprContext &context,
                                            MLIRContext *mlirContext,
                                            const Expr *expr,
                                            std::optional<unsigned> query,
                                            unsigned key, Mismatch &refusal);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_OFFSETBIAS_H
