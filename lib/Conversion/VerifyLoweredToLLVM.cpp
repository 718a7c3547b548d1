//===- VerifyLoweredToLLVM.cpp - Fail on ops left unlowered ---------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The promise of a whole-module pipeline, checked.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "relattn/Conversion/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_VERIFYLOWEREDTOLLVM
#include "relattn/Conversion/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;

namespace {
struct VerifyLoweredToLLVM
    : public relattn::impl::VerifyLoweredToLLVMBase<VerifyLoweredToLLVM> {
  void runOnOperation() override {
    getOperation()->walk([&](Operation *op) {
      if (isa<ModuleOp>(op) ||
          llvm::is_contained({"llvm", "omp"},
                             op->getName().getDialectNamespace()))
        return;
      op->emitOpError("has no lowering to the LLVM dialect in this pipeline");
      ++numLeft;
      signalPassFailure();
    });
  }
};
} // namespace
