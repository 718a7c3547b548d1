//===- T5SweepTest.cpp - T5 thresholds against big integers ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pair of at most 512 buckets and a distance of at most 4096 against the
// definition in integers: bucket e + k or later iff n^m >= D^k * e^(m - k),
// with all powers as big integers from repeated multiplication. Nothing of the
// library's enclosures, guesses or reduced exponents is used. The suite takes
// every 61st distance; the full sweep is the disabled test.
//
//===----------------------------------------------------------------------===//

#include "relattn/Bucketing/StepFunction.h"
#include "llvm/ADT/APInt.h"
#include "gtest/gtest.h"
#include <vector>

using namespace mlir::relattn;
using llvm::APInt;

static constexpr int64_t kMaxBuckets = 512, kMaxDistance = 4096;

/// Checks one direction with `buckets` buckets, distances in steps of `stride`
/// (and the last one); returns the number of thresholds compared.
static int64_t sweep(int64_t buckets, int64_t stride) {
  int64_t exact = buckets / 2, order = buckets - exact;
  // 13 bits a factor, and one for the comparison.
  unsigned width = 13 * unsigned(order) + 64;
  // powers[n] = n^order, and exactPowers[k] = exact^k.
  std::vector<APInt> powers, exactPowers;
  for (int64_t n = 0; n <= kMaxDistance; ++n) {
    APInt power(width, 1), factor(width, uint64_t(n));
    for (int64_t i = 0; i < order; ++i)
      power *= factor;
    powers.push_back(power);
  }
  exactPowers.emplace_back(width, 1);
  for (int64_t k = 1; k <= order; ++k)
    exactPowers.push_back(exactPowers.back() * APInt(width, uint64_t(exact)));

  int64_t compared = 0;
  for (int64_t distance = exact + 1; distance <= kMaxDistance;
       distance += stride) {
    StepFunction steps = StepFunction::getT5(buckets, distance, false);
    APInt distancePower(width, 1);
    int64_t n = exact;
    for (int64_t k = 1; k < order; ++k) {
      distancePower *= APInt(width, uint64_t(distance));
      APInt bound = distancePower * exactPowers[order - k];
      while (powers[n].ult(bound))
        ++n;
      ++compared;
      // n is the first distance of bucket exact + k or a later one.
      if (steps.evaluate(-n) < exact + k ||
          (n > exact && steps.evaluate(-n + 1) >= exact + k)) {
        ADD_FAILURE() << buckets << " buckets, max_distance " << distance
                      << ": the threshold of bucket " << exact + k << " is "
                      << n;
        return compared;
      }
    }
  }
  return compared;
}

TEST(T5Sweep, Strided) {
  int64_t compared = 0;
  for (int64_t buckets = 2; buckets <= kMaxBuckets;
       buckets += buckets < 64 ? 1 : 37)
    compared += sweep(buckets, 61);
  EXPECT_GT(compared, 100000);
}

TEST(T5Sweep, DISABLED_Full) {
  int64_t compared = 0;
  for (int64_t buckets = 2; buckets <= kMaxBuckets; ++buckets)
    compared += sweep(buckets, 1);
  printf("%lld thresholds compared\n", (long long)compared);
}

TEST(T5Sweep, BidirectionalIsTwoDirections) {
  for (int64_t buckets = 4; buckets <= kMaxBuckets; buckets += 2) {
    int64_t half = buckets / 2;
    StepFunction both = StepFunction::getT5(buckets, 700, true);
    StepFunction one = StepFunction::getT5(half, 700, false);
    for (int64_t n = 0; n < 1000; ++n) {
      EXPECT_EQ(both.evaluate(-n), one.evaluate(-n));
      if (n > 0)
        EXPECT_EQ(both.evaluate(n), half + one.evaluate(-n));
    }
  }
}
