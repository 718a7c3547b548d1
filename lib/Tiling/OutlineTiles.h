//===- OutlineTiles.h - Functions of register tiles -------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How tiles are known.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_OUTLINETILES_H
#define RELATTN_LIB_TILING_OUTLINETILES_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringRef.h"

namespace mlir::relattn {

/// What the names of outlined functions start with.
constexpr llvm::StringLiteral kOutlinedTile = "relattn_tile";

/// The loop that carries the accumulators of a product, if it is around it and
/// nothing else is between; null where there is a single key or d.
inline scf::ForOp getReduction(vector::ContractionOp product) {
  auto loop = dyn_cast<scf::ForOp>(product->getParentOp());
  if (!loop ||
      !llvm::is_contained(loop.getResultTypes(), product.getResultType()))
    return {};
  return loop;
}

/// Turns a loop into the call of a function of its own, which is not inlined.
LogicalResult outlineTile(RewriterBase &rewriter, SymbolTable &symbols,
                          scf::ForOp loop);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_OUTLINETILES_H
