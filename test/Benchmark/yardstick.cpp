//===- yardstick.cpp - Hand-written attention, and the machine's peak -----===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What relattn_bench measures against: attention in f32 with a strip as
// the scores' initial accumulator, by hand with vector types of the compiler,
// and a loop of fused multiply-adds on registers alone. One register tile is
// ROWS rows by two vectors (AVX2) or four (AVX-512); blocks of keys are shared
// by four panels of queries. Head size 64 or 128, any lengths.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <omp.h>

#if defined(__AVX512F__)
constexpr int kLanes = 16, kVectors = 4, kRows = 4;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kVectors = 2, kRows = 6;
#else
constexpr int kLanes = 4, kVectors = 2, kRows = 6;
#endif
constexpr int kWidth = kLanes * kVectors, kPanels = 4;

using Vector = float __attribute__((ext_vector_type(kLanes)));
using Integers = int32_t __attribute__((ext_vector_type(kLanes)));

static Vector splat(float x) { return Vector(x); }

static Vector load(const float *from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

static void store(float *to, Vector v) { std::memcpy(to, &v, sizeof v); }

/// exp(x) for x <= 0.
static Vector expOfNonpositive(Vector x) {
  Vector low = splat(-88.0296919f);
  x = low > x ? low : x;
  Vector magic = splat(12583039.0f);
  Vector shifted = x * splat(1.44269504f) + magic;
  Vector n = shifted - magic;
  Vector f = x - n * splat(0.693147182f);
  Vector p = splat(8.29765479e-3f);
  for (float c :
       {4.19153820e-2f, 1.66675747e-1f, 4.99988914e-1f, 9.99999692e-1f, 1.0f})
    p = p * f + splat(c);
  Integers bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits <<= 23;
  Vector scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

/// acc[r][..] += sum_k rows[r * RowStride + k * Step] * columns[k][..]
template <int R, int RowStride, int Step>
[[gnu::noinline]] static void multiply(const float *rows, const float *columns,
                                       int64_t depth, float *acc) {
  Vector sum[R][kVectors];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] = load(acc + r * kWidth + v * kLanes);
#pragma clang loop unroll_count(4)
  for (int64_t k = 0; k < depth; ++k) {
    Vector column[kVectors];
    for (int v = 0; v < kVectors; ++v)
      column[v] = load(columns + k * kWidth + v * kLanes);
    for (int r = 0; r < R; ++r) {
      Vector row = splat(rows[r * RowStride + k * Step]);
      for (int v = 0; v < kVectors; ++v)
        sum[r][v] += row * column[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < kVectors; ++v)
      store(acc + r * kWidth + v * kLanes, sum[r][v]);
}

template <int RowStride, int Step>
static void multiplyRows(int64_t count, const float *rows, const float *columns,
                         int64_t depth, float *acc) {
  int64_t r = 0;
  for (; r + kRows <= count; r += kRows)
    multiply<kRows, RowStride, Step>(rows + r * RowStride, columns, depth,
                                     acc + r * kWidth);
  for (; r + 2 <= count; r += 2)
    multiply<2, RowStride, Step>(rows + r * RowStride, columns, depth,
                                 acc + r * kWidth);
  for (; r < count; ++r)
    multiply<1, RowStride, Step>(rows + r * RowStride, columns, depth,
                                 acc + r * kWidth);
}

template <int D>
static void attendBlock(const float *q, const float *k, const float *v,
                        const float *strip, float *out, int64_t m, int64_t n,
                        int64_t first, bool causal) {
  constexpr int kKeys = D >= 128 ? 48 : 96;
  alignas(64) static thread_local float query[kPanels][D * kWidth],
      sums[kPanels][D * kWidth], scores[kKeys * kWidth], part[D * kWidth],
      maximum[kPanels][kWidth], total[kPanels][kWidth];
  int64_t queries = std::min<int64_t>(m - first, kPanels * kWidth);
  int64_t panels = (queries + kWidth - 1) / kWidth;
  std::memset(query, 0, sizeof query);
  std::memset(sums, 0, sizeof sums);
  std::memset(total, 0, sizeof total);
  for (auto &panel : maximum)
    std::fill(panel, panel + kWidth, -INFINITY);
  for (int64_t i = 0; i < queries; ++i)
    for (int d = 0; d < D; ++d)
      query[i / kWidth][d * kWidth + i % kWidth] = q[(first + i) * D + d];
  int64_t end = causal ? std::min(n, first + queries) : n;
  for (int64_t key = 0; key < end; key += kKeys)
    for (int64_t p = 0; p < panels; ++p) {
      int64_t start = first + p * kWidth;
      int64_t keys = std::min<int64_t>(kKeys, end - key);
      if (causal)
        keys = std::max<int64_t>(0, std::min(keys, start + kWidth - key));
      for (int64_t j = 0; j < keys; ++j)
        std::memcpy(scores + j * kWidth, strip + (n - 1) + start - key - j,
                    kWidth * 4);
      multiplyRows<D, 1>(keys, k + key * D, query[p], D, scores);
      Vector alpha[kVectors];
      for (int x = 0; x < kVectors; ++x) {
        Vector before = load(maximum[p] + x * kLanes), highest = before;
        for (int64_t j = 0; j < keys; ++j) {
          Vector s = load(scores + j * kWidth + x * kLanes);
          highest = s > highest ? s : highest;
        }
        store(maximum[p] + x * kLanes, highest);
        Vector shift = highest == splat(-INFINITY) ? splat(0.0f) : highest;
        alpha[x] = expOfNonpositive(before - shift);
        Vector sum = {};
        for (int64_t j = 0; j < keys; ++j) {
          float *place = scores + j * kWidth + x * kLanes;
          Vector weight = expOfNonpositive(load(place) - shift);
          store(place, weight);
          sum += weight;
        }
        float *place = total[p] + x * kLanes;
        store(place, load(place) * alpha[x] + sum);
      }
      std::memset(part, 0, sizeof part);
      multiplyRows<1, D>(D, v + key * D, scores, keys, part);
      for (int d = 0; d < D; ++d)
        for (int x = 0; x < kVectors; ++x) {
          float *place = sums[p] + d * kWidth + x * kLanes;
          store(place,
                load(place) * alpha[x] + load(part + d * kWidth + x * kLanes));
        }
    }
  for (int64_t i = 0; i < queries; ++i) {
    float sum = total[i / kWidth][i % kWidth];
    float factor = sum == 0 ? 0 : 1 / sum;
    for (int d = 0; d < D; ++d)
      out[(first + i) * D + d] =
          sums[i / kWidth][d * kWidth + i % kWidth] * factor;
  }
}

/// q, out [H, M, D]; k, v [H, N, D]; strip [H, length], read at N - 1 + i - j.
extern "C" int relattn_yardstick(const float *q, const float *k, const float *v,
                                 const float *strip, float *out, int64_t heads,
                                 int64_t m, int64_t n, int64_t d,
                                 int64_t length, int causal, int threads) {
  if (d != 64 && d != 128)
    return 1;
  int64_t blocks = (m + kPanels * kWidth - 1) / (kPanels * kWidth);
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(threads)
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t b = 0; b < blocks; ++b) {
      auto attend = d == 64 ? attendBlock<64> : attendBlock<128>;
      attend(q + h * m * d, k + h * n * d, v + h * n * d, strip + h * length,
             out + h * m * d, m, n, (blocks - 1 - b) * kPanels * kWidth,
             causal);
    }
  return 0;
}

/// Reads `count` floats, each thread its part, and sums them.
extern "C" float relattn_read(const float *from, int64_t count, int threads) {
  float total = 0;
#pragma omp parallel for reduction(+ : total) num_threads(threads)
  for (int64_t block = 0; block < count / 4096; ++block) {
    const float *place = from + block * 4096;
    Vector sums[8] = {};
    for (int i = 0; i < 4096; i += 8 * kLanes)
      for (int k = 0; k < 8; ++k)
        sums[k] += load(place + i + k * kLanes);
    for (int k = 0; k < 8; ++k)
      for (int lane = 0; lane < kLanes; ++lane)
        total += sums[k][lane];
  }
  return total;
}

/// Additions that a core issues in a cycle, by the least of the threads: as
/// many as it has units for (4 to 6), or half of them while somebody else
/// computes on its other hyperthread, whom a virtual machine sees by nothing
/// else.
extern "C" double relattn_issue_rate(int threads) {
  constexpr int kChains = 6, kUnrolled = 48, kRepeats = 4;
  constexpr int64_t kRounds = 500;
  using Clock = std::chrono::steady_clock;
  double rate = INFINITY;
#pragma omp parallel num_threads(threads) reduction(min : rate)
  {
    uint64_t x[kChains] = {}, one = 1;
    asm volatile("" : "+r"(one)); // or it would be added at no cost
    // A neighbour leaves a chain alone, of which the shortest time is a cycle
    // for each; whoever takes the core lengthens the others.
    auto dependent = Clock::duration::max(), independent = Clock::duration(0);
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      auto start = Clock::now();
      for (int64_t i = 0; i < kRounds; ++i)
#pragma clang loop unroll(full)
        for (int j = 0; j < kUnrolled; ++j) {
          x[0] += one;
          asm volatile("" : "+r"(x[0]));
        }
      auto middle = Clock::now();
      for (int64_t i = 0; i < kRounds * 4; ++i)
#pragma clang loop unroll(full)
        for (int j = 0; j < kUnrolled; ++j) {
          x[j % kChains] += one;
          asm volatile("" : "+r"(x[j % kChains]));
        }
      independent += Clock::now() - middle;
      dependent = std::min(dependent, middle - start);
    }
    rate = 4.0 * kRepeats * dependent.count() / independent.count();
  }
  return rate;
}

/// GF/s of fused multiply-adds on registers, for about `seconds`.
extern "C" double relattn_peak(int threads, double seconds) {
  constexpr int kChains = 12;
  int64_t rounds = 20000;
  double operations = 0, elapsed = 0;
  auto start = std::chrono::steady_clock::now();
  while (elapsed < seconds) {
#pragma omp parallel num_threads(threads)
    {
      Vector x[kChains], a = splat(0.999f), b = splat(0.001f);
      for (int c = 0; c < kChains; ++c)
        x[c] = splat(float(c));
      for (int64_t i = 0; i < rounds; ++i) {
        for (int c = 0; c < kChains; ++c)
          x[c] = x[c] * a + b;
        // Registers are all that the loop touches.
        for (int c = 0; c < kChains; ++c)
          asm volatile("" : "+v"(x[c]));
      }
    }
    operations += 2.0 * kLanes * kChains * rounds * threads;
    elapsed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
  }
  return operations / elapsed / 1e9;
}
