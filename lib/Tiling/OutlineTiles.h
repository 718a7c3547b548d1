//===- OutlineTiles.h - Functions of register tiles -------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How an outlined tile is known.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_OUTLINETILES_H
#define RELATTN_LIB_TILING_OUTLINETILES_H

#include "llvm/ADT/StringRef.h"

namespace mlir::relattn {

/// What the names of outlined functions start with.
constexpr llvm::StringLiteral kOutlinedTile = "relattn_tile";

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_OUTLINETILES_H
