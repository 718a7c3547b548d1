// RUN: relattn-opt %s --relattn-to-gpu='format=isa chip=sm_70' --mlir-print-ir-after=relattn-convert-tiles-to-gpu -o /dev/null 2>&1 | FileCheck %s

// A row for each of 64 threads; no shuffle, no matrix unit, no copy under way.
// CHECK-LABEL: IR Dump After
// CHECK: gpu.launch {{.*}} dynamic_shared_memory_size
// CHECK-NOT: gpu.shuffle
// CHECK-NOT: nvvm.
// CHECK-NOT: nvgpu.
// CHECK: scf.for
// CHECK:   gpu.barrier
// CHECK:   memref.store %{{.*}} : memref<1x32x44xf32, #gpu.address_space<workgroup>>
// CHECK:   gpu.barrier
// Products along d, four at a time.
// CHECK:   scf.for {{.*}} step %c4
// CHECK:     arith.mulf {{.*}} fastmath<contract>
// CHECK:     arith.addf {{.*}} fastmath<contract>
// CHECK:   llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// CHECK:   scf.for
// CHECK-NOT: gpu.shuffle
// CHECK: gpu.terminator
func.func @plain(%q: tensor<?x40xf32>, %k: tensor<?x40xf32>, %v: tensor<?x40xf32>, %o: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x40xf32>) outs(%o : tensor<?x40xf32>)
  return %0 : tensor<?x40xf32>
}
