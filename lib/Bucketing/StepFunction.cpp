//===- StepFunction.cpp - Bucketings as step functions --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The intervals of each scheme, and the rules for its parameters.
//
//===----------------------------------------------------------------------===//

#include "relattn/Bucketing/StepFunction.h"
#include "T5Thresholds.h"
#include "llvm/ADT/STLExtras.h"
#include <limits>

using namespace llvm;
using namespace mlir::relattn;

template <typename... Ts>
static Error makeError(const char *format, const Ts &...values) {
  return createStringError(inconvertibleErrorCode(), format, values...);
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

void StepFunction::append(int64_t start, int64_t id) {
  if (ids.empty()) {
    ids.push_back(id);
    return;
  }
  // An empty predecessor: two thresholds fell on one offset.
  if (!starts.empty() && starts.back() == start) {
    starts.pop_back();
    ids.pop_back();
  }
  if (ids.back() == id)
    return;
  starts.push_back(start);
  ids.push_back(id);
}

int64_t StepFunction::evaluate(int64_t offset) const {
  return ids[upper_bound(starts, offset) - starts.begin()];
}

std::optional<int64_t> StepFunction::getLowSaturation() const {
  if (starts.empty())
    return std::nullopt;
  return starts.front() - 1;
}

std::optional<int64_t> StepFunction::getHighSaturation() const {
  if (starts.empty())
    return std::nullopt;
  return starts.back();
}

//===----------------------------------------------------------------------===//
// T5
//===----------------------------------------------------------------------===//

Error StepFunction::checkT5(int64_t numBuckets, int64_t maxDistance,
                            bool bidirectional) {
  int64_t least = bidirectional ? 4 : 2;
  if (numBuckets < least || numBuckets > kMaxT5Buckets)
    return makeError("buckets must be in [%lld, %lld] when %s, got %lld",
                     (long long)least, (long long)kMaxT5Buckets,
                     bidirectional ? "bidirectional" : "one-sided",
                     (long long)numBuckets);
  if (bidirectional && numBuckets % 2 != 0)
    return makeError("buckets must be even when bidirectional, got %lld",
                     (long long)numBuckets);
  int64_t maxExact = (bidirectional ? numBuckets / 2 : numBuckets) / 2;
  if (maxDistance <= maxExact || maxDistance > kMaxT5Distance)
    return makeError("max_distance must be in [%lld, %lld], above the %lld "
                     "exact buckets of a direction, got %lld",
                     (long long)(maxExact + 1), (long long)kMaxT5Distance,
                     (long long)maxExact, (long long)maxDistance);
  return Error::success();
}

/// (first distance, bucket) in increasing order of the distance, for one
/// direction with `numBuckets` buckets.
static SmallVector<std::pair<int64_t, int64_t>>
getT5Distances(int64_t numBuckets, int64_t maxDistance) {
  SmallVector<std::pair<int64_t, int64_t>> result;
  int64_t maxExact = numBuckets / 2;
  for (int64_t n = 0; n <= maxExact; ++n)
    result.emplace_back(n, n);
  int64_t numLog = numBuckets - maxExact;
  for (int64_t k = 1; k < numLog; ++k) {
    int64_t first = mlir::relattn::detail::computeT5Threshold(
        maxExact, maxDistance, numLog, k);
    // A bucket that begins where the next one does is empty.
    if (result.back().first == first)
      result.back().second = maxExact + k;
    else
      result.emplace_back(first, maxExact + k);
  }
  return result;
}

StepFunction StepFunction::getT5(int64_t numBuckets, int64_t maxDistance,
                                 bool bidirectional) {
  cantFail(checkT5(numBuckets, maxDistance, bidirectional));
  StepFunction result(numBuckets);
  int64_t perDirection = bidirectional ? numBuckets / 2 : numBuckets;
  auto distances = getT5Distances(perDirection, maxDistance);

  // Keys at or before the query: distance -offset, so the last bucket first.
  // A bucket of the distances [n, next) holds the offsets (-next, -n].
  int64_t start = std::numeric_limits<int64_t>::min();
  for (auto [first, bucket] : reverse(distances)) {
    result.append(start, bucket);
    start = -first + 1;
  }
  // Later keys: the same with the buckets of the other half; distance 0, which
  // the first entry begins with, does not occur here. One-sided, they all
  // share bucket 0, which goes on to infinity.
  if (bidirectional)
    for (auto [first, bucket] : distances)
      result.append(std::max<int64_t>(first, 1), perDirection + bucket);
  return result;
}

//===----------------------------------------------------------------------===//
// The textbook's formula, clipping, explicit steps
//===----------------------------------------------------------------------===//

Error StepFunction::checkTextbook(int64_t numBuckets, int64_t maxDistance) {
  if (numBuckets < 1 || numBuckets % 2 == 0 || numBuckets >= kMaxT5Buckets)
    return makeError("the textbook's number of buckets must be odd and in "
                     "[1, %lld], got %lld",
                     (long long)(kMaxT5Buckets - 1), (long long)numBuckets);
  return checkT5(numBuckets + 1, maxDistance, /*bidirectional=*/false);
}

StepFunction StepFunction::getTextbook(int64_t numBuckets,
                                       int64_t maxDistance) {
  cantFail(checkTextbook(numBuckets, maxDistance));
  return getT5(numBuckets + 1, maxDistance, /*bidirectional=*/false);
}

Error StepFunction::checkClip(int64_t lo, int64_t hi) {
  if (lo > hi)
    return makeError("lo must not exceed hi, got lo = %lld, hi = %lld",
                     (long long)lo, (long long)hi);
  // Unsigned: hi - lo may exceed 63 bits.
  uint64_t width = uint64_t(hi) - uint64_t(lo);
  if (width >= uint64_t(kMaxBuckets))
    return makeError("hi - lo must be below %lld, got lo = %lld, hi = %lld",
                     (long long)kMaxBuckets, (long long)lo, (long long)hi);
  if (lo == std::numeric_limits<int64_t>::min())
    return makeError("lo must be above -2^63");
  return Error::success();
}

StepFunction StepFunction::getClip(int64_t lo, int64_t hi) {
  cantFail(checkClip(lo, hi));
  StepFunction result(hi - lo + 1);
  for (int64_t id = 0; id <= hi - lo; ++id)
    result.append(lo + id, id);
  return result;
}

Error StepFunction::checkSteps(int64_t numBuckets, ArrayRef<int64_t> starts,
                               ArrayRef<int64_t> ids) {
  if (numBuckets < 1 || numBuckets > kMaxBuckets)
    return makeError("buckets must be in [1, %lld], got %lld",
                     (long long)kMaxBuckets, (long long)numBuckets);
  if (ids.size() != starts.size() + 1)
    return makeError("ids must have one entry more than starts, got %zu ids "
                     "and %zu starts",
                     ids.size(), starts.size());
  for (size_t i = 1; i < starts.size(); ++i)
    if (starts[i - 1] >= starts[i])
      return makeError("starts must increase strictly, got %lld before %lld",
                       (long long)starts[i - 1], (long long)starts[i]);
  if (!starts.empty() && starts.front() == std::numeric_limits<int64_t>::min())
    return makeError("starts must be above -2^63");
  for (int64_t id : ids)
    if (id < 0 || id >= numBuckets)
      return makeError("ids must be in [0, %lld), got %lld",
                       (long long)numBuckets, (long long)id);
  return Error::success();
}

StepFunction StepFunction::getSteps(int64_t numBuckets,
                                    ArrayRef<int64_t> starts,
                                    ArrayRef<int64_t> ids) {
  cantFail(checkSteps(numBuckets, starts, ids));
  StepFunction result(numBuckets);
  result.append(0, ids.front());
  for (auto [start, id] : zip_equal(starts, ids.drop_front()))
    result.append(start, id);
  return result;
}
