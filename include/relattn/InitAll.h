//===- InitAll.h - Everything of relattn, registered ------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one list that relattn-opt, the plugin, the language server and the
// reducer share.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_INITALL_H
#define RELATTN_INITALL_H

#include "mlir/IR/DialectRegistry.h"
#include "relattn/Conversion/Passes.h"
#include "relattn/GPU/Passes.h"
#include "relattn/IR/RelAttn.h"
#include "relattn/Pipelines/Pipelines.h"
#include "relattn/Raising/Passes.h"
#include "relattn/Tiling/Passes.h"
#include "relattn/TransformOps/RelAttnTransformOps.h"
#include "relattn/Transforms/Passes.h"

namespace mlir::relattn {

inline void registerAllDialects(DialectRegistry &registry) {
  registry.insert<RelAttnDialect>();
  registerTransformDialectExtension(registry);
}

inline void registerAllPasses() {
  registerRelAttnConversionPasses();
  registerRelAttnTransformsPasses();
  registerRelAttnRaisingPasses();
  registerRelAttnTilingPasses();
  registerRelAttnGPUPasses();
  registerRelAttnPipelines();
}

} // namespace mlir::relattn

#endif // RELATTN_INITALL_H
