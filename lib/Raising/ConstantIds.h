//===- ConstantIds.h - Bucket ids that were folded ------------ -*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Frontends fold bucket chains of static lengths into constants.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_CONSTANTIDS_H
#define RELATTN_LIB_RAISING_CONSTANTIDS_H

#include "ElementExpr.h"

namespace mlir::relattn {

/// The element of a constant integer tensor, read at a query and a key, as the
/// element of a vector that is read at their offset; null if the constant
/// differs along a diagonal, or is none. A single query has no variable.
const Expr *readDiagonals(ExprContext &context, MLIRContext *mlirContext,
                          const Expr *leaf, std::optional<unsigned> query,
                          unsigned key);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_CONSTANTIDS_H
