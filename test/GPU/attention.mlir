// RUN: relattn-opt %s --relattn-to-gpu='format=isa chip=sm_80' | FileCheck %s --check-prefix=HOST
// RUN: relattn-opt %s --relattn-to-gpu='format=isa chip=sm_80' --mlir-print-ir-after=relattn-convert-tiles-to-gpu -o /dev/null 2>&1 | FileCheck %s

// The strip: a thread for each place.
// CHECK-LABEL: IR Dump After
// CHECK: gpu.launch {{.*}}%c256
// CHECK: scf.for
// CHECK:   memref.store
// The attention. Queries and first keys go to shared memory, the queries on to
// registers.
// CHECK: gpu.launch {{.*}} dynamic_shared_memory_size %[[SHARED:[^ ]*]]
// CHECK: gpu.dynamic_shared_memory
// CHECK: nvgpu.device_async_copy
// CHECK: nvvm.cp.async.commit.group
// CHECK: nvvm.cp.async.wait.group 1
// CHECK: gpu.barrier
// CHECK: nvgpu.ldmatrix
// A loop from one number: a wait, a barrier, the next copies, the products.
// CHECK: scf.for
// CHECK-NOT: memref.load %arg{{.*}} : memref<?xf32
// CHECK:   nvvm.cp.async.wait.group 0
// CHECK:   gpu.barrier
// CHECK:   nvgpu.device_async_copy
// CHECK:   nvgpu.ldmatrix
// CHECK:   nvvm.mma.sync
// CHECK:   gpu.shuffle
// The output is rescaled if a factor of the warp's rows is not 1.
// CHECK:   %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: arith.cmpf une, %{{.*}}, %[[ONE]] : f32
// CHECK:   %[[ANY:.*]] = nvvm.vote.sync any %c-1_i32{{.*}} -> i1
// CHECK:   scf.if %[[ANY]] {
// CHECK:     arith.mulf
// CHECK:   }
// CHECK:   llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// CHECK:   arith.truncf %{{.*}} : vector<2xf32> to vector<2xbf16>
// CHECK:   nvgpu.ldmatrix {{.*}} transpose = true
// CHECK:   nvvm.mma.sync
// The strip's values are read before the wait.
// CHECK: scf.for
// CHECK:   memref.load %{{.*}} : memref<?xf32, strided<[1], offset: ?>>
// CHECK:   nvvm.cp.async.wait.group 0
// CHECK-NOT: memref.load %{{.*}} : memref<?xf32, strided<[1], offset: ?>>
// CHECK:   nvvm.mma.sync

// One stream: strip, attention, and the strip's end.
// HOST: llvm.func @t5
// HOST: %[[STREAM:.*]] = llvm.call @mgpuStreamCreate()
// HOST: llvm.call @mgpuMemAlloc
// HOST: gpu.launch_func <%[[STREAM]] : !llvm.ptr> @kernels::@t5_kernel
// HOST: gpu.launch_func <%[[STREAM]] : !llvm.ptr> @kernels::@t5_kernel_0
// HOST: llvm.call @mgpuMemFree
// One module.
// HOST: gpu.binary @kernels {{.*}} chip = "sm_80"
// HOST-NOT: gpu.binary
func.func @t5(%q: tensor<1x2x?x64xbf16>, %k: tensor<1x2x?x64xbf16>, %v: tensor<1x2x?x64xbf16>, %t: tensor<32x2xf32>, %o: tensor<1x2x?x64xbf16>) -> tensor<1x2x?x64xbf16> {
  %0 = relattn.attention ins(%q, %k, %v : tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x2xf32>) outs(%o : tensor<1x2x?x64xbf16>)
  return %0 : tensor<1x2x?x64xbf16>
}
