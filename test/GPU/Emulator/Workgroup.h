//===- Workgroup.h - The threads of a workgroup on one CPU ------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every GPU thread is a fiber. Barriers and what a warp does together are
// places where all of it meet; in between, threads run one after another, in an
// order that RELATTN_EMULATOR chooses (a list of words):
//
//   reverse   the last thread first
//   greedy    a warp as far as it gets before the next one
//   eager     asynchronous copies land when they are issued, not when they are
//             waited for
//
// Together they make missing barriers and waits visible in the results. What
// cannot go on (a barrier that some threads never reach) and what a GPU would
// trap (an access outside of shared memory, a misaligned copy) ends the process
// with a message.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TEST_GPU_EMULATOR_WORKGROUP_H
#define RELATTN_TEST_GPU_EMULATOR_WORKGROUP_H

#include <array>
#include <cstdint>
#include <functional>

namespace emulator {

/// Prints the message and ends the process.
[[noreturn]] void fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

struct Dim3 {
  uint32_t x, y, z;
};

/// Runs `kernel` by every thread of every workgroup of the grid.
void launch(Dim3 grid, Dim3 block, uint32_t sharedBytes,
            const std::function<void()> &kernel);

// What the running thread asks.
Dim3 getThread();
Dim3 getBlock();
Dim3 getBlockSize();
Dim3 getGridSize();
void *getSharedMemory();

/// Ends the process unless all `bytes` from `address` on are shared memory and
/// `address` is a multiple of `alignment`.
void checkShared(const void *address, uint32_t bytes, uint32_t alignment,
                 const char *what);

/// All threads of the workgroup meet.
void barrier();

/// Of a warp.
constexpr uint32_t kLanes = 32;

/// What each lane of a warp brings to an exchange.
using Message = std::array<uint32_t, 16>;

/// All lanes of the warp meet; `use` sees what each brought, and which lane
/// this is.
void exchange(
    const char *what, const Message &own,
    const std::function<void(const Message *lanes, uint32_t lane)> &use);

// Asynchronous copies of the running thread: `bytes`, then zeros up to `size`.
void copyAsync(void *target, const void *source, uint32_t bytes, uint32_t size);
void commitGroup();
void waitGroup(uint32_t pending);

} // namespace emulator

#endif // RELATTN_TEST_GPU_EMULATOR_WORKGROUP_H
