// RUN: relattn-opt %s --pass-pipeline='builtin.module(gpu.module(relattn-set-occupancy))' | FileCheck %s

// Kernels with shared memory and without matrix units alone.
// CHECK: gpu.func @simt() kernel attributes {nvvm.minctasm = 1 : i32}
// CHECK: gpu.func @elements() kernel {
// CHECK: gpu.func @mma({{.*}}) kernel {
gpu.module @kernels {
  gpu.func @simt() kernel {
    %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    gpu.return
  }
  gpu.func @elements() kernel {
    gpu.return
  }
  gpu.func @mma(%a: vector<2xf16>, %c: f32) kernel {
    %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %1 = nvvm.mma.sync A[%a, %a, %a, %a] B[%a, %a] C[%c, %c, %c, %c]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
      : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    gpu.return
  }
}
