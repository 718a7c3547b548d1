// RUN: relattn-opt %s --relattn-to-gpu='format=isa chip=sm_70' --mlir-print-ir-after=relattn-convert-tiles-to-gpu -o /dev/null 2>&1 | FileCheck %s
// RUN: relattn-opt %s --relattn-to-gpu='format=isa chip=sm_80' --mlir-print-ir-after=relattn-convert-tiles-to-gpu -o /dev/null 2>&1 | FileCheck %s --check-prefix=ASYNC

// Four rows for every four of 64 threads; no matrix unit, no copy under way. The
// first keys are copied before the loop, a tile's values before its scores, and the
// next keys before its second product; a thread loads four elements before it
// stores them.
// CHECK-LABEL: IR Dump After
// CHECK: gpu.launch {{.*}} threads({{.*}}) in (%{{[a-z0-9_]*}} = %c64{{[_0-9]*}}, {{.*}} dynamic_shared_memory_size
// CHECK-NOT: nvvm.
// CHECK-NOT: nvgpu.
// CHECK: memref.store %{{.*}}, %[[KEYS:.*]][%{{.*}} : memref<1x32x44xf32, #gpu.address_space<workgroup>>
// CHECK: scf.for {{.*}} step %c32
// CHECK-NEXT: gpu.barrier
// CHECK-NOT:  scf.if
// CHECK:   scf.for
// CHECK-COUNT-4: memref.load %{{.*}} : memref<?x40xf32
// CHECK:   memref.store %{{.*}}, %[[VALUES:.*]][%{{.*}} : memref<1x32x44xf32, #gpu.address_space<workgroup>>
// CHECK-COUNT-3: memref.store %{{.*}}, %[[VALUES]][
// Products along d, four at a time, of four rows and eight keys: twelve fours of
// elements for 128 products.
// CHECK:   scf.for {{.*}} step %c4
// CHECK-COUNT-48: memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK-NOT:      memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK:   llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// The maximum of a row over its four threads.
// CHECK:   gpu.shuffle  xor %{{.*}}, %c1_i32
// CHECK:   gpu.shuffle  xor %{{.*}}, %c2_i32
// CHECK:   gpu.barrier
// CHECK:   scf.if
// CHECK:     memref.store %{{.*}}, %[[KEYS]][
// One key after another: four weights and ten columns for 40 products.
// CHECK:   scf.for {{.*}} step %c1{{(_[0-9]+)?}} {
// CHECK-COUNT-14: memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK-NOT:      memref.load %{{.*}}#gpu.address_space<workgroup>>
// CHECK: gpu.shuffle
// CHECK: gpu.terminator

// By cp.async from sm_80 on, 16 bytes at a time, each copy a group that is waited
// for before the barrier; of a row that does not exist 0 elements.
// ASYNC-LABEL: IR Dump After
// ASYNC-NOT: nvvm.mma
// ASYNC: nvvm.cp.async.commit.group
// ASYNC: scf.for {{.*}} step %c32
// ASYNC-NEXT: nvvm.cp.async.wait.group 0
// ASYNC-NEXT: gpu.barrier
// ASYNC: %[[COUNT:.*]] = arith.select %{{.*}}, %c4{{.*}}, %c0{{.*}} : index
// ASYNC-NEXT: nvgpu.device_async_copy {{.*}}, 4, %[[COUNT]] {bypassL1} : memref<?x40xf32{{.*}} to memref<1x32x44xf32
// ASYNC: nvvm.cp.async.commit.group
// ASYNC: nvvm.cp.async.wait.group 0
// ASYNC-NEXT: gpu.barrier
// ASYNC: scf.if
// ASYNC: nvgpu.device_async_copy
// ASYNC: nvvm.cp.async.commit.group
func.func @plain(%q: tensor<?x40xf32>, %k: tensor<?x40xf32>, %v: tensor<?x40xf32>, %o: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x40xf32>) outs(%o : tensor<?x40xf32>)
  return %0 : tensor<?x40xf32>
}
