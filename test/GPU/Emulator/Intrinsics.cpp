//===- Intrinsics.cpp - What NVPTX code calls -----------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Written from the PTX ISA's description of each instruction, not from the
// compiler's own fragments: the two check each other.
//
//===----------------------------------------------------------------------===//

#include "Intrinsics.h"
#include "Workgroup.h"
#include <cmath>
#include <cstring>

using namespace emulator;

namespace {

template <typename T> const T &get(void **arguments, int i) {
  return *static_cast<const T *>(arguments[i]);
}

template <typename T> void set(void *result, T value) {
  memcpy(result, &value, sizeof(T));
}

float toFloat(uint16_t bits, bool isBF16) {
  if (isBF16) {
    uint32_t wide = uint32_t(bits) << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
  }
  _Float16 value;
  memcpy(&value, &bits, 2);
  return float(value);
}

/// mma.sync.aligned.m16n8k16.row.col: D = A B + C; A and B hold two elements in
/// each register.
void multiply(void *result, void **arguments, bool isBF16) {
  Message own{};
  for (int i = 0; i < 6; ++i)
    own[i] = get<uint32_t>(arguments, i);
  exchange("mma", own, [&](const Message *lanes, uint32_t lane) {
    auto read = [&](uint32_t from, uint32_t reg, uint32_t half) {
      return double(toFloat(uint16_t(lanes[from][reg] >> (16 * half)), isBF16));
    };
    // A: a0, a1 are row lane / 4, a2, a3 row lane / 4 + 8, a4.. columns + 8.
    auto a = [&](uint32_t row, uint32_t k) {
      return read(row % 8 * 4 + k % 8 / 2, row / 8 + 2 * (k / 8), k % 2);
    };
    auto b = [&](uint32_t k, uint32_t column) {
      return read(column * 4 + k % 8 / 2, 4 + k / 8, k % 2);
    };
    for (uint32_t i = 0; i < 4; ++i) {
      uint32_t row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      double sum = get<float>(arguments, 6 + i);
      for (uint32_t k = 0; k < 16; ++k)
        sum += a(row, k) * b(k, column);
      set(static_cast<float *>(result) + i, float(sum));
    }
  });
}

/// ldmatrix.sync.aligned.m8n8.x4: lane 8 i + r has the address of row r of
/// matrix i.
void loadMatrices(void *result, void **arguments, bool isTransposed) {
  Message own{};
  void *address = get<void *>(arguments, 0);
  memcpy(own.data(), &address, sizeof(address));
  checkShared(address, 16, 16, "ldmatrix");
  exchange("ldmatrix", own, [&](const Message *lanes, uint32_t lane) {
    for (uint32_t matrix = 0; matrix < 4; ++matrix) {
      uint32_t pair = 0;
      for (uint32_t i = 0; i < 2; ++i) {
        uint32_t row = lane / 4, column = lane % 4 * 2 + i;
        if (isTransposed)
          std::swap(row, column);
        const uint16_t *elements;
        memcpy(&elements, lanes[8 * matrix + row].data(), sizeof(elements));
        pair |= uint32_t(elements[column]) << (16 * i);
      }
      set(static_cast<uint32_t *>(result) + matrix, pair);
    }
  });
}

/// shfl.sync.bfly
void shuffle(void *result, void **arguments) {
  Message own{};
  own[0] = get<uint32_t>(arguments, 1);
  uint32_t mask = get<uint32_t>(arguments, 2);
  exchange("shfl", own, [&](const Message *lanes, uint32_t lane) {
    set(result, lanes[lane ^ mask][0]);
  });
}

/// vote.sync.any
void vote(void *result, void **arguments) {
  if (get<uint32_t>(arguments, 0) != ~0u)
    fail("a vote of a part of the warp is not emulated");
  Message own{};
  own[0] = get<uint8_t>(arguments, 1);
  exchange("vote", own, [&](const Message *lanes, uint32_t) {
    bool isAny = false;
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      isAny |= lanes[lane][0] & 1;
    set(result, uint8_t(isAny));
  });
}

#define DIM(NAME, FUNCTION)                                                    \
  {"llvm.nvvm.read.ptx.sreg." NAME ".x",                                       \
   [](void *result, void **) { set(result, FUNCTION().x); }},                  \
      {"llvm.nvvm.read.ptx.sreg." NAME ".y",                                   \
       [](void *result, void **) { set(result, FUNCTION().y); }},              \
  {                                                                            \
    "llvm.nvvm.read.ptx.sreg." NAME ".z",                                      \
        [](void *result, void **) { set(result, FUNCTION().z); }               \
  }

const Intrinsic kIntrinsics[] = {
    DIM("tid", getThread),
    DIM("ctaid", getBlock),
    DIM("ntid", getBlockSize),
    DIM("nctaid", getGridSize),
    {"llvm.nvvm.barrier.cta.sync.aligned.all",
     [](void *, void **) { barrier(); }},
    {"llvm.nvvm.cp.async.cg.shared.global.16",
     [](void *, void **arguments) {
       copyAsync(get<void *>(arguments, 0), get<void *>(arguments, 1), 16, 16);
     }},
    {"llvm.nvvm.cp.async.cg.shared.global.16.s",
     [](void *, void **arguments) {
       copyAsync(get<void *>(arguments, 0), get<void *>(arguments, 1),
                 get<uint32_t>(arguments, 2), 16);
     }},
    {"llvm.nvvm.cp.async.commit.group", [](void *, void **) { commitGroup(); }},
    {"llvm.nvvm.cp.async.wait.group",
     [](void *, void **arguments) { waitGroup(get<uint32_t>(arguments, 0)); }},
    {"llvm.nvvm.ex2.approx.ftz.f32",
     [](void *result, void **arguments) {
       float value = exp2f(get<float>(arguments, 0));
       set(result, value < 0x1p-126f ? 0.0f : value);
     }},
    {"llvm.nvvm.lg2.approx.f",
     [](void *result, void **arguments) {
       set(result, log2f(get<float>(arguments, 0)));
     }},
    {"llvm.nvvm.shfl.sync.bfly.f32", shuffle},
    {"llvm.nvvm.shfl.sync.bfly.i32", shuffle},
    {"llvm.nvvm.vote.any.sync", vote},
    {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3",
     [](void *result, void **arguments) {
       loadMatrices(result, arguments, false);
     }},
    {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3",
     [](void *result, void **arguments) {
       loadMatrices(result, arguments, true);
     }},
    {"llvm.nvvm.mma.m16n8k16.row.col.f32.f32",
     [](void *result, void **arguments) {
       multiply(result, arguments, false);
     }},
    {"llvm.nvvm.mma.m16n8k16.row.col.bf16",
     [](void *result, void **arguments) { multiply(result, arguments, true); }},
};

} // namespace

const Intrinsic *emulator::findIntrinsic(const std::string &name) {
  for (const Intrinsic &intrinsic : kIntrinsics)
    if (name == intrinsic.name)
      return &intrinsic;
  return nullptr;
}
