// RUN: relattn-opt %s --relattn-outline-tiles --split-input-file | FileCheck %s
// A register tile becomes a function. Constants and broadcasts go with it, a
// constant before what is made of it.
// CHECK-LABEL: func.func private @relattn_tile
// CHECK-SAME: (%{{[^:]*}}: memref<4x1xf32>, %{{[^:]*}}: memref<16xf32>) -> vector<4x16xf32>
// CHECK: %[[CST:.*]] = arith.constant dense<1.000000e+00> : vector<16xf32>
// CHECK: %[[TILE:.*]] = vector.broadcast %[[CST]] : vector<16xf32> to vector<4x16xf32>
// CHECK: scf.for {{.*}} iter_args(%[[SUM:.*]] = %[[TILE]])
// CHECK:   vector.contract {{.*}} %[[SUM]]
// CHECK-LABEL: func.func @f
// CHECK: call @relattn_tile(%arg0, %arg2)
func.func @f(%a: memref<4x1xf32>, %out: memref<4x16xf32>, %x: memref<16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %p = ub.poison : f32
  %cst = arith.constant dense<1.0> : vector<16xf32>
  %bc = vector.broadcast %cst : vector<16xf32> to vector<4x16xf32>
  %sum = scf.for %i = %c0 to %c4 step %c1 iter_args(%acc = %bc) -> (vector<4x16xf32>) {
    %lhs = vector.transfer_read %a[%c0, %c0], %p {in_bounds = [true, true]} : memref<4x1xf32>, vector<4x1xf32>
    %row = vector.broadcast %cst : vector<16xf32> to vector<1x16xf32>
    %r = vector.contract {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %lhs, %row, %acc : vector<4x1xf32>, vector<1x16xf32> into vector<4x16xf32>
    vector.transfer_write %cst, %x[%c0] {in_bounds = [true]} : vector<16xf32>, memref<16xf32>
    scf.yield %r : vector<4x16xf32>
  }
  vector.transfer_write %sum, %out[%c0, %c0] {in_bounds = [true, true]} : vector<4x16xf32>, memref<4x16xf32>
  return
}

// -----

// A reduction in two loops goes with the loop over its rows; what is beside another
// kind of loop goes without.
// CHECK-LABEL: func.func private @relattn_tile
// CHECK-COUNT-3: scf.for
// CHECK-LABEL: func.func private @relattn_tile_0
// CHECK-SAME: vector<16xf32>
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK-LABEL: func.func @unrolled
// CHECK-NOT: scf.for
// CHECK: call @relattn_tile(
// CHECK: scf.for
// CHECK:   call @relattn_tile_0(
// CHECK:   scf.for
// CHECK-NOT: vector.contract
#a = affine_map<(n, k) -> (k)>
#b = affine_map<(n, k) -> (k, n)>
#c = affine_map<(n, k) -> (n)>
func.func @unrolled(%a: memref<?xf32>, %b: memref<?x16xf32>, %out: memref<?x16xf32>, %rows: index, %twos: index, %keys: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %p = ub.poison : f32
  scf.for %row = %c0 to %rows step %c1 {
    %init = vector.transfer_read %out[%row, %c0], %p {in_bounds = [true]} : memref<?x16xf32>, vector<16xf32>
    %most = scf.for %k = %c0 to %twos step %c2 iter_args(%sum = %init) -> vector<16xf32> {
      %x = vector.transfer_read %a[%k], %p {in_bounds = [true]} : memref<?xf32>, vector<2xf32>
      %y = vector.transfer_read %b[%k, %c0], %p {in_bounds = [true, true]} : memref<?x16xf32>, vector<2x16xf32>
      %r = vector.contract {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "reduction"], kind = #vector.kind<add>} %x, %y, %sum : vector<2xf32>, vector<2x16xf32> into vector<16xf32>
      scf.yield %r : vector<16xf32>
    }
    %all = scf.for %k = %twos to %keys step %c1 iter_args(%sum = %most) -> vector<16xf32> {
      %x = vector.transfer_read %a[%k], %p {in_bounds = [true]} : memref<?xf32>, vector<1xf32>
      %y = vector.transfer_read %b[%k, %c0], %p {in_bounds = [true, true]} : memref<?x16xf32>, vector<1x16xf32>
      %r = vector.contract {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "reduction"], kind = #vector.kind<add>} %x, %y, %sum : vector<1xf32>, vector<1x16xf32> into vector<16xf32>
      scf.yield %r : vector<16xf32>
    }
    vector.transfer_write %all, %out[%row, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
  }
  scf.for %row = %c0 to %rows step %c1 {
    %init = vector.transfer_read %out[%row, %c0], %p {in_bounds = [true]} : memref<?x16xf32>, vector<16xf32>
    %all = scf.for %k = %c0 to %keys step %c1 iter_args(%sum = %init) -> vector<16xf32> {
      %x = vector.transfer_read %a[%k], %p {in_bounds = [true]} : memref<?xf32>, vector<1xf32>
      %y = vector.transfer_read %b[%k, %c0], %p {in_bounds = [true, true]} : memref<?x16xf32>, vector<1x16xf32>
      %r = vector.contract {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "reduction"], kind = #vector.kind<add>} %x, %y, %sum : vector<1xf32>, vector<1x16xf32> into vector<16xf32>
      scf.yield %r : vector<16xf32>
    }
    %squared = scf.for %k = %c0 to %keys step %c1 iter_args(%x = %all) -> vector<16xf32> {
      %square = arith.mulf %x, %x : vector<16xf32>
      scf.yield %square : vector<16xf32>
    }
    vector.transfer_write %squared, %out[%row, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
  }
  return
}

// -----

// A product without a reduction (a single key) is no tile.
// CHECK-LABEL: func.func @one_key
// CHECK: scf.for
// CHECK:   vector.contract
func.func @one_key(%x: vector<1xf32>, %y: vector<1x16xf32>, %out: memref<?x16xf32>, %rows: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %p = ub.poison : f32
  scf.for %row = %c0 to %rows step %c1 {
    %init = vector.transfer_read %out[%row, %c0], %p {in_bounds = [true]} : memref<?x16xf32>, vector<16xf32>
    %r = vector.contract {indexing_maps = [affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (k, n)>, affine_map<(n, k) -> (n)>], iterator_types = ["parallel", "reduction"], kind = #vector.kind<add>} %x, %y, %init : vector<1xf32>, vector<1x16xf32> into vector<16xf32>
    vector.transfer_write %r, %out[%row, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
  }
  return
}
