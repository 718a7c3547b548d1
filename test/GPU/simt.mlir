// RUN: relattn-opt %s --relattn-to-gpu='format=isa chip=sm_70' --mlir-print-ir-after=relattn-convert-tiles-to-gpu -o /dev/null 2>&1 | FileCheck %s

// Four rows for every four of 64 threads; no matrix unit, no copy under way.
// CHECK-LABEL: IR Dump After
// CHECK: gpu.launch {{.*}} threads({{.*}}) in (%{{[a-z0-9_]*}} = %c64{{[_0-9]*}}, {{.*}} dynamic_shared_memory_size
// CHECK-NOT: nvvm.
// CHECK-NOT: nvgpu.
// CHECK: scf.for
// CHECK:   gpu.barrier
// CHECK:   memref.store %{{.*}} : memref<1x32x44xf32, #gpu.address_space<workgroup>>
// CHECK:   gpu.barrier
// Products along d, four at a time, of four rows and eight keys: twelve fours of
// elements for 128 products.
// CHECK:   scf.for {{.*}} step %c4
// CHECK-COUNT-48: memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK-NOT:      memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK:   llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// The maximum of a row over its four threads.
// CHECK:   gpu.shuffle  xor %{{.*}}, %c1_i32
// CHECK:   gpu.shuffle  xor %{{.*}}, %c2_i32
// One key after another: four weights and ten columns for 40 products.
// CHECK:   scf.for
// CHECK-COUNT-14: memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK-NOT:      memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK: gpu.shuffle
// CHECK: gpu.terminator
func.func @plain(%q: tensor<?x40xf32>, %k: tensor<?x40xf32>, %v: tensor<?x40xf32>, %o: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x40xf32>) outs(%o : tensor<?x40xf32>)
  return %0 : tensor<?x40xf32>
}
