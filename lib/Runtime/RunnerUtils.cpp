//===- RunnerUtils.cpp - Helpers for executed tests -----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Called from IR, so that a test is one self-checking .mlir file: fill buffers
// from a seed, compare attention with a float64 reference, report and exit.
// For each element type <T> of F16, BF16, F32, F64 (C interface, unranked
// memrefs):
//
//   relattnFill<T>(memref<*xT>, i64 seed, f64 scale)
//     uniform in [-scale, scale), the same numbers on every machine.
//   relattnCheckAttention<T>(query, key, value : memref<*xT>,
//                            additive : memref<*xf64>, output : memref<*xT>,
//                            f64 scale)
//     output against softmax(scale * query key^T + additive) value, with
//     [B, H, M, D], [B, H, N, D], [B, H, N, E], [B, H, M, N], [B, H, M, E];
//     additive is bias plus mask, -inf where hidden. Hidden keys are not read.
//   relattnCheckLse<T>(query, key : memref<*xT>, additive : memref<*xf64>,
//                      lse : memref<*xA>, f64 scale)
//     the same for the log-sum-exp [B, H, M]; A is f64 for F64, else f32.
//   relattnFinish()
//     prints `N passed, M failed` and ends the process with 1 if M > 0 or N is
//     0.
//
// The tolerance is eps(accumulator) * (8 + 2 max_ij sum_d |scale q k|) * max|V|
// plus one rounding of T. NaN and infinities must coincide.
//
//===----------------------------------------------------------------------===//

#include "mlir/ExecutionEngine/CRunnerUtils.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace {

/// bfloat16, because clang's __bf16 needs a run-time library on older
/// processors. From a float to the nearest, ties to even.
struct BFloat16 {
  BFloat16() = default;
  explicit BFloat16(float value) {
    uint32_t wide;
    std::memcpy(&wide, &value, sizeof wide);
    bits = uint16_t((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
  }
  explicit operator double() const {
    uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
  uint16_t bits;
};

template <typename T>
using Accumulator =
    std::conditional_t<std::is_same_v<T, double>, double, float>;

/// Rounding of one conversion to T, relative and absolute.
template <typename T>
constexpr double kEpsilon = std::numeric_limits<T>::epsilon();
template <> constexpr double kEpsilon<_Float16> = 0x1p-10;
template <> constexpr double kEpsilon<BFloat16> = 0x1p-7;
template <typename T>
constexpr double kTiny = std::numeric_limits<T>::denorm_min();
template <> constexpr double kTiny<_Float16> = 0x1p-24;
template <> constexpr double kTiny<BFloat16> = 0x1p-133;

int64_t passed = 0, failed = 0;

/// A memref of any rank as a flat list of its elements.
template <typename T> class View {
public:
  explicit View(UnrankedMemRefType<T> *memref) : ref(*memref) {}

  int64_t size(int64_t dimension) const { return ref.sizes[dimension]; }
  int64_t rank() const { return ref.rank; }
  int64_t numElements() const {
    int64_t result = 1;
    for (int64_t i = 0; i < ref.rank; ++i)
      result *= ref.sizes[i];
    return result;
  }
  /// The element of a linear, row-major index.
  T &at(int64_t index) {
    int64_t place = ref.offset;
    for (int64_t i = ref.rank - 1; i >= 0; --i) {
      place += index % ref.sizes[i] * ref.strides[i];
      index /= ref.sizes[i];
    }
    return ref.data[place];
  }
  std::vector<double> toDouble() {
    std::vector<double> result(numElements());
    for (size_t i = 0; i < result.size(); ++i)
      result[i] = double(at(int64_t(i)));
    return result;
  }
  std::string describe(int64_t index) const {
    std::string result;
    for (int64_t i = ref.rank - 1; i >= 0; --i) {
      result = std::to_string(index % ref.sizes[i]) +
               (result.empty() ? "" : ", ") + result;
      index /= ref.sizes[i];
    }
    return "[" + result + "]";
  }

private:
  DynamicMemRefType<T> ref;
};

/// splitmix64 (Steele, Lea, Flood 2014): a good hash of a counter.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

template <typename T>
void fill(UnrankedMemRefType<T> *memref, int64_t seed, double scale) {
  View<T> view(memref);
  for (int64_t i = 0, e = view.numElements(); i < e; ++i) {
    uint64_t bits = mix(mix(uint64_t(seed)) + uint64_t(i)) >> 40;
    view.at(i) = T(float((double(bits) * 0x1p-23 - 1.0) * scale));
  }
}

/// The float64 reference of one problem.
struct Reference {
  std::vector<double> output, lse;
  double maxTerms = 0, maxValue = 0;
};

struct Sizes {
  int64_t heads, m, n, d, e;
};

Reference computeReference(const Sizes &s, const std::vector<double> &query,
                           const std::vector<double> &key,
                           const std::vector<double> &value,
                           const std::vector<double> &additive, double scale) {
  Reference result;
  result.output.assign(s.heads * s.m * s.e, 0.0);
  result.lse.assign(s.heads * s.m, 0.0);
  std::vector<double> scores(s.n);
  for (int64_t row = 0; row < s.heads * s.m; ++row) {
    int64_t head = row / s.m;
    double maximum = -std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < s.n; ++j) {
      scores[j] = additive[row * s.n + j];
      if (scores[j] == -std::numeric_limits<double>::infinity())
        continue;
      double product = 0, terms = 0;
      for (int64_t k = 0; k < s.d; ++k) {
        double term =
            scale * query[row * s.d + k] * key[(head * s.n + j) * s.d + k];
        product += term;
        terms += std::fabs(term);
      }
      scores[j] += product;
      maximum = std::fmax(maximum, scores[j]);
      result.maxTerms = std::fmax(result.maxTerms, terms);
    }
    double sum = 0;
    for (int64_t j = 0; j < s.n; ++j) {
      if (scores[j] == -std::numeric_limits<double>::infinity())
        continue;
      double p = std::exp(scores[j] - maximum);
      sum += p;
      for (int64_t k = 0; k < s.e; ++k) {
        double v = value[(head * s.n + j) * s.e + k];
        result.output[row * s.e + k] += p * v;
        result.maxValue = std::fmax(result.maxValue, std::fabs(v));
      }
    }
    for (int64_t k = 0; k < s.e && sum != 0; ++k)
      result.output[row * s.e + k] /= sum;
    result.lse[row] = maximum + std::log(sum);
  }
  return result;
}

/// Compares, prints one line, counts.
template <typename T>
void compare(const char *what, View<T> actual,
             const std::vector<double> &expected, double bound) {
  if (actual.numElements() != int64_t(expected.size())) {
    std::printf("%s: FAILED: %lld elements, expected %zu\n", what,
                (long long)actual.numElements(), expected.size());
    ++failed;
    return;
  }
  double worst = 0, worstError = 0;
  int64_t place = 0;
  for (int64_t i = 0; i < int64_t(expected.size()); ++i) {
    double got = double(actual.at(i)), want = expected[i];
    if (got == want || (std::isnan(got) && std::isnan(want)))
      continue;
    double error = std::fabs(got - want);
    double allowed =
        bound + 0.5 * kEpsilon<T> * std::fabs(want) + 0.5 * kTiny<T>;
    // A NaN on one side, or two different infinities, is beyond every bound.
    double ratio = std::isfinite(error) ? error / allowed
                                        : std::numeric_limits<double>::max();
    if (ratio > worst) {
      worst = ratio;
      worstError = error;
      place = i;
    }
  }
  bool ok = worst <= 1;
  ++(ok ? passed : failed);
  std::printf("%s: %s, %zu elements, worst error %.3g (%.3g of the tolerance)",
              what, ok ? "ok" : "FAILED", expected.size(), worstError, worst);
  if (!ok)
    std::printf(" at %s: got %.9g, expected %.9g",
                actual.describe(place).c_str(), double(actual.at(place)),
                expected[place]);
  std::printf("\n");
}

[[noreturn]] void reportShapes(const char *what) {
  std::printf("%s: FAILED: the shapes do not agree\n", what);
  std::exit(1);
}

template <typename T, typename L>
void check(UnrankedMemRefType<T> *query, UnrankedMemRefType<T> *key,
           UnrankedMemRefType<T> *value, UnrankedMemRefType<double> *additive,
           UnrankedMemRefType<T> *output, UnrankedMemRefType<L> *lse,
           double scale) {
  View<T> q(query), k(key), v(value);
  View<double> a(additive);
  if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4 || a.rank() != 4)
    reportShapes("attention");
  Sizes s{q.size(0) * q.size(1), q.size(2), k.size(2), q.size(3), v.size(3)};
  if (k.size(0) * k.size(1) != s.heads || v.size(0) * v.size(1) != s.heads ||
      k.size(3) != s.d || v.size(2) != s.n || a.size(2) != s.m ||
      a.size(3) != s.n || a.numElements() != s.heads * s.m * s.n)
    reportShapes("attention");
  Reference reference = computeReference(s, q.toDouble(), k.toDouble(),
                                         v.toDouble(), a.toDouble(), scale);
  double factor = kEpsilon<Accumulator<T>> * (8 + 2 * reference.maxTerms);
  if (output)
    compare("attention", View<T>(output), reference.output,
            factor * reference.maxValue);
  if (lse)
    compare("lse", View<L>(lse), reference.lse, factor);
}

} // namespace

