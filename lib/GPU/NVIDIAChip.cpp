//===- NVIDIAChip.cpp - What a chip of NVIDIA offers ----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "relattn/GPU/NVIDIAChip.h"

using namespace mlir::relattn;

llvm::Expected<NVIDIAChip> NVIDIAChip::get(llvm::StringRef name) {
  NVIDIAChip chip;
  llvm::StringRef digits = name;
  if (!digits.consume_front("sm_") ||
      digits.consumeInteger(10, chip.capability) ||
      !(digits.empty() || digits == "a" || digits == "f"))
    return llvm::createStringError(
        "unknown chip '%s': expected one such as sm_80, sm_90a or sm_120",
        name.str().c_str());
  if (chip.capability < 70)
    return llvm::createStringError("chip %s is older than sm_70, the first one "
                                   "that kernels are made for",
                                   name.str().c_str());
  switch (chip.capability) {
  case 86:
  case 89:
  case 120:
  case 121:
    chip.sharedBytes = 99 * 1024;
    break;
  case 80:
  case 87:
    break;
  case 70:
  case 72:
    chip.sharedBytes = 96 * 1024;
    break;
  case 75:
    chip.sharedBytes = 64 * 1024;
    break;
  default:
    chip.sharedBytes = 227 * 1024;
  }
  if (chip.capability >= 100)
    chip.features = "+ptx86";
  return chip;
}
