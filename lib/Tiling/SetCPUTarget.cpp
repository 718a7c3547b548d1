//===- SetCPUTarget.cpp - Functions carry their target --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the pass.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "relattn/Tiling/CPUTarget.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_SETCPUTARGET
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

namespace {
struct SetCPUTarget : public relattn::impl::SetCPUTargetBase<SetCPUTarget> {
  using SetCPUTargetBase::SetCPUTargetBase;

  void runOnOperation() override {
    llvm::Expected<CPUTarget> target = CPUTarget::get(cpu, features);
    if (!target) {
      getOperation().emitError(llvm::toString(target.takeError()));
      return signalPassFailure();
    }
    if (matrixUnit && !target->hasMatrixUnit()) {
      getOperation().emitError("target CPU '")
          << target->cpu
          << "' has no matrix unit that multiplies bf16 (amx-bf16)";
      return signalPassFailure();
    }
    getOperation().walk([&](func::FuncOp function) {
      if (!function.isExternal())
        setTarget(function, *target);
    });
  }

  /// LLVM's attributes of the function, but for those that it has.
  static void setTarget(func::FuncOp function, const CPUTarget &target) {
    Builder builder(function.getContext());
    SmallVector<Attribute> attributes;
    SmallVector<StringRef> known;
    if (auto old = function->getAttrOfType<ArrayAttr>("passthrough"))
      for (Attribute attribute : old) {
        attributes.push_back(attribute);
        if (auto pair = dyn_cast<ArrayAttr>(attribute))
          if (auto name = dyn_cast<StringAttr>(pair[0]))
            known.push_back(name.getValue());
      }
    auto add = [&](StringRef name, StringRef value) {
      if (!value.empty() && !llvm::is_contained(known, name))
        attributes.push_back(builder.getStrArrayAttr({name, value}));
    };
    add("target-cpu", target.cpu);
    add("target-features", target.features);
    // CPUs of whom LLVM thinks that wide vectors slow them down.
    if (target.getTileSizes().vectorBits == 512)
      add("prefer-vector-width", "512");
    function->setAttr("passthrough", builder.getArrayAttr(attributes));
  }
};
} // namespace
