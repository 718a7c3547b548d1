//===- Intrinsics.h - What NVPTX code calls ---------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's intrinsics of NVPTX as functions of a CPU.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TEST_GPU_EMULATOR_INTRINSICS_H
#define RELATTN_TEST_GPU_EMULATOR_INTRINSICS_H

#include <string>

namespace emulator {

struct Intrinsic {
  const char *name;
  /// Writes the result, if there is one; reads its arguments from their
  /// addresses.
  void (*call)(void *result, void **arguments);
};

/// Null if the emulator has none of this name.
const Intrinsic *findIntrinsic(const std::string &name);

} // namespace emulator

#endif // RELATTN_TEST_GPU_EMULATOR_INTRINSICS_H
