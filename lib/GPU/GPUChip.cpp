//===- GPUChip.cpp - What a chip offers -----------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "relattn/GPU/GPUChip.h"
#include "llvm/TargetParser/TargetParser.h"

using namespace mlir::relattn;

static llvm::Expected<GPUChip> getAMD(llvm::StringRef name) {
  GPUChip chip{GPUTarget::ROCDL, name.str(), /*hasMatrixUnits=*/false,
               /*sharedBytes=*/64 * 1024, /*features=*/""};
  if (llvm::AMDGPU::parseArchAMDGCN(name) == llvm::AMDGPU::GK_NONE)
    return llvm::createStringError(
        "unknown chip '%s' of target=rocdl: expected one such as gfx90a or "
        "gfx942",
        name.str().c_str());
  return chip;
}

static llvm::Expected<GPUChip> getSPIRV(llvm::StringRef name) {
  if (name != "opencl" && name != "vulkan")
    return llvm::createStringError(
        "unknown chip '%s' of target=spirv: expected "
        "opencl or vulkan",
        name.str().c_str());
  return GPUChip{GPUTarget::SPIRV, name.str(), /*hasMatrixUnits=*/false,
                 /*sharedBytes=*/32 * 1024, /*features=*/""};
}

llvm::Expected<GPUChip> GPUChip::get(GPUTarget target, llvm::StringRef name) {
  if (target == GPUTarget::ROCDL)
    return getAMD(name.empty() ? "gfx90a" : name);
  if (target == GPUTarget::SPIRV)
    return getSPIRV(name.empty() ? "opencl" : name);
  GPUChip chip;
  if (name.empty())
    return chip;
  chip.name = name.str();
  int64_t capability;
  llvm::StringRef digits = name;
  if (!digits.consume_front("sm_") || digits.consumeInteger(10, capability) ||
      !(digits.empty() || digits == "a" || digits == "f"))
    return llvm::createStringError("unknown chip '%s' of target=nvvm: expected "
                                   "one such as sm_80, sm_90a or sm_120",
                                   name.str().c_str());
  if (capability < 70)
    return llvm::createStringError("chip %s is older than sm_70, the first one "
                                   "that kernels are made for",
                                   name.str().c_str());
  chip.hasMatrixUnits = capability >= 80;
  switch (capability) {
  case 70:
  case 72:
    chip.sharedBytes = 96 * 1024;
    break;
  case 75:
    chip.sharedBytes = 64 * 1024;
    break;
  case 86:
  case 89:
  case 120:
  case 121:
    chip.sharedBytes = 99 * 1024;
    break;
  case 80:
  case 87:
    break;
  default:
    chip.sharedBytes = 227 * 1024;
  }
  if (capability >= 100)
    chip.features = "+ptx86";
  return chip;
}
