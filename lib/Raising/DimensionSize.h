//===- DimensionSize.h - What decides a size ------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Frontends compute sizes; two are the same if what decides them is.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_DIMENSIONSIZE_H
#define RELATTN_LIB_RAISING_DIMENSIONSIZE_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"

namespace mlir::relattn {

/// The size of a dimension: a number, a dimension of another tensor, or a
/// scalar.
struct DimensionSize {
  int64_t number = ShapedType::kDynamic;
  Value source;
  int64_t dim = -1;

  bool operator==(const DimensionSize &other) const {
    return number == other.number && source == other.source && dim == other.dim;
  }
};

/// The size that an integer scalar is.
DimensionSize traceSize(OpFoldResult size);

/// The size of a dimension, back to what decides it: through destinations,
/// reshapes, casts and tensor.empty.
DimensionSize traceSize(Value tensor, int64_t dim);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_DIMENSIONSIZE_H
