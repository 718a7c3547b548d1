//===- OpaqueIndices.h - Indices without known bounds -----------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether two subsets of a tensor are the same one asks upstream of the bounds
// of their offsets and sizes (ValueBoundsConstraintSet): for each pair a system
// of inequalities of all that the indices are computed from, solved anew for
// each inequality, also where both indices are one value (0.3 ms each;
// test/Benchmark/results.md). In the loops of workers equal indices are one
// value, and nothing else is known about them that would tell subsets apart.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_OPAQUEINDICES_H
#define RELATTN_LIB_TILING_OPAQUEINDICES_H

#include "mlir/IR/Operation.h"

namespace mlir::relattn {

/// Hides how the indices of subsets are computed, by two casts each, in each
/// `scf.forall` with exponentials of ours (createBoundedExp).
void hideIndices(Operation *root);

/// Removes these casts.
void showIndices(Operation *root);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_OPAQUEINDICES_H
