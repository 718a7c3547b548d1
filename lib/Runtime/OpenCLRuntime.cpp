//===- OpenCLRuntime.cpp - Host code of GPU programs, on OpenCL -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that MLIR's lowering of the gpu dialect calls (mgpu*), for
// kernels in SPIR-V. Tensors are in the host's memory: a launch moves its
// buffers to the device and what it wrote back, and waits. The device is the
// first one of the first platform (which OCL_ICD_VENDORS can choose).
//
// A device that takes no SPIR-V but SPIR, its older form as LLVM bitcode (PoCL
// before version 5, Oclgrind), gets it from the translator `llvm-spirv-15`,
// which is looked for on PATH.
//
// An error ends the process with its name, at once (what runs at its end may
// need the device): host code has no way to return it.
//
//===----------------------------------------------------------------------===//

#define CL_TARGET_OPENCL_VERSION 300
#include "HostMemory.h"
#include <CL/cl.h>
#include <cerrno>
#include <map>
#include <mutex>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char **environ;

namespace {

void check(cl_int result, const char *what, const char *name = "") {
  if (result == CL_SUCCESS)
    return;
  fprintf(stderr, "relattn: error: OpenCL: %s%s failed with code %d\n", what,
          name, result);
  fflush(nullptr);
  _Exit(1);
}

struct Device {
  Device() {
    cl_platform_id platform;
    cl_uint count = 0;
    if (clGetPlatformIDs(1, &platform, &count) != CL_SUCCESS || count == 0) {
      fprintf(stderr, "relattn: error: OpenCL: no platform\n");
      fflush(nullptr);
      _Exit(1);
    }
    check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr),
          "clGetDeviceIDs");
    cl_int error;
    context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &error);
    check(error, "clCreateContext");
    queue =
        clCreateCommandQueueWithProperties(context, device, nullptr, &error);
    check(error, "clCreateCommandQueueWithProperties");
    takesSPIRV = !getString(CL_DEVICE_IL_VERSION).empty();
    watchForEnd();
  }

  std::string getString(cl_device_info what) const {
    size_t size = 0;
    if (clGetDeviceInfo(device, what, 0, nullptr, &size) != CL_SUCCESS ||
        size == 0)
      return "";
    std::string text(size, '\0');
    check(clGetDeviceInfo(device, what, size, text.data(), nullptr),
          "clGetDeviceInfo");
    text.resize(size - 1);
    return text;
  }

  cl_device_id device;
  cl_context context;
  cl_command_queue queue;
  bool takesSPIRV;
};

const Device &getDevice() {
  static Device device;
  return device;
}

/// A file that is gone with the object.
class TemporaryFile {
public:
  TemporaryFile() {
    const char *folder = getenv("TMPDIR");
    path = std::string(folder && *folder ? folder : "/tmp") + "/relattn-XXXXXX";
    int file = mkstemp(path.data());
    if (file < 0) {
      perror("relattn: error: a temporary file");
      fflush(nullptr);
      _Exit(1);
    }
    close(file);
  }
  ~TemporaryFile() { unlink(path.c_str()); }

  void write(const void *data, size_t size) {
    FILE *file = fopen(path.c_str(), "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) {
      perror("relattn: error: a temporary file");
      fflush(nullptr);
      _Exit(1);
    }
  }
  std::vector<unsigned char> read() {
    std::vector<unsigned char> bytes;
    unsigned char block[4096];
    FILE *file = fopen(path.c_str(), "rb");
    while (size_t size = file ? fread(block, 1, sizeof(block), file) : 0)
      bytes.insert(bytes.end(), block, block + size);
    if (file)
      fclose(file);
    return bytes;
  }

  std::string path;
};

/// Nothing if that fails.
std::vector<unsigned char> translateToSPIR(const void *data, size_t size) {
  TemporaryFile input, output;
  input.write(data, size);
  const char *command[] = {"llvm-spirv-15",     "-r",
                           input.path.c_str(),  "-o",
                           output.path.c_str(), nullptr};
  pid_t child;
  if (posix_spawnp(&child, command[0], nullptr, nullptr,
                   const_cast<char **>(command), environ) != 0)
    return {};
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return {};
  if (status != 0)
    return {};
  return output.read();
}

