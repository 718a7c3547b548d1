//===- Passes.td - relattn GPU passes ----------------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From tiles on buffers (level 3) to kernels of a GPU.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_GPU_PASSES_TD
#define RELATTN_GPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertTilesToGPU : Pass<"relattn-convert-tiles-to-gpu",
                             "::mlir::func::FuncOp"> {
  let summary = "Turn loops over workgroups into kernels";
  let description = [{
    After bufferisation. Each `scf.forall` that `relattn-tile-attention` with
    `workgroups` made becomes a `gpu.launch`, a workgroup for each of its
    iterations:

    - attention with factors of f16 or bf16 and d and e that are multiples of 16 up
      to 128, by the *mma* schedule of NVIDIA GPUs from sm_80 on: tiles of scores
      and of the output in registers, as accumulators of `mma.m16n8k16`; queries,
      keys and values in shared memory, two tiles of keys in turn, filled by
      `cp.async` while the other is multiplied; the strip straight into the
      accumulators; the maximum by shuffles among the four lanes of a row; the output
      rescaled only if a warp has a row that asks for it (`vote`); 2^x by
      `ex2.approx.ftz`, weights rounded to the values' type;
    - other attention by the *simt* schedule: a few rows of queries for each few
      threads (SPIR-V: one for each), such that scores and output fit into
      registers and what is read serves several products; scores and output in
      registers, queries, keys, values and weights in shared memory, products by
      multiply-adds, nothing rounded but by the accumulator; values copied while
      scores are computed, the next keys while these are multiplied (`cp.async` on
      NVIDIA GPUs from sm_80 on). For SPIR-V
      2^x and the logarithm are arithmetic, as drivers promise little of their own,
      and a grid of more than 65,535 workgroups has two dimensions;
    - elementwise ops on memory (the strip): a thread for each element.

    What no schedule takes is an error at the op. Arguments start on 16 bytes, as
    those of the driver's allocator do.
  }];
  let options = [
    Option<"warps", "warps", "int64_t", "4",
           "Warps of a workgroup of the mma schedule">,
    Option<"rowTiles", "row-tiles", "int64_t", "2",
           "Times 16 queries of each of these warps">,
    Option<"target", "target", "::mlir::relattn::GPUTarget",
           "::mlir::relattn::GPUTarget::NVVM", "Whose chip",
           [{::llvm::cl::values(
               clEnumValN(::mlir::relattn::GPUTarget::NVVM, "nvvm", "NVIDIA's"),
               clEnumValN(::mlir::relattn::GPUTarget::ROCDL, "rocdl", "AMD's"),
               clEnumValN(::mlir::relattn::GPUTarget::SPIRV, "spirv",
                          "any with OpenCL or Vulkan"))}]>,
    Option<"hasMatrixUnits", "matrix-units", "bool", "true",
           "The chip, if it is one of NVIDIA's, has `mma` and `cp.async` (from sm_80 "
           "on)">,
    Option<"sharedBytes", "shared-bytes", "int64_t", "0",
           "Shared memory that the chip gives a workgroup; more is an error (0: "
           "no limit)">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def CheckGPUTarget : Pass<"relattn-check-gpu-target", "::mlir::ModuleOp"> {
  let summary = "Report what a GPU target cannot do";
  let description = [{
    An unknown chip, one without the instructions of the schedules, a tool that is
    missing, and each `relattn.attention` that `relattn-tile-attention` left are
    errors, the last at the op, with the reason. What `relattn-to-gpu` refuses, here
    or in a later pass:

    | what | of which target | the choice that works |
    |---|---|---|
    | d or e dynamic, 0 or above 256 | all | `relattn-to-cpu` |
    | a static size of 0 | all | `relattn-to-cpu` |
    | d or e of 1 with a batch dimension inside of it and of m or n (e.g. (d, n, b)) | all | another layout, `relattn-to-cpu` |
    | a bias that is no function of the offset, but a dense one | all | a dense bias |
    | host code that computes on tensors or reads them | all | `convert-relattn-to-linalg` and a compiler of linalg for GPUs |
    | chips before sm_70 | nvvm | |
    | tiles beyond the chip's shared memory | all | fewer `keys`, `warps` or `row-tiles` |
    | `format=binary` without `ptxas` or `ld.lld` | nvvm, rocdl | `format=isa` |
    | `format=llvm` or `offload` | spirv | `format=isa` or `binary` |
    | constants of more than 4,096 elements | spirv | an argument |
    | a part of a tensor as an operand, which is not contiguous | spirv; C headers | a copy |
    | more than 32 dynamic sizes of one kernel | spirv, vulkan | static sizes |
    | a tensor of 2^31 bytes or more, or an index or offset beyond 32 bits | spirv, vulkan (at run time) | `chip=opencl` |

    SPIR-V needs of a driver, where such types occur: f16 cl_khr_fp16 (OpenCL) or
    shaderFloat16 and storageBuffer16BitAccess (Vulkan); f64 cl_khr_fp64 or
    shaderFloat64 and shaderInt64; bf16 shaderInt16 and storageBuffer16BitAccess;
    masks of i1 shaderInt8 and storageBuffer8BitAccess; and in Vulkan
    shaderSignedZeroInfNanPreserveFloat32 (or 64): hidden scores are infinities.
  }];
  let options = [
    Option<"target", "target", "::mlir::relattn::GPUTarget",
           "::mlir::relattn::GPUTarget::NVVM", "Whose chip",
           [{::llvm::cl::values(
               clEnumValN(::mlir::relattn::GPUTarget::NVVM, "nvvm", "NVIDIA's"),
               clEnumValN(::mlir::relattn::GPUTarget::ROCDL, "rocdl", "AMD's"),
               clEnumValN(::mlir::relattn::GPUTarget::SPIRV, "spirv",
                          "any with OpenCL or Vulkan"))}]>,
    Option<"chip", "chip", "std::string", "\"\"", "The chip">,
    Option<"needsAssembler", "needs-assembler", "bool", "false",
           "Machine code is asked for">,
    Option<"hasBitcode", "bitcode", "bool", "false",
           "LLVM bitcode is asked for">
  ];
}

def AllocateOnGPU : Pass<"relattn-allocate-on-gpu", "::mlir::func::FuncOp"> {
  let summary = "Put buffers of the host program into the GPU's memory";
  let description = [{
    A `memref.alloc` and `memref.dealloc` outside of kernels becomes `gpu.alloc`
    and `gpu.dealloc`, a `memref.copy` of whole buffers `gpu.memcpy`: kernels alone
    read and write them. Host code that reads or
    writes a buffer is an error: tensors are in the GPU's memory.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect"];
}

def SetOccupancy : Pass<"relattn-set-occupancy", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Let NVIDIA's assembler take the registers that kernels need";
  let description = [{
    Kernels with shared memory and without matrix units say that a multiprocessor
    has to hold one workgroup (`nvvm.minctasm`): else ptxas may spill for more of
    them, which shared memory has no room for.
  }];
  let dependentDialects = ["::mlir::NVVM::NVVMDialect"];
}

def ConvertKernelsToSPIRV : Pass<"relattn-convert-kernels-to-spirv",
                                 "::mlir::ModuleOp"> {
  let summary = "Turn kernels into SPIR-V";
  let description = [{
    After outlining, on kernels that load from and store to whole buffers alone
    (`fold-memref-alias-ops`, `lower-affine`). Each `gpu.module` then holds a
    `spirv.module`, and functions without a body for its kernels.

    A kernel's arguments are its buffers, contiguous and one-dimensional, and then
    indices: sizes and what else the launch names. For OpenCL (Kernel, 64-bit
    addresses) these are arguments in this order; for Vulkan (Shader) buffers are
    the bindings 0, 1, ... of descriptor set 0 and indices the push constants,
    each an `int32`. Elements of bf16 are `int16` there, of index `int64`, of i1
    `int8`.

    Launches pass indices alone: the number of buffers, for each its address, its
    bytes and whether it is written (1 or 0), and the indices.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"opencl\"",
           "opencl or vulkan">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
    "::mlir::spirv::SPIRVDialect"
  ];
}

#endif // RELATTN_GPU_PASSES_TD
