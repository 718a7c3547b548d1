//===- CheckGPUTarget.cpp - What a target cannot do, before it is tried ---===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// After tiling: the chip, the tools, and each attention that no schedule took.
//
//===----------------------------------------------------------------------===//

#include "relattn/GPU/NVIDIAChip.h"
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
    llvm::Expected<NVIDIAChip> known = NVIDIAChip::get(chip);
    if (!known) {
      getOperation().emitError(llvm::toString(known.takeError()));
      return signalPassFailure();
    }
    if (needsAssembler && !llvm::sys::findProgramByName("ptxas")) {
      getOperation().emitError(
          "format=binary needs ptxas, which is not on PATH; "
          "format=isa leaves assembling to the driver");
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
