//===- RegisterPipelines.cpp - Flags of the pipelines ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One line per pipeline.
//
//===----------------------------------------------------------------------===//

#include "mlir/Pass/PassRegistry.h"
#include "relattn/Pipelines/Pipelines.h"

using namespace mlir;

void relattn::registerRelAttnPipelines() {
  PassPipelineRegistration<RelAttnToCPUOptions>(
      "relattn-to-cpu",
      "Lower a whole module with attention to the LLVM dialect for a CPU",
      buildRelAttnToCPUPipeline);
  PassPipelineRegistration<RelAttnToGPUOptions>(
      "relattn-to-gpu",
      "Lower a whole module with attention to host code and kernels of a GPU",
      buildRelAttnToGPUPipeline);
  PassPipelineRegistration<RelAttnRaiseOptions>(
      "relattn-raise", "Raise what frontends emit to relattn.attention",
      buildRelAttnRaisePipeline);
}
