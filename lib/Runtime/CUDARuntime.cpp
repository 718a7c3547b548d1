//===- CUDARuntime.cpp - What host code of GPU programs calls -------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that MLIR's lowering of the gpu dialect calls (mgpu*), on
// CUDA's driver interface. Debian's MLIR has no such library. The driver is
// found at run time, so that this builds and loads without one.
//
// Kernels run in the stream that `relattnSetStream` names (a CUstream), of the
// calling thread, and the caller waits for it; without one in a stream of its
// own, for which the host code waits. The context is the device's primary one,
// which PyTorch and the CUDA run-time library use as well.
//
// An error of the driver ends the process with its name, at once (what runs at
// its end may need the driver): host code has no way to return it.
//
//===----------------------------------------------------------------------===//

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

// CUDA's driver interface, as far as it is used here.
using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;

namespace {

constexpr int kMaxDynamicSharedBytes = 8; // CU_FUNC_ATTRIBUTE_...
constexpr unsigned kNonBlocking = 1;      // CU_STREAM_NON_BLOCKING
constexpr unsigned kNoTiming = 2;         // CU_EVENT_DISABLE_TIMING

struct Driver {
  Driver() {
    library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
      fprintf(stderr, "relattn: error: no CUDA driver: %s\n", dlerror());
      fflush(nullptr);
      _Exit(1);
    }
    load(errorName, "cuGetErrorName");
    load(errorString, "cuGetErrorString");
    CUresult (*initialize)(unsigned);
    CUresult (*getDevice)(CUdevice *, int);
    CUresult (*retain)(CUcontext *, CUdevice);
    load(initialize, "cuInit");
    load(getDevice, "cuDeviceGet");
    load(retain, "cuDevicePrimaryCtxRetain");
    load(getCurrent, "cuCtxGetCurrent");
    load(setCurrent, "cuCtxSetCurrent");
    load(loadModule, "cuModuleLoadData");
    load(unloadModule, "cuModuleUnload");
    load(getFunction, "cuModuleGetFunction");
    load(setAttribute, "cuFuncSetAttribute");
    load(launch, "cuLaunchKernel");
    load(createStream, "cuStreamCreate");
    load(destroyStream, "cuStreamDestroy_v2");
    load(synchronizeStream, "cuStreamSynchronize");
    load(waitEvent, "cuStreamWaitEvent");
    load(createEvent, "cuEventCreate");
    load(destroyEvent, "cuEventDestroy_v2");
    load(recordEvent, "cuEventRecord");
    load(synchronizeEvent, "cuEventSynchronize");
    load(allocate, "cuMemAllocAsync");
    load(release, "cuMemFreeAsync");
    load(copy, "cuMemcpyAsync");
    load(set32, "cuMemsetD32Async");
    load(set16, "cuMemsetD16Async");
    CUdevice device;
    check(initialize(0), "cuInit");
    check(getDevice(&device, 0), "cuDeviceGet");
    check(retain(&primary, device), "cuDevicePrimaryCtxRetain");
  }

  template <typename Function>
  void load(Function *&function, const char *name) {
    function = reinterpret_cast<Function *>(dlsym(library, name));
    if (!function) {
      fprintf(stderr, "relattn: error: the CUDA driver has no %s\n", name);
      fflush(nullptr);
      _Exit(1);
    }
  }

  void check(CUresult result, const char *what) const {
    if (result == 0)
      return;
    const char *name = "an unknown error", *text = "";
    errorName(result, &name);
    errorString(result, &text);
    fprintf(stderr, "relattn: error: %s: %s (%s)\n", what, name, text);
    fflush(nullptr);
    _Exit(1);
  }

  void *library;
  CUcontext primary;
  CUresult (*errorName)(CUresult, const char **);
  CUresult (*errorString)(CUresult, const char **);
  CUresult (*getCurrent)(CUcontext *);
  CUresult (*setCurrent)(CUcontext);
  CUresult (*loadModule)(CUmodule *, const void *);
  CUresult (*unloadModule)(CUmodule);
  CUresult (*getFunction)(CUfunction *, CUmodule, const char *);
  CUresult (*setAttribute)(CUfunction, int, int);
  CUresult (*launch)(CUfunction, unsigned, unsigned, unsigned, unsigned,
                     unsigned, unsigned, unsigned, CUstream, void **, void **);
  CUresult (*createStream)(CUstream *, unsigned);
  CUresult (*destroyStream)(CUstream);
  CUresult (*synchronizeStream)(CUstream);
  CUresult (*waitEvent)(CUstream, CUevent, unsigned);
  CUresult (*createEvent)(CUevent *, unsigned);
  CUresult (*destroyEvent)(CUevent);
  CUresult (*recordEvent)(CUevent, CUstream);
  CUresult (*synchronizeEvent)(CUevent);
  CUresult (*allocate)(CUdeviceptr *, size_t, CUstream);
  CUresult (*release)(CUdeviceptr, CUstream);
  CUresult (*copy)(CUdeviceptr, CUdeviceptr, size_t, CUstream);
  CUresult (*set32)(CUdeviceptr, unsigned, size_t, CUstream);
  CUresult (*set16)(CUdeviceptr, unsigned short, size_t, CUstream);
};

