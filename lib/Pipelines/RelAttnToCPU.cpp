//===- RelAttnToCPU.cpp - relattn-to-cpu ----------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order holds three traps of MLIR 22: f16 and bf16 conversions must be
// expanded before LLVM sees them (the JIT has no library calls for bf16),
// memrefs must be finalised before scf becomes branches (allocations inside
// OpenMP regions sit in single-block scopes), and canonicalisation must run
// after bufferisation or copies of a buffer onto itself survive.
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "relattn/Conversion/Passes.h"
#include "relattn/Pipelines/Pipelines.h"
#include "relattn/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::relattn;

/// Tensors to buffers, in place where possible, freed where made.
static void addBufferization(OpPassManager &pm) {
  pm.addPass(createMarkManualDeallocation());
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  bufferization::OneShotBufferizePassOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(options));
  pm.addPass(createCanonicalizerPass());
  bufferization::BufferDeallocationPipelineOptions deallocation;
  bufferization::buildBufferDeallocationPipeline(pm, deallocation);
  pm.addPass(createConvertBufferizationToMemRefPass());
}

static void addLoops(OpPassManager &pm, CPUThreads threads) {
  OpPassManager &function = pm.nest<func::FuncOp>();
  if (threads == CPUThreads::OpenMP)
    function.addPass(createConvertLinalgToParallelLoopsPass());
  else
    function.addPass(createConvertLinalgToLoopsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  if (threads == CPUThreads::OpenMP)
    pm.addPass(createConvertSCFToOpenMPPass());
}

static void addLLVM(OpPassManager &pm) {
  // LLVM computes bf16 by calls that older run-time libraries have not.
  // The conversions of f16 get an attribute that LLVM dialect cannot print if
  // the first pass makes them; the next ones can do without.
  math::MathExtendToSupportedTypesOptions extend;
  extend.extraTypeStrs = {"f16"};
  pm.addPass(math::createMathExtendToSupportedTypes(extend));
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16"};
  emulate.targetTypeStr = "f32";
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createVerifyLoweredToLLVM());
}

void relattn::buildRelAttnToCPUPipeline(OpPassManager &pm,
                                        const RelAttnToCPUOptions &options) {
  pm.addPass(createConvertRelAttnToLinalg());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createConvertElementwiseToLinalgPass());
  addBufferization(pm);
  addLoops(pm, options.threads);
  addLLVM(pm);
}
