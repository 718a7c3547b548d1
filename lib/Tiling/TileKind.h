//===- TileKind.h - What a linalg op on tiles is ----------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Level 3 is plain linalg; a discardable attribute says which step of the
// online softmax an op is, so that schedules need not guess.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_TILEKIND_H
#define RELATTN_LIB_TILING_TILEKIND_H

#include "mlir/IR/Operation.h"
#include <optional>

namespace mlir::relattn {

enum class TileKind {
  Pack,        ///< Between memory and a panel, or a block of keys.
  Copy,        ///< A block of keys, row by row.
  Fill,        ///< A panel of one number.
  FillPanels,  ///< Several of them.
  Row,         ///< One number for each query.
  Bias,        ///< The initial accumulator of the scores.
  Scores,      ///< The product of keys and queries.
  Mask,        ///< Addition of a dense bias or mask.
  Maximum,     ///< The running maximum.
  Exp,         ///< Weights and their sum.
  Dots,        ///< Partial sums of the products of keys and one query.
  DotsZero,    ///< Their initial accumulator.
  DotsSum,     ///< The scores of one query, from them.
  RowValues,   ///< The product of values and one query's weights.
  Zero,        ///< The initial accumulator of the value product.
  Values,      ///< The product of values and weights.
  Rescale,     ///< out * scale, or out * scale + product.
  RareRescale, ///< out * scale, which is mostly 1.
  Split,       ///< Numbers as pairs of bf16.
  ExpSplit,    ///< Weights in pairs and their sum.
  PairBias,    ///< The initial accumulator of scores in pairs.
  PairScores,  ///< The product of keys and queries in pairs.
  PairValues   ///< That of values and weights.
};

void setTileKind(Operation *op, TileKind kind);
std::optional<TileKind> getTileKind(Operation *op);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_TILEKIND_H