#define RELATTN_RUNNER_FUNCTIONS(NAME, T)                                      \
  extern "C" MLIR_CRUNNERUTILS_EXPORT void _mlir_ciface_relattnFill##NAME(     \
      UnrankedMemRefType<T> *memref, int64_t seed, double scale) {             \
    fill<T>(memref, seed, scale);                                              \
  }                                                                            \
  extern "C" MLIR_CRUNNERUTILS_EXPORT void                                     \
  _mlir_ciface_relattnCheckAttention##NAME(                                    \
      UnrankedMemRefType<T> *query, UnrankedMemRefType<T> *key,                \
      UnrankedMemRefType<T> *value, UnrankedMemRefType<double> *additive,      \
      UnrankedMemRefType<T> *output, double scale) {                           \
    check<T, Accumulator<T>>(query, key, value, additive, output, nullptr,     \
                             scale);                                           \
  }                                                                            \
  extern "C" MLIR_CRUNNERUTILS_EXPORT void _mlir_ciface_relattnCheckLse##NAME( \
      UnrankedMemRefType<T> *query, UnrankedMemRefType<T> *key,                \
      UnrankedMemRefType<double> *additive,                                    \
      UnrankedMemRefType<Accumulator<T>> *lse, double scale) {                 \
    check<T, Accumulator<T>>(query, key, key, additive, nullptr, lse, scale);  \
  }

RELATTN_RUNNER_FUNCTIONS(F16, _Float16)
RELATTN_RUNNER_FUNCTIONS(BF16, BFloat16)
RELATTN_RUNNER_FUNCTIONS(F32, float)
RELATTN_RUNNER_FUNCTIONS(F64, double)

extern "C" MLIR_CRUNNERUTILS_EXPORT void _mlir_ciface_relattnFinish() {
  std::printf("%lld passed, %lld failed\n", (long long)passed,
              (long long)failed);
  std::fflush(stdout);
  if (failed > 0 || passed == 0)
    std::exit(1);
}
