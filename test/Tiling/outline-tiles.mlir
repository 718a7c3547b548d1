// RUN: relattn-opt %s --relattn-outline-tiles | FileCheck %s
// A register tile becomes a function. Constants and broadcasts go with it, a
// constant before what is made of it.
// CHECK-LABEL: func.func private @relattn_tile
// CHECK-SAME: (%{{[^:]*}}: memref<4x1xf32>, %{{[^:]*}}: memref<4x16xf32>, %{{[^:]*}}: memref<16xf32>)
// CHECK: %[[CST:.*]] = arith.constant dense<1.000000e+00> : vector<16xf32>
// CHECK: %[[TILE:.*]] = vector.broadcast %[[CST]] : vector<16xf32> to vector<4x16xf32>
// CHECK: scf.for
// CHECK:   vector.contract {{.*}} %[[TILE]]
// CHECK-LABEL: func.func @f
// CHECK: call @relattn_tile(%arg0, %arg1, %arg2)
func.func @f(%a: memref<4x1xf32>, %out: memref<4x16xf32>, %x: memref<16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %p = ub.poison : f32
  %cst = arith.constant dense<1.0> : vector<16xf32>
  %bc = vector.broadcast %cst : vector<16xf32> to vector<4x16xf32>
  scf.for %i = %c0 to %c4 step %c1 {
    %lhs = vector.transfer_read %a[%c0, %c0], %p {in_bounds = [true, true]} : memref<4x1xf32>, vector<4x1xf32>
    %row = vector.broadcast %cst : vector<16xf32> to vector<1x16xf32>
    %r = vector.contract {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %lhs, %row, %bc : vector<4x1xf32>, vector<1x16xf32> into vector<4x16xf32>
    vector.transfer_write %r, %out[%c0, %c0] {in_bounds = [true, true]} : vector<4x16xf32>, memref<4x16xf32>
    vector.transfer_write %cst, %x[%c0] {in_bounds = [true]} : vector<16xf32>, memref<16xf32>
  }
  return
}
