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
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/VectorTransforms.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "relattn/Conversion/Passes.h"
#include "relattn/Pipelines/Pipelines.h"
#include "relattn/Tiling/CPUTarget.h"
#include "relattn/Tiling/Passes.h"
#include "relattn/Transforms/Passes.h"
#include "llvm/Support/Threading.h"

using namespace mlir;
using namespace mlir::relattn;

/// Canonicalisation that leaves regions as they are: structured control flow
/// has no blocks to erase, those of branches are LLVM's to merge, and to look
/// for them and for arguments that nothing uses takes 6 % of the instructions
/// that compile a kernel.
static std::unique_ptr<Pass> createCanonicalizer() {
  GreedyRewriteConfig config;
  config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
  return createCanonicalizerPass(config);
}

/// Attention to linalg on tiles, and these to vectors.
static void addTiles(OpPassManager &pm, const CPUTileSizes &sizes,
                     int64_t workers, const RelAttnToCPUOptions &options) {
  OpPassManager &function = pm.nest<func::FuncOp>();
  auto simplify = [&]() {
    function.addPass(createCanonicalizer());
    function.addPass(createCSEPass());
    function.addPass(createCanonicalizer());
  };
  TileAttentionOptions tiling;
  tiling.lanes = sizes.lanes;
  tiling.panels = sizes.panels;
  tiling.keys = sizes.keys;
  tiling.workers = workers;
  tiling.dynamicRows = options.dynamicRows;
  tiling.prefetch = true;
  tiling.weightParts = static_cast<int64_t>(options.matrixUnit.getValue());
  function.addPass(createTileAttention(tiling));
  function.addPass(createDecomposeAttention());
  TileRegistersOptions rows;
  rows.rows = sizes.rows;
  rows.vectorBits = sizes.vectorBits;
  function.addPass(createTileRegisters(rows));
  simplify();
  TileRegistersOptions reduction;
  reduction.reduction = true;
  function.addPass(createTileRegisters(reduction));
  simplify();
  VectorizeTilesOptions vectors;
  vectors.keyUnroll = sizes.getKeyUnroll();
  function.addPass(createVectorizeTiles(vectors));
  simplify();
}

/// Tiles live on the stacks of the workers; the program's own buffers stay
/// where they are.
static bool isTile(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  constexpr int64_t kMaxBits = int64_t(256 * 1024) * 8;
  return type.hasStaticShape() && type.getElementType().isIntOrFloat() &&
         type.getNumElements() * type.getElementTypeBitWidth() <= kMaxBits &&
         !buffer.getDefiningOp()->hasAttr(
             bufferization::BufferizationDialect::kManualDeallocation) &&
         buffer.getDefiningOp()->getParentOfType<scf::ForallOp>();
}

/// Tensors to buffers, in place where possible, freed where made.
static void addBufferization(OpPassManager &pm,
                             const RelAttnToCPUOptions &options) {
  CPUThreads threads = options.threads;
  pm.addPass(createMarkManualDeallocation());
  // No empty-tensor-elimination: it computes in the buffer of a destination
  // (materialize_in_destination) what later values may be computed in as well,
  // which no analysis of tensors sees: the destination is overwritten.
  pm.addPass(bufferization::createEmptyTensorToAllocTensorPass());
  bufferization::OneShotBufferizePassOptions oneShot;
  oneShot.bufferizeFunctionBoundaries = true;
  oneShot.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(createHideIndices());
  pm.addPass(bufferization::createOneShotBufferizePass(oneShot));
  pm.addPass(createShowIndices());
  pm.addPass(createCanonicalizer());
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizer());
  // On the stack, threads have tiles of their own for nothing. One thread has
  // them on the heap: canonicalisation would gather the stack of all
  // attentions of a function in one frame.
  if (threads == CPUThreads::OpenMP)
    pm.addNestedPass<func::FuncOp>(
        bufferization::createPromoteBuffersToStackPass(isTile));
  if (options.matrixUnit != CPUMatrixUnit::None)
    pm.addPass(createConvertTilesToAMX());
  pm.addPass(createSpreadPrefetches());
  pm.addPass(createOutlineTiles());
  pm.addPass(createCanonicalizer());
  pm.addPass(createCSEPass());
  LowerTilesToLoopsOptions lowering;
  lowering.oneWorker = threads == CPUThreads::None;
  pm.addNestedPass<func::FuncOp>(createLowerTilesToLoops(lowering));
  pm.addNestedPass<func::FuncOp>(threads == CPUThreads::OpenMP
                                     ? createForallToParallelLoopPass()
                                     : createForallToForLoopPass());
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
  pm.addPass(createCanonicalizer());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  if (threads == CPUThreads::OpenMP) {
    pm.addPass(createConvertSCFToOpenMPPass());
    pm.addPass(createBalanceTiles());
  }
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
  pm.addPass(createConvertVectorToSCFPass(
      VectorTransferToSCFOptions().enableFullUnroll()));
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  ConvertVectorToLLVMPassOptions vectors;
  vectors.vectorContractLowering = vector::VectorContractLowering::OuterProduct;
  vectors.vectorTransposeLowering = vector::VectorTransposeLowering::Shuffle1D;
  pm.addPass(createConvertVectorToLLVMPass(vectors));
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizer());
  pm.addPass(createVerifyLoweredToLLVM());
}

void relattn::buildRelAttnToCPUPipeline(OpPassManager &pm,
                                        const RelAttnToCPUOptions &options) {
  // relattn-set-cpu-target says what is wrong with an unknown CPU.
  llvm::Expected<CPUTarget> known =
      CPUTarget::get(options.targetCPU, options.targetFeatures);
  if (!known)
    llvm::consumeError(known.takeError());
  CPUTileSizes sizes = (known ? *known : CPUTarget{}).getTileSizes();
  if (options.schedule == CPUSchedule::Tuned) {
    int64_t workers = options.workers;
    if (workers == 0)
      workers = options.threads == CPUThreads::OpenMP
                    ? llvm::hardware_concurrency().compute_thread_count()
                    : 1;
    addTiles(pm, sizes, workers, options);
  }
  // Tiles that somebody else made.
  pm.addNestedPass<func::FuncOp>(createDecomposeAttention());
  pm.addPass(createConvertRelAttnToLinalg());
  pm.addPass(createCanonicalizer());
  pm.addPass(createConvertElementwiseToLinalgPass());
  addBufferization(pm, options);
  ExpandExpOptions exponentials;
  exponentials.hasFMA = sizes.hasFMA;
  exponentials.avx512 = sizes.hasAVX512Exp;
  pm.addNestedPass<func::FuncOp>(createExpandExp(exponentials));
  SetCPUTargetOptions target;
  target.cpu = options.targetCPU;
  target.features = options.targetFeatures;
  target.matrixUnit = options.matrixUnit != CPUMatrixUnit::None;
  pm.addPass(createSetCPUTarget(target));
  addLoops(pm, options.threads);
  addLLVM(pm);
}
