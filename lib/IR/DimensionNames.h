//===- DimensionNames.h - (b, g, r, m, n, d, e) in assembly -----*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Maps over attention's iteration space are stored as affine maps and written
// with the names of its dimensions: `(b, m, g, d)`.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_IR_DIMENSIONNAMES_H
#define RELATTN_LIB_IR_DIMENSIONNAMES_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/OpImplementation.h"

namespace mlir::relattn {

/// The names, in the order of AttentionOp::Dimension.
inline constexpr llvm::StringLiteral kDimensionNames[] = {"b", "g", "r", "m",
                                                          "n", "d", "e"};

/// Whether `map` can be written with names: a projected permutation of the
/// seven dimensions.
bool isNameable(AffineMap map);

/// `(` name (`,` name)* `)`
ParseResult parseDimensionNames(AsmParser &parser, AffineMap &map);
void printDimensionNames(AsmPrinter &printer, AffineMap map);

} // namespace mlir::relattn

#endif // RELATTN_LIB_IR_DIMENSIONNAMES_H
