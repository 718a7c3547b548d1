//===- StepFunction.h - Bucketings as step functions ------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A bucketing is a step function of the offset (key position minus query
// position): half-open intervals, the outer two unbounded, each with a bucket.
// Everything else about a bucketing is derived from the intervals. They are
// computed in exact arithmetic, so no logarithm exists at run time and no
// rounding of one decides a bucket.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_BUCKETING_STEPFUNCTION_H
#define RELATTN_BUCKETING_STEPFUNCTION_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>

namespace mlir::relattn {

/// offset -> bucket. `getIds()[k]` is the bucket of the offsets in
/// `[getStarts()[k - 1], getStarts()[k])`, where `getStarts()[-1]` is minus
/// infinity and the one past the last is infinity. Neighbouring intervals have
/// different buckets.
class StepFunction {
public:
  /// Limits of the parameters, enforced by the `check` functions.
  static constexpr int64_t kMaxT5Buckets = 65536;
  static constexpr int64_t kMaxT5Distance = 2147483647;
  static constexpr int64_t kMaxBuckets = int64_t(1) << 24;

  /// T5 (Raffel et al. 2020). With b = numBuckets per direction (half of them
  /// when bidirectional), e = b / 2 (rounded down) and the distance n:
  ///   n < e:  n
  ///   else:   min(b - 1, e + floor(log(n/e) / log(maxDistance/e) * (b - e)))
  /// Bidirectional: n = |offset|, and b is added when offset > 0.
  /// One-sided: n = max(0, -offset). Evaluated in exact integer arithmetic.
  static llvm::Error checkT5(int64_t numBuckets, int64_t maxDistance,
                             bool bidirectional);
  static StepFunction getT5(int64_t numBuckets, int64_t maxDistance,
                            bool bidirectional);

  /// The formula of "Foundations of Large Language Models" (Xiao and Zhu 2025)
  /// with its own parameters: buckets 0..numBuckets of the distance i - j.
  /// It is one-sided T5 with numBuckets + 1 buckets; numBuckets must be odd.
  static llvm::Error checkTextbook(int64_t numBuckets, int64_t maxDistance);
  static StepFunction getTextbook(int64_t numBuckets, int64_t maxDistance);

  /// clamp(offset, lo, hi) - lo (Shaw et al. 2018).
  static llvm::Error checkClip(int64_t lo, int64_t hi);
  static StepFunction getClip(int64_t lo, int64_t hi);

  /// An explicit list; see the class comment. `starts` increase strictly,
  /// `ids` has one entry more, each in [0, numBuckets).
  static llvm::Error checkSteps(int64_t numBuckets,
                                llvm::ArrayRef<int64_t> starts,
                                llvm::ArrayRef<int64_t> ids);
  static StepFunction getSteps(int64_t numBuckets,
                               llvm::ArrayRef<int64_t> starts,
                               llvm::ArrayRef<int64_t> ids);

  /// The bucket of `offset`: a binary search.
  int64_t evaluate(int64_t offset) const;

  llvm::ArrayRef<int64_t> getStarts() const { return starts; }
  llvm::ArrayRef<int64_t> getIds() const { return ids; }

  /// The number of rows of a table, used or not.
  int64_t getNumBuckets() const { return numBuckets; }

  /// The largest offset of the unbounded interval on the left, and the
  /// smallest one of that on the right: beyond them the function is constant.
  /// None if it is constant everywhere.
  std::optional<int64_t> getLowSaturation() const;
  std::optional<int64_t> getHighSaturation() const;

private:
  explicit StepFunction(int64_t numBuckets) : numBuckets(numBuckets) {}

  /// Appends the interval that begins at `start`, merged with its predecessor
  /// where that is empty or has the same bucket. The first call gives the
  /// interval from minus infinity and ignores `start`.
  void append(int64_t start, int64_t id);

  llvm::SmallVector<int64_t> starts;
  llvm::SmallVector<int64_t> ids;
  int64_t numBuckets;
};

} // namespace mlir::relattn

#endif // RELATTN_BUCKETING_STEPFUNCTION_H
