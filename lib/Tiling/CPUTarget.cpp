//===- CPUTarget.cpp - What a CPU's register file is ----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A row for each register file, and one for Zen 4. A tile of rows x vectors
// accumulators leaves room for its vectors of queries and a broadcast key: 6 x
// 2 of 16 registers, 6 x 4 of 32; 4 x 2 of 16 without fused multiply-adds,
// where each product needs a register (6 x 2 spills). Neighbours cost: 4 x 2 of
// 16 is 1.14 times slower, 3 x 4 twice (spills); of 32, 7 x 4 is half as fast.
//
// Blocks of keys and values stream from the second-level cache; longer ones
// rescale the output less often. On Zen 4, 256 keys instead of 128: 1.00
// to 1.03 times as fast, 192 instead of 96 with AVX2 code: 0.99 (D 40) to 1.05;
// of 128-bit code 192 cost 2 to 3 %.
//
// Of Zen 4's 32 the lanes decide, since a panel's last ones may be empty.
// Fractions of the peak on Zen 4, M = N, D 64, one thread:
//
//   rows x lanes x panels   77    128   200   512   512 causal   2048
//   4 x 64 x 1              0.50  0.74  0.69  0.85  0.74         0.90
//   8 x 32 x 2              0.66        0.78  0.85  0.75
//   8 x 16 x 4              0.76  0.71  0.83  0.83  0.76         0.88
//
// Zen 4 has one multiplication of 512 bits in a cycle and two loads: a product
// may have a broadcast of its own. Where there are two multiplications (Intel,
// Zen 5), loads and the instructions of a cycle are what is short. Fractions of
// the peak on an Intel Xeon (Granite Rapids), of tiles on operands in the
// first-level cache, and of both products of a head with D = 64 one after the
// other:
//
//   rows x vectors   8 x 2   12 x 2   14 x 2   8 x 3   6 x 4   4 x 4   24 x 1
//   in the cache     0.88    0.90     0.94     0.95    0.94    0.91    0.64
//   both products    0.85                      0.93    0.93    0.87
//
// LLVM widens three vectors to four, so 6 x 4. A whole kernel, on one thread,
// is 1.02 to 1.08 times as fast as with 8 x 2, but for 512 causal (0.99). The
// last panel of so many lanes is half one or a quarter where its queries allow:
// M = 77 would take 1.3 times as long, or 1.1 times with a half. Two panels to
// a block instead of one: 1.01 to 1.05 times as fast for D of 96 and more.
// Where that leaves threads without work blocks have one (2 threads: 1 head of
// 128 queries 1.8 times as fast, 3 heads 1.25). 96 keys instead of 192: 1.01
// to 1.07; instead of 72: 0.99 to 1.06; 132 instead of 96 (Emerald
// Rapids): 1.00 to 1.01.
//
// The loop over keys of the largest tile is unrolled to 48 products: 1.02
// to 1.05 times as fast with AVX-512 (0.97 to 1.02 for D 128), 1.06 to 1.08
// with AVX2; the tiles of Zen 4, on that Intel, 1.06 to 1.07. Twice or half as
// many gain 1 to 4 % less; which unrolling the loop over d has makes no
// difference.
//
//===----------------------------------------------------------------------===//

#include "relattn/Tiling/CPUTarget.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace mlir::relattn;

static bool isX86() {
  return llvm::Triple(llvm::sys::getDefaultTargetTriple()).isX86();
}

llvm::Expected<CPUTarget> CPUTarget::get(llvm::StringRef cpu,
                                         llvm::StringRef features) {
  CPUTarget target{cpu.str(), features.str()};
  if (cpu.empty() || cpu == "native")
    target.cpu = llvm::sys::getHostCPUName().str();
  else if (isX86() && llvm::X86::parseArchX86(cpu, /*Only64Bit=*/true) ==
                          llvm::X86::CK_None)
    return llvm::createStringError("unknown target CPU '%s'; known are names "
                                   "such as x86-64-v3, haswell, znver5 and "
                                   "native",
                                   target.cpu.c_str());
  for (llvm::StringRef feature : llvm::split(features, ','))
    if (!feature.empty() && feature[0] != '+' && feature[0] != '-')
      return llvm::createStringError("expected target features with + or -, "
                                     "such as '+avx2', got '%s'",
                                     feature.str().c_str());
  // The host has what its name does not say, and may lack what it says.
  if (cpu.empty() || cpu == "native") {
    llvm::SmallVector<std::string> own;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      own.push_back((feature.second ? "+" : "-") + feature.first().str());
    llvm::sort(own); // a map has no order of its own
    std::string all = llvm::join(own, ",");
    target.features =
        all + (all.empty() || features.empty() ? "" : ",") + features.str();
  }
  return target;
}

/// The features by name, with those of the CPU.
static llvm::StringMap<bool> getFeatures(const CPUTarget &target) {
  llvm::StringMap<bool> has;
  llvm::SmallVector<llvm::StringRef> own;
  if (llvm::X86::parseArchX86(target.cpu) != llvm::X86::CK_None)
    llvm::X86::getFeaturesForCPU(target.cpu, own);
  for (llvm::StringRef feature : own)
    has[feature] = true;
  for (llvm::StringRef feature : llvm::split(target.features, ','))
    if (!feature.empty())
      has[feature.drop_front()] = feature[0] == '+';
  return has;
}

CPUTileSizes CPUTarget::getTileSizes() const {
  constexpr CPUTileSizes k128{128, 4, 8, 4, 96, true},
      k256{256, 6, 16, 4, 192, true}, k512{512, 6, 64, 2, 132, true},
      kZen4{512, 8, 16, 4, 256, true};
  if (!isX86())
    return k128;
  llvm::StringMap<bool> has = getFeatures(*this);
  // The list of a CPU leaves out what others of its features imply.
  if (has.lookup("avx512f") ||
      (has.lookup("avx512vl") && !has.count("avx512f"))) {
    if (cpu == "znver4")
      return kZen4;
    CPUTileSizes sizes = k512;
    sizes.hasAVX512Exp =
        has.lookup("avx512dq") && !llvm::StringRef(cpu).starts_with("znver");
    return sizes;
  }
  CPUTileSizes sizes = has.lookup("avx2") ? k256 : k128;
  sizes.hasFMA = has.lookup("fma");
  return sizes;
}

bool CPUTarget::hasMatrixUnit() const {
  if (!isX86())
    return false;
  // (bf16 implies tiles, but a list may take these away.)
  llvm::StringMap<bool> has = getFeatures(*this);
  return has.lookup("amx-bf16") &&
         (!has.count("amx-tile") || has.lookup("amx-tile"));
}
