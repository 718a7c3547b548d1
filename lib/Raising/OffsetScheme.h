//===- OffsetScheme.h - Schemes of step functions ------------- -*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Clip, T5 or steps: what agrees with the rows that a chain gives.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_OFFSETSCHEME_H
#define RELATTN_LIB_RAISING_OFFSETSCHEME_H

#include "OffsetRange.h"
#include "relattn/IR/RelAttn.h"

namespace mlir::relattn {

/// The scheme over a table of `rows` that says best the pieces, which hold over
/// the offsets [low, high].
BiasSchemeAttrInterface findScheme(MLIRContext *context, const Pieces &pieces,
                                   int64_t rows, int64_t low, int64_t high);

/// The scheme of -offset, or null.
BiasSchemeAttrInterface reverseScheme(BiasSchemeAttrInterface scheme);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_OFFSETSCHEME_H
