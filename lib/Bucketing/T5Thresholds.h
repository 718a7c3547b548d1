//===- T5Thresholds.h - Exact logarithmic thresholds ------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one piece of T5's bucket function that a float logarithm gets wrong.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_BUCKETING_T5THRESHOLDS_H
#define RELATTN_LIB_BUCKETING_T5THRESHOLDS_H

#include <cstdint>

namespace mlir::relattn::detail {

/// The smallest distance n with
///   log(n/maxExact) / log(maxDistance/maxExact) * numLog >= k,
/// that is, n^numLog >= maxDistance^k * maxExact^(numLog - k), for
/// 0 < maxExact < maxDistance < 2^31 and 0 < k < numLog.
int64_t computeT5Threshold(int64_t maxExact, int64_t maxDistance,
                           int64_t numLog, int64_t k);

} // namespace mlir::relattn::detail

#endif // RELATTN_LIB_BUCKETING_T5THRESHOLDS_H
