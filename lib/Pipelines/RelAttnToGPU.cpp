//===- RelAttnToGPU.cpp - relattn-to-gpu ----------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The levels of the CPU's tuned path as far as linalg on tiles; these become
// kernels, and the rest is upstream's way from the gpu dialect on.
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "relattn/GPU/GPUChip.h"
#include "relattn/GPU/Passes.h"
#include "relattn/Pipelines/Pipelines.h"
#include "relattn/Tiling/Passes.h"
#include "relattn/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::relattn;

/// Loops of one iteration stay loops: those over workgroups become kernels, and
/// those over keys are what the kernels' copies follow.
static void simplify(OpPassManager &pm) {
  static const std::string kept[] = {
      "(anonymous namespace)::SimplifyTrivialLoops",
      "(anonymous namespace)::ForallOpSingleOrZeroIterationDimsFolder",
      "(anonymous namespace)::ForallOpReplaceConstantInductionVar"};
  auto canonicalize = [&]() {
    return createCanonicalizerPass(GreedyRewriteConfig(), kept);
  };
  pm.addPass(canonicalize());
  pm.addPass(createCSEPass());
  pm.addPass(canonicalize());
}

static StringRef getFormat(GPUFormat format) {
  switch (format) {
  case GPUFormat::ISA:
    return "isa";
  case GPUFormat::Binary:
    return "bin";
  case GPUFormat::LLVM:
    return "llvm";
  case GPUFormat::Offload:
    return "offloading";
  }
  llvm_unreachable("unknown format");
}

/// Kernels to LLVM's dialect, their gpu ops by `convert`: as in upstream's
/// gpu-lower-to-nvvm-pipeline, which does the same to host code at once.
static void addLLVM(OpPassManager &kernels, std::unique_ptr<Pass> convert) {
  kernels.addPass(createConvertVectorToSCFPass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createArithToLLVMConversionPass());
  kernels.addPass(createConvertIndexToLLVMPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(std::move(convert));
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
}

static void addNVVM(OpPassManager &pm, const GPUChip &chip) {
  GpuNVVMAttachTargetOptions attach;
  attach.chip = chip.name;
  attach.features = chip.features.str();
  attach.optLevel = 3;
  pm.addPass(createGpuNVVMAttachTarget(attach));
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createSetOccupancy());
  kernels.addPass(createConvertNVGPUToNVVMPass());
  kernels.addPass(createConvertNVVMToLLVMPass());
  addLLVM(kernels, createConvertGpuOpsToNVVMOps());
}

static void addROCDL(OpPassManager &pm, const GPUChip &chip) {
  GpuROCDLAttachTargetOptions attach;
  attach.chip = chip.name;
  attach.optLevel = 3;
  pm.addPass(createGpuROCDLAttachTarget(attach));
  ConvertGpuOpsToROCDLOpsOptions rocdl;
  rocdl.chipset = chip.name;
  addLLVM(pm.nest<gpu::GPUModuleOp>(), createConvertGpuOpsToROCDLOps(rocdl));
}

/// Kernels to the spirv dialect, without LLVM.
static void addSPIRV(OpPassManager &pm, const GPUChip &chip) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(memref::createFoldMemRefAliasOpsPass());
  kernels.addPass(createLowerAffinePass());
  simplify(kernels);
  ConvertKernelsToSPIRVOptions convert;
  convert.chip = chip.name;
  pm.addPass(createConvertKernelsToSPIRV(convert));
  OpPassManager &modules = pm.nest<gpu::GPUModuleOp>().nest<spirv::ModuleOp>();
  modules.addPass(spirv::createSPIRVLowerABIAttributesPass());
  modules.addPass(spirv::createSPIRVUpdateVCEPass());
}

/// Host code to LLVM's dialect: calls of the mgpu functions.
static void addHost(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createGpuAsyncRegionPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createGpuToLLVMConversionPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void relattn::buildRelAttnToGPUPipeline(OpPassManager &pm,
                                        const RelAttnToGPUOptions &options) {
  // relattn-check-gpu-target says what is wrong with an unknown chip.
  llvm::Expected<GPUChip> known = GPUChip::get(options.target, options.chip);
  if (!known)
    llvm::consumeError(known.takeError());
  GPUChip chip = known ? *known : GPUChip{options.target};

  TileAttentionOptions tiling;
  tiling.workgroups = true;
  tiling.matrixUnits = chip.hasMatrixUnits;
  tiling.sharedBytes = chip.sharedBytes;
  tiling.lanes = options.warps * options.rowTiles * 16;
  tiling.keys = options.keys;
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(createTileAttention(tiling));
  CheckGPUTargetOptions check;
  check.target = options.target;
  check.chip = options.chip;
  check.needsAssembler = options.format == GPUFormat::Binary;
  check.hasBitcode =
      options.format == GPUFormat::LLVM || options.format == GPUFormat::Offload;
  pm.addPass(createCheckGPUTarget(check));
  DecomposeAttentionOptions decomposition;
  decomposition.workgroups = true;
  OpPassManager &tiles = pm.nest<func::FuncOp>();
  tiles.addPass(createDecomposeAttention(decomposition));
  simplify(tiles);

  pm.addPass(createMarkManualDeallocation());
  pm.addPass(bufferization::createEmptyTensorToAllocTensorPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  simplify(pm);

  // Before kernels: it refuses instructions whose effects it does not know.
  // Upstream's pipeline of these, with our canonicalisation.
  pm.addPass(bufferization::createOwnershipBasedBufferDeallocationPass());
  simplify(pm);
  pm.addPass(bufferization::createBufferDeallocationSimplificationPass());
  pm.addPass(bufferization::createLowerDeallocationsPass());
  pm.addPass(createConvertBufferizationToMemRefPass());
  simplify(pm);
  ConvertTilesToGPUOptions kernels;
  kernels.warps = options.warps;
  kernels.rowTiles = options.rowTiles;
  kernels.target = options.target;
  kernels.sharedBytes = chip.sharedBytes;
  kernels.hasMatrixUnits = chip.hasMatrixUnits;
  pm.addNestedPass<func::FuncOp>(createConvertTilesToGPU(kernels));
  pm.addNestedPass<func::FuncOp>(createAllocateOnGPU());
  // At once, or constants of a kernel would become the host's again; those that
  // are the host's become the kernel's, not its arguments.
  pm.addPass(createGpuLaunchSinkIndexComputationsPass());
  pm.addPass(createGpuKernelOutliningPass());
  pm.addPass(createLowerAffinePass());
  simplify(pm);
  GPUFormat format = options.format;
  switch (chip.target) {
  case GPUTarget::NVVM:
    addNVVM(pm, chip);
    break;
  case GPUTarget::ROCDL:
    addROCDL(pm, chip);
    break;
  case GPUTarget::SPIRV:
    addSPIRV(pm, chip);
    format = GPUFormat::Binary; // there is no other
    break;
  }
  GpuModuleToBinaryPassOptions binary;
  binary.compilationTarget = getFormat(format).str();
  pm.addPass(createGpuModuleToBinaryPass(binary));
  if (options.host == GPUHost::LLVM) {
    addHost(pm);
    return;
  }
  simplify(pm);
  pm.addPass(createSymbolDCEPass()); // constants that kernels have now
}
