//===- T5Thresholds.cpp - Exact logarithmic thresholds --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Both sides of the inequality are powers with up to a million bits. They are
// compared by enclosures: quad-precision floats rounded down and up, with the
// exponent kept apart. Where the enclosures overlap the integers themselves
// are compared. Equal sides always end there, but cheaply: with the common
// factor of the exponents divided out, equality means that
// maxDistance/maxExact is a perfect power of that order, and no fraction of
// numbers below 2^31 is a 32nd power, so the integers have under 1000 bits.
//
//===----------------------------------------------------------------------===//

#include "T5Thresholds.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <numeric>
#include <optional>

using namespace llvm;

namespace {

/// A positive number x with lo * 2^exponent <= x <= hi * 2^exponent.
struct Enclosure {
  APFloat lo, hi;
  int64_t exponent = 0;

  explicit Enclosure(uint64_t value)
      : lo(APFloat::IEEEquad()), hi(APFloat::IEEEquad()) {
    // 64 bits fit the 113 of a quad: exact.
    (void)lo.convertFromAPInt(APInt(64, value), /*IsSigned=*/false,
                              APFloat::rmTowardNegative);
    hi = lo;
    normalize();
  }

  void multiply(const Enclosure &other) {
    (void)lo.multiply(other.lo, APFloat::rmTowardNegative);
    (void)hi.multiply(other.hi, APFloat::rmTowardPositive);
    exponent += other.exponent;
    normalize();
  }

private:
  /// Keeps the significands near 1, so that no power overflows.
  void normalize() {
    int shift = ilogb(hi);
    lo = scalbn(lo, -shift, APFloat::rmTowardNegative);
    hi = scalbn(hi, -shift, APFloat::rmTowardPositive);
    exponent += shift;
  }
};

Enclosure power(uint64_t base, int64_t exponent) {
  Enclosure result(1), square(base);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1)
      result.multiply(square);
    if (exponent > 1)
      square.multiply(square);
  }
  return result;
}

/// left >= right, or none where the enclosures do not tell.
std::optional<bool> isGreaterOrEqual(Enclosure left, const Enclosure &right) {
  int64_t difference = left.exponent - right.exponent;
  if (std::abs(difference) > 4)
    return difference > 0;
  left.lo = scalbn(left.lo, int(difference), APFloat::rmTowardNegative);
  left.hi = scalbn(left.hi, int(difference), APFloat::rmTowardPositive);
  if (left.lo.compare(right.hi) == APFloat::cmpGreaterThan)
    return true;
  if (left.hi.compare(right.lo) == APFloat::cmpLessThan)
    return false;
  return std::nullopt;
}

APInt integerPower(uint64_t base, int64_t exponent, unsigned width) {
  APInt result(width, 1), square(width, base);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1)
      result *= square;
    if (exponent > 1)
      square *= square;
  }
  return result;
}

} // namespace

int64_t mlir::relattn::detail::computeT5Threshold(int64_t maxExact,
                                                  int64_t maxDistance,
                                                  int64_t numLog, int64_t k) {
  int64_t common = std::gcd(numLog, k);
  int64_t order = numLog / common, power1 = k / common;

  // Right side, the same for every n.
  Enclosure right = power(maxDistance, power1);
  right.multiply(power(maxExact, order - power1));

  auto reaches = [&](int64_t n) {
    if (std::optional<bool> known = isGreaterOrEqual(power(n, order), right))
      return *known;
    // 31 bits a factor. The squares of `integerPower` may wrap beyond the
    // result, hence twice the width.
    unsigned width = 2 * 31 * unsigned(order) + 64;
    return integerPower(n, order, width)
        .uge(integerPower(maxDistance, power1, width) *
             integerPower(maxExact, order - power1, width));
  };

  // A guess; the comparisons above decide.
  double ratio = double(maxDistance) / double(maxExact);
  int64_t n = int64_t(
      std::ceil(double(maxExact) * std::pow(ratio, double(k) / numLog)));
  n = std::min(std::max(n, maxExact), maxDistance);
  while (!reaches(n))
    ++n;
  while (n > maxExact && reaches(n - 1))
    --n;
  return n;
}
