//===- MarkManualDeallocation.cpp - Keep a program's own frees ------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stands before bufferisation in the pipelines, so that modules which manage
// some memory themselves are lowered too.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "relattn/Transforms/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_MARKMANUALDEALLOCATION
#include "relattn/Transforms/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using bufferization::BufferizationDialect;

namespace {
struct MarkManualDeallocation
    : public relattn::impl::MarkManualDeallocationBase<MarkManualDeallocation> {
  void runOnOperation() override {
    getOperation()->walk([&](MemoryEffectOpInterface op) {
      SmallVector<MemoryEffects::EffectInstance> effects;
      op.getEffects(effects);
      for (const MemoryEffects::EffectInstance &effect : effects) {
        Value value = effect.getValue();
        if (!isa<MemoryEffects::Free>(effect.getEffect()) || !value ||
            !isa<BaseMemRefType>(value.getType()))
          continue;
        mark(op);
        if (Operation *allocation = value.getDefiningOp())
          if (hasEffect<MemoryEffects::Allocate>(allocation, value))
            mark(allocation);
      }
    });
  }

  void mark(Operation *op) {
    op->setAttr(BufferizationDialect::kManualDeallocation,
                UnitAttr::get(op->getContext()));
    ++numMarked;
  }
};
} // namespace
