// RUN: relattn-opt %s --relattn-to-gpu='format=isa chip=sm_80' --mlir-print-ir-after=relattn-convert-tiles-to-gpu -o /dev/null 2>&1 | FileCheck %s

// Keys whose last dimension is that of the heads, as many as d: no row of a head is
// contiguous, and each element is copied by itself.
// CHECK-LABEL: IR Dump After
// CHECK: %[[KEYS:.*]] = memref.subview %arg1[{{.*}} : memref<?x32x32xf32> to memref<?x32xf32, strided<[1024, 32], offset: ?>>
// CHECK-NOT: nvgpu.device_async_copy
// CHECK: memref.load %[[KEYS]][
func.func @inner_heads(%q: tensor<32x?x32xf32>, %k: tensor<?x32x32xf32>, %v: tensor<32x?x32xf32>, %o: tensor<32x?x32xf32>) -> tensor<32x?x32xf32> {
  %0 = relattn.attention maps((g, m, d), (n, d, g), (g, n, e) -> (g, m, e)) ins(%q, %k, %v : tensor<32x?x32xf32>, tensor<?x32x32xf32>, tensor<32x?x32xf32>) outs(%o : tensor<32x?x32xf32>)
  return %0 : tensor<32x?x32xf32>
}
