//===- RelAttnRaise.cpp - From frontends to relattn.attention -------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A list of passes.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "relattn/Pipelines/Pipelines.h"
#include "relattn/Raising/Passes.h"
#include "relattn/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::relattn;

static void addCleanups(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void relattn::buildRelAttnRaisePipeline(OpPassManager &pm,
                                        const RelAttnRaiseOptions &options) {
  addCleanups(pm);
  // First, while chains still say what they do beyond this program's lengths:
  // range analysis takes out the logarithm of a short one.
  pm.addPass(createRaiseBias());
  addCleanups(pm);
  // Frontends guard dynamic sizes against being negative, which no dimension
  // is; reshapes are read only where sizes are provably the same.
  pm.addPass(arith::createIntRangeOptimizationsPass());
  addCleanups(pm);
  pm.addPass(createRaiseBias());
  addCleanups(pm);
  RaiseAttentionOptions attention;
  attention.assumeBoundedScores = options.assumeBoundedScores;
  pm.addPass(createRaiseAttention(attention));
  addCleanups(pm);
  pm.addPass(createRemoveScaling());
  pm.addPass(createFoldBiasIntoScores());
  addCleanups(pm);
}
