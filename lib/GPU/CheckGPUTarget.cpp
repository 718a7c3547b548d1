//===- CheckGPUTarget.cpp - What a target cannot do, before it is tried ---===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// After tiling: the chip, the tools, and each attention that no schedule took.
//
//===----------------------------------------------------------------------===//

#include "relattn/GPU/GPUChip.h"
#include "relattn/GPU/Passes.h"
#include "relattn/IR/RelAttn.h"
#include "relattn/Tiling/Transforms.h"
#include "llvm/Support/Program.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_CHECKGPUTARGET
#include "relattn/GPU/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

namespace {
struct CheckGPUTarget
    : public relattn::impl::CheckGPUTargetBase<CheckGPUTarget> {
  using CheckGPUTargetBase::CheckGPUTargetBase;

  void runOnOperation() override {
    llvm::Expected<GPUChip> known = GPUChip::get(target, chip);
    if (!known) {
      getOperation().emitError(llvm::toString(known.takeError()));
      return signalPassFailure();
    }
    if (target == GPUTarget::SPIRV && hasBitcode) {
      getOperation().emitError(
          "target=spirv has no LLVM bitcode: format=isa and "
          "format=binary give a SPIR-V module");
      return signalPassFailure();
    }
    StringRef assembler = target == GPUTarget::NVVM ? "ptxas" : "ld.lld";
    if (needsAssembler && target != GPUTarget::SPIRV &&
        !llvm::sys::findProgramByName(assembler)) {
      getOperation().emitError("format=binary needs ")
          << assembler << ", which is not on PATH; format=isa does not";
      return signalPassFailure();
    }
    getOperation().walk([&](AttentionOp op) {
      StringRef reason = getTilingObstacle(op, /*forWorkgroups=*/true);
      InFlightDiagnostic error = op.emitOpError("has no schedule on a GPU");
      if (!reason.empty())
        error << ": " << reason;
      signalPassFailure();
    });
  }
};
} // namespace
