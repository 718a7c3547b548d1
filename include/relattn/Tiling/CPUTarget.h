//===- CPUTarget.h - What a CPU's register file is --------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the name of a CPU and features to tile sizes.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TILING_CPUTARGET_H
#define RELATTN_TILING_CPUTARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <algorithm>
#include <string>

namespace mlir::relattn {

/// Tile sizes of relattn-tile-attention and relattn-tile-registers, for f32.
struct CPUTileSizes {
  /// The width of a vector register in bits.
  int64_t vectorBits;
  /// rows x lanes / (vectorBits / 32) accumulators, one vector of queries per
  /// column of them and one broadcast key are live at once.
  int64_t rows, lanes;
  int64_t panels, keys;
  /// Whether multiply-adds are fused.
  bool hasFMA = true;
  /// Whether exponentials are best taken by instructions of AVX-512.
  bool hasAVX512Exp = false;

  /// Unroll factor of the loop over keys.
  int64_t getKeyUnroll() const {
    constexpr int64_t kProducts = 48;
    return std::max<int64_t>(kProducts / (rows * lanes * 32 / vectorBits), 1);
  }
};

/// A CPU as LLVM names it, and changes of its features ("+avx2,-avx512f").
struct CPUTarget {
  std::string cpu, features;

  /// `cpu` "native", or nothing, is the host's. Fails if LLVM does not know it.
  static llvm::Expected<CPUTarget> get(llvm::StringRef cpu,
                                       llvm::StringRef features);

  CPUTileSizes getTileSizes() const;
  /// Whether it has a matrix unit that multiplies bf16: AMX.
  bool hasMatrixUnit() const;
};

} // namespace mlir::relattn

#endif // RELATTN_TILING_CPUTARGET_H
