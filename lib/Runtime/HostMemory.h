//===- HostMemory.h - Host code whose tensors are the host's ----*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What MLIR's lowering of the gpu dialect calls (mgpu*) beside modules and
// launches, where tensors are in the host's memory and launches are waited for.
// Included once by each run-time library of this kind.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RUNTIME_HOSTMEMORY_H
#define RELATTN_LIB_RUNTIME_HOSTMEMORY_H

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

/// Whether the process ends. Modules are unloaded after that, when drivers may
/// be gone.
static bool isEnding = false;
/// To be called when a driver has started.
[[maybe_unused]] static void watchForEnd() {
  atexit([] { isEnding = true; });
}

extern "C" {

void *mgpuStreamCreate() { return nullptr; }
void mgpuStreamDestroy(void *) {}
void mgpuStreamSynchronize(void *) {}
void mgpuStreamWaitEvent(void *, void *) {}
void *mgpuEventCreate() { return nullptr; }
void mgpuEventDestroy(void *) {}
void mgpuEventSynchronize(void *) {}
void mgpuEventRecord(void *, void *) {}

void *mgpuMemAlloc(uint64_t bytes, void * /*stream*/, bool /*isHostShared*/) {
  void *memory = malloc(bytes ? bytes : 1);
  if (!memory) {
    fprintf(stderr, "relattn: error: no memory for %llu bytes\n",
            static_cast<unsigned long long>(bytes));
    fflush(nullptr);
    _Exit(1);
  }
  memset(memory, 0xff, bytes); // NaN: what nobody wrote shows
  return memory;
}
void mgpuMemFree(void *memory, void * /*stream*/) { free(memory); }
void mgpuMemcpy(void *target, void *source, size_t bytes, void * /*stream*/) {
  memcpy(target, source, bytes);
}
void mgpuMemset32(void *target, unsigned value, size_t count, void *) {
  for (size_t i = 0; i < count; ++i)
    memcpy(static_cast<char *>(target) + 4 * i, &value, 4);
}
void mgpuMemset16(void *target, unsigned short value, size_t count, void *) {
  for (size_t i = 0; i < count; ++i)
    memcpy(static_cast<char *>(target) + 2 * i, &value, 2);
}

} // extern "C"

/// What a launch of a SPIR-V kernel passes (relattn-convert-kernels-to-spirv).
class LaunchArguments {
public:
  struct Buffer {
    void *address;
    size_t bytes;
    bool isWritten;
  };

  LaunchArguments(void **arguments, size_t count)
      : arguments(arguments), count(count), buffers(get(0)) {}

  size_t getNumBuffers() const { return buffers; }
  Buffer getBuffer(size_t i) const {
    return {reinterpret_cast<void *>(get(1 + 3 * i)),
            static_cast<size_t>(get(2 + 3 * i)), get(3 + 3 * i) != 0};
  }
  size_t getNumIndices() const { return count - 1 - 3 * buffers; }
  int64_t getIndex(size_t i) const { return get(1 + 3 * buffers + i); }

private:
  int64_t get(size_t i) const { return *static_cast<int64_t *>(arguments[i]); }

  void **arguments;
  size_t count, buffers;
};

#endif // RELATTN_LIB_RUNTIME_HOSTMEMORY_H
