//===- Pipelines.h - Whole-module pipelines ---------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pipelines are lists of passes. Each takes a whole module to its target.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_PIPELINES_PIPELINES_H
#define RELATTN_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassOptions.h"
#include "relattn/GPU/GPUChip.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace mlir::relattn {

/// How attention is scheduled for a CPU.
enum class CPUSchedule { Tuned, Reference };

/// How the loops of a CPU target share the machine.
enum class CPUThreads { None, OpenMP };

/// How a CPU's matrix unit, which multiplies bf16, is used; named as PyTorch's
/// precisions of products of f32 are. The number is that of a weight's parts.
enum class CPUMatrixUnit { None, Medium, High, Highest };

struct RelAttnToCPUOptions : public PassPipelineOptions<RelAttnToCPUOptions> {
  Option<CPUSchedule> schedule{
      *this, "schedule",
      llvm::cl::desc("Schedule of the attention ops (default: tuned)"),
      llvm::cl::init(CPUSchedule::Tuned),
      llvm::cl::values(
          clEnumValN(CPUSchedule::Tuned, "tuned",
                     "relattn-tile-attention, then vectors; what that leaves "
                     "alone takes the reference schedule"),
          clEnumValN(CPUSchedule::Reference, "reference",
                     "convert-relattn-to-linalg, then loops: every legal op"))};
  Option<CPUThreads> threads{
      *this, "threads", llvm::cl::desc("Threading (default: none)"),
      llvm::cl::init(CPUThreads::None),
      llvm::cl::values(
          clEnumValN(CPUThreads::None, "none", "one thread"),
          clEnumValN(CPUThreads::OpenMP, "openmp",
                     "OpenMP; the program needs the OpenMP run-time library"))};
  Option<std::string> targetCPU{
      *this, "target-cpu",
      llvm::cl::desc("CPU to compile for, as LLVM names it (default: native, "
                     "the host's); tile sizes follow its registers"),
      llvm::cl::init("native")};
  Option<std::string> targetFeatures{
      *this, "target-features",
      llvm::cl::desc("Changes of the CPU's features, such as +avx2,-avx512f"),
      llvm::cl::init("")};
  Option<int64_t> workers{
      *this, "workers",
      llvm::cl::desc("Threads that want a block of queries, or a part of the "
                     "keys of a single one (default: 0, those of the host with "
                     "threads=openmp, else 1)"),
      llvm::cl::init(0)};
  Option<bool> dynamicRows{
      *this, "dynamic-rows",
      llvm::cl::desc("Look at a dynamic number of queries at run time, for the "
                     "rows of a decode step: code for few and for many "
                     "(default: false, many)"),
      llvm::cl::init(false)};
  Option<CPUMatrixUnit> matrixUnit{
      *this, "matrix-unit",
      llvm::cl::desc(
          "Use of the CPU's matrix unit, Intel's AMX, for many queries "
          "(default: none); an error where the CPU has none"),
      llvm::cl::init(CPUMatrixUnit::None),
      llvm::cl::values(
          clEnumValN(CPUMatrixUnit::None, "none", "fused multiply-adds"),
          clEnumValN(CPUMatrixUnit::Highest, "highest",
                     "each f32 as three bf16: errors as of f32"),
          clEnumValN(CPUMatrixUnit::High, "high",
                     "weights, and values of f32, as two: 2^-16 of the largest "
                     "value"),
          clEnumValN(CPUMatrixUnit::Medium, "medium",
                     "weights as one bf16: 2^-8 of the largest value"))};
};

/// relattn-to-cpu: from relattn, linalg, tensor, arith, math, scf and func to
/// the LLVM dialect (and OpenMP's), function boundaries as plain row-major
/// memrefs. An op that no pass lowers is an error at its location.
void buildRelAttnToCPUPipeline(OpPassManager &pm,
                               const RelAttnToCPUOptions &options);

/// What relattn-to-gpu leaves in `gpu.binary`.
enum class GPUFormat { ISA, Binary, Offload, LLVM };

/// What it makes of host code.
enum class GPUHost { LLVM, GPU };

struct RelAttnToGPUOptions : public PassPipelineOptions<RelAttnToGPUOptions> {
  Option<GPUTarget> target{
      *this, "target", llvm::cl::desc("Whose GPU (default: nvvm)"),
      llvm::cl::init(GPUTarget::NVVM),
      llvm::cl::values(
          clEnumValN(GPUTarget::NVVM, "nvvm", "NVIDIA's"),
          clEnumValN(GPUTarget::ROCDL, "rocdl", "AMD's"),
          clEnumValN(GPUTarget::SPIRV, "spirv", "any with OpenCL or Vulkan"))};
  Option<std::string> chip{
      *this, "chip",
      llvm::cl::desc("GPU to compile for (default: sm_80, gfx90a, opencl)"),
      llvm::cl::init("")};
  Option<GPUFormat> format{
      *this, "format", llvm::cl::desc("What gpu.binary holds (default: isa)"),
      llvm::cl::init(GPUFormat::ISA),
      llvm::cl::values(
          clEnumValN(GPUFormat::ISA, "isa",
                     "PTX, compiled by the driver; AMD's assembly"),
          clEnumValN(GPUFormat::Binary, "binary",
                     "machine code; needs ptxas, or ld.lld, on PATH"),
          clEnumValN(GPUFormat::LLVM, "llvm", "optimised LLVM bitcode"),
          clEnumValN(GPUFormat::Offload, "offload",
                     "LLVM bitcode as translated"))};
  Option<GPUHost> host{
      *this, "host", llvm::cl::desc("What host code becomes (default: llvm)"),
      llvm::cl::init(GPUHost::LLVM),
      llvm::cl::values(
          clEnumValN(GPUHost::LLVM, "llvm",
                     "the LLVM dialect, with calls of MLIR's mgpu functions"),
          clEnumValN(GPUHost::GPU, "gpu",
                     "launches of the gpu dialect, for other runtimes"))};
  Option<int64_t> warps{*this, "warps",
                        llvm::cl::desc("Warps of a workgroup (default: 4)"),
                        llvm::cl::init(4)};
  Option<int64_t> rowTiles{
      *this, "row-tiles",
      llvm::cl::desc("Times 16 queries of each warp (default: 2)"),
      llvm::cl::init(2)};
  Option<int64_t> keys{*this, "keys",
                       llvm::cl::desc("Keys of a tile (default: 64)"),
                       llvm::cl::init(64)};
};

/// relattn-to-gpu: from relattn, linalg, tensor, arith, math, scf and func to
/// host code that launches kernels in `gpu.binary`; tensors are in the GPU's
/// memory. What no schedule takes is an error at its location.
void buildRelAttnToGPUPipeline(OpPassManager &pm,
                               const RelAttnToGPUOptions &options);

struct RelAttnRaiseOptions : public PassPipelineOptions<RelAttnRaiseOptions> {
  Option<bool> assumeBoundedScores{
      *this, "assume-bounded-scores",
      llvm::cl::desc("Very low finite numbers hide a key where every query "
                     "keeps one"),
      llvm::cl::init(false)};
};

/// relattn-raise: from what frontends emit to relattn.attention, and the two
/// rewrites of linalg on what is left.
void buildRelAttnRaisePipeline(OpPassManager &pm,
                               const RelAttnRaiseOptions &options);

/// Registers every pipeline of the project under its flag.
void registerRelAttnPipelines();

} // namespace mlir::relattn

#endif // RELATTN_PIPELINES_PIPELINES_H