class Program {
public:
  Program(const void *data, size_t size) {
    const Device &device = getDevice();
    cl_int error;
    const char *flags = "";
    if (device.takesSPIRV) {
      program = clCreateProgramWithIL(device.context, data, size, &error);
    } else {
      std::vector<unsigned char> bitcode = translateToSPIR(data, size);
      if (bitcode.empty()) {
        fprintf(stderr,
                "relattn: error: OpenCL: this device takes no SPIR-V, and "
                "llvm-spirv-15, which makes SPIR of it, is not on PATH or "
                "failed\n");
        fflush(nullptr);
        _Exit(1);
      }
      const unsigned char *bytes = bitcode.data();
      size_t length = bitcode.size();
      program = clCreateProgramWithBinary(device.context, 1, &device.device,
                                          &length, &bytes, nullptr, &error);
      flags = "-x spir -spir-std=1.2";
    }
    check(error, "creating a program");
    error = clBuildProgram(program, 1, &device.device, flags, nullptr, nullptr);
    if (error != CL_SUCCESS) {
      size_t length = 0;
      clGetProgramBuildInfo(program, device.device, CL_PROGRAM_BUILD_LOG, 0,
                            nullptr, &length);
      std::string log(length, '\0');
      clGetProgramBuildInfo(program, device.device, CL_PROGRAM_BUILD_LOG,
                            length, log.data(), nullptr);
      fprintf(stderr, "%s\n", log.c_str());
    }
    check(error, "clBuildProgram");
  }
  ~Program() {
    for (auto &kernel : kernels)
      clReleaseKernel(kernel.second);
    clReleaseProgram(program);
  }

  cl_kernel find(const char *name) {
    std::lock_guard<std::mutex> guard(mutex);
    cl_kernel &kernel = kernels[name];
    if (!kernel) {
      cl_int error;
      kernel = clCreateKernel(program, name, &error);
      check(error, "clCreateKernel ", name);
    }
    return kernel;
  }

private:
  cl_program program;
  std::map<std::string, cl_kernel> kernels;
  std::mutex mutex;
};

} // namespace

extern "C" {

void *mgpuModuleLoad(void *data, size_t size) {
  return new Program(data, size);
}
void mgpuModuleUnload(void *module) {
  if (!isEnding)
    delete static_cast<Program *>(module);
}
void *mgpuModuleGetFunction(void *module, const char *name) {
  return static_cast<Program *>(module)->find(name);
}

void mgpuLaunchKernel(void *function, intptr_t gridX, intptr_t gridY,
                      intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                      intptr_t blockZ, int32_t /*sharedBytes*/,
                      void * /*stream*/, void **pointers, void ** /*extra*/,
                      size_t count) {
  // A kernel object holds its arguments: one launch at a time.
  static std::mutex mutex;
  std::lock_guard<std::mutex> guard(mutex);
  const Device &device = getDevice();
  auto kernel = static_cast<cl_kernel>(function);
  LaunchArguments arguments(pointers, count);
  std::vector<cl_mem> buffers;
  for (size_t i = 0; i < arguments.getNumBuffers(); ++i) {
    auto [address, bytes, isWritten] = arguments.getBuffer(i);
    cl_int error;
    cl_mem_flags access = isWritten ? CL_MEM_READ_WRITE : CL_MEM_READ_ONLY;
    buffers.push_back(
        bytes ? clCreateBuffer(device.context, access | CL_MEM_COPY_HOST_PTR,
                               bytes, address, &error)
              : clCreateBuffer(device.context, access, 1, nullptr, &error));
    check(error, "clCreateBuffer");
    check(clSetKernelArg(kernel, i, sizeof(cl_mem), &buffers.back()),
          "an argument");
  }
  for (size_t i = 0; i < arguments.getNumIndices(); ++i) {
    int64_t index = arguments.getIndex(i);
    check(clSetKernelArg(kernel, buffers.size() + i, sizeof(index), &index),
          "an argument");
  }
  const size_t block[] = {size_t(blockX), size_t(blockY), size_t(blockZ)};
  const size_t threads[] = {size_t(gridX * blockX), size_t(gridY * blockY),
                            size_t(gridZ * blockZ)};
  check(clEnqueueNDRangeKernel(device.queue, kernel, 3, nullptr, threads, block,
                               0, nullptr, nullptr),
        "clEnqueueNDRangeKernel");
  for (size_t i = 0; i < buffers.size(); ++i)
    if (auto [address, bytes, isWritten] = arguments.getBuffer(i);
        isWritten && bytes)
      check(clEnqueueReadBuffer(device.queue, buffers[i], CL_TRUE, 0, bytes,
                                address, 0, nullptr, nullptr),
            "clEnqueueReadBuffer");
  check(clFinish(device.queue), "clFinish");
  for (cl_mem buffer : buffers)
    clReleaseMemObject(buffer);
}

} // extern "C"
