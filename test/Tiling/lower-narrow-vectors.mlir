// RUN: relattn-opt %s --relattn-lower-tiles-to-loops | FileCheck %s

// Vectors of narrow floats that are no neighbours in memory are made of integers,
// and written as such; neighbours, wider floats, masked and scalable vectors are
// left alone.
// CHECK-LABEL: func @narrow
// CHECK: %[[FIRST:.*]] = memref.load %arg0[%arg2, %arg3, %arg3] : memref<4x?x8xbf16>
// CHECK: arith.bitcast %[[FIRST]] : bf16 to i16
// CHECK: %[[NEXT:.*]] = arith.addi %arg2, %c1
// CHECK: memref.load %arg0[%[[NEXT]], %arg3, %arg3]
// CHECK: %[[READ:.*]] = vector.from_elements {{.*}} : vector<2xi16>
// CHECK: %[[TAKEN:.*]] = arith.bitcast %[[READ]] : vector<2xi16> to vector<2xbf16>
// CHECK: %[[NEAR:.*]] = vector.transfer_read %arg0
// CHECK: arith.addf %[[TAKEN]], %[[NEAR]]
// CHECK: arith.bitcast %{{.*}} : vector<2xbf16> to vector<2xi16>
// CHECK: vector.extract %{{.*}}[0] : i16 from vector<2xi16>
// CHECK: memref.store %{{.*}}, %arg1[%arg2] : memref<?xbf16, strided<[2]>>
// CHECK: memref.store %{{.*}}, %arg1[%{{.*}}] : memref<?xbf16, strided<[2]>>
// CHECK-NOT: vector.transfer_write
// CHECK: vector.transfer_read %arg4{{.*}} : memref<?xf32, strided<[2]>>, vector<2xf32>
// CHECK: vector.mask %{{.*}} { vector.transfer_write %{{.*}}, %arg1
// CHECK: vector.transfer_read {{.*}} vector<[2]xbf16>
func.func @narrow(%a: memref<4x?x8xbf16>, %b: memref<?xbf16, strided<[2]>>, %i: index, %j: index, %c: memref<?xf32, strided<[2]>>, %some: vector<2xi1>) -> (vector<2xf32>, vector<[2]xbf16>) {
  %zero = arith.constant 0.0 : bf16
  %far = vector.transfer_read %a[%i, %j, %j], %zero {in_bounds = [true], permutation_map = affine_map<(d0, d1, d2) -> (d0)>} : memref<4x?x8xbf16>, vector<2xbf16>
  %near = vector.transfer_read %a[%i, %j, %j], %zero {in_bounds = [true]} : memref<4x?x8xbf16>, vector<2xbf16>
  %sum = arith.addf %far, %near : vector<2xbf16>
  vector.transfer_write %sum, %b[%i] {in_bounds = [true]} : vector<2xbf16>, memref<?xbf16, strided<[2]>>
  %zero32 = arith.constant 0.0 : f32
  %wide = vector.transfer_read %c[%i], %zero32 {in_bounds = [true]} : memref<?xf32, strided<[2]>>, vector<2xf32>
  vector.mask %some { vector.transfer_write %near, %b[%i] {in_bounds = [true]} : vector<2xbf16>, memref<?xbf16, strided<[2]>> } : vector<2xi1>
  %scalable = vector.transfer_read %b[%i], %zero {in_bounds = [true]} : memref<?xbf16, strided<[2]>>, vector<[2]xbf16>
  return %wide, %scalable : vector<2xf32>, vector<[2]xbf16>
}