const Driver &getDriver() {
  static Driver driver;
  return driver;
}

/// The driver, with a context in the calling thread.
const Driver &enter() {
  const Driver &driver = getDriver();
  CUcontext current = nullptr;
  driver.check(driver.getCurrent(&current), "cuCtxGetCurrent");
  if (!current)
    driver.check(driver.setCurrent(driver.primary), "cuCtxSetCurrent");
  return driver;
}

thread_local CUstream callersStream = nullptr;
thread_local bool hasCallersStream = false;

} // namespace

extern "C" {

/// Kernels of the calling thread run in `stream` from here on; the caller
/// waits.
void relattnSetStream(CUstream stream) {
  callersStream = stream;
  hasCallersStream = true;
}

CUmodule mgpuModuleLoad(void *data, size_t /*size*/) {
  const Driver &driver = enter();
  CUmodule module = nullptr;
  driver.check(driver.loadModule(&module, data), "cuModuleLoadData");
  return module;
}
/// PTX; the driver's default optimisation is its highest.
CUmodule mgpuModuleLoadJIT(void *data, int /*level*/) {
  return mgpuModuleLoad(data, 0);
}
void mgpuModuleUnload(CUmodule module) {
  // At the end of a process the driver may be gone before.
  (void)getDriver().unloadModule(module);
}

CUfunction mgpuModuleGetFunction(CUmodule module, const char *name) {
  const Driver &driver = enter();
  CUfunction function = nullptr;
  driver.check(driver.getFunction(&function, module, name), name);
  return function;
}

void mgpuLaunchKernel(CUfunction function, intptr_t gridX, intptr_t gridY,
                      intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                      intptr_t blockZ, int32_t sharedBytes, CUstream stream,
                      void **arguments, void **extra, size_t /*count*/) {
  const Driver &driver = enter();
  // Without it a block gets no more than 48 KB.
  if (sharedBytes > 0)
    driver.check(
        driver.setAttribute(function, kMaxDynamicSharedBytes, sharedBytes),
        "shared memory of a kernel");
  driver.check(driver.launch(function, gridX, gridY, gridZ, blockX, blockY,
                             blockZ, sharedBytes, stream, arguments, extra),
               "cuLaunchKernel");
}

CUstream mgpuStreamCreate() {
  const Driver &driver = enter();
  if (hasCallersStream)
    return callersStream;
  CUstream stream = nullptr;
  driver.check(driver.createStream(&stream, kNonBlocking), "cuStreamCreate");
  return stream;
}
void mgpuStreamDestroy(CUstream stream) {
  if (!hasCallersStream)
    getDriver().check(getDriver().destroyStream(stream), "cuStreamDestroy");
}
void mgpuStreamSynchronize(CUstream stream) {
  if (!hasCallersStream)
    getDriver().check(getDriver().synchronizeStream(stream),
                      "cuStreamSynchronize");
}
void mgpuStreamWaitEvent(CUstream stream, CUevent event) {
  getDriver().check(getDriver().waitEvent(stream, event, 0),
                    "cuStreamWaitEvent");
}

CUevent mgpuEventCreate() {
  CUevent event = nullptr;
  enter().check(getDriver().createEvent(&event, kNoTiming), "cuEventCreate");
  return event;
}
void mgpuEventDestroy(CUevent event) {
  getDriver().check(getDriver().destroyEvent(event), "cuEventDestroy");
}
void mgpuEventSynchronize(CUevent event) {
  getDriver().check(getDriver().synchronizeEvent(event), "cuEventSynchronize");
}
void mgpuEventRecord(CUevent event, CUstream stream) {
  getDriver().check(getDriver().recordEvent(event, stream), "cuEventRecord");
}

void *mgpuMemAlloc(uint64_t bytes, CUstream stream, bool /*isHostShared*/) {
  CUdeviceptr memory = 0;
  if (bytes)
    enter().check(getDriver().allocate(&memory, bytes, stream),
                  "cuMemAllocAsync");
  return reinterpret_cast<void *>(memory);
}
void mgpuMemFree(void *memory, CUstream stream) {
  if (memory)
    getDriver().check(
        getDriver().release(reinterpret_cast<CUdeviceptr>(memory), stream),
        "cuMemFreeAsync");
}
void mgpuMemcpy(void *target, void *source, size_t bytes, CUstream stream) {
  enter().check(getDriver().copy(reinterpret_cast<CUdeviceptr>(target),
                                 reinterpret_cast<CUdeviceptr>(source), bytes,
                                 stream),
                "cuMemcpyAsync");
}
void mgpuMemset32(void *target, unsigned value, size_t count, CUstream stream) {
  enter().check(getDriver().set32(reinterpret_cast<CUdeviceptr>(target), value,
                                  count, stream),
                "cuMemsetD32Async");
}
void mgpuMemset16(void *target, unsigned short value, size_t count,
                  CUstream stream) {
  enter().check(getDriver().set16(reinterpret_cast<CUdeviceptr>(target), value,
                                  count, stream),
                "cuMemsetD16Async");
}

} // extern "C"
