// RUN: relattn-opt %s --convert-relattn-to-linalg --canonicalize --split-input-file | FileCheck %s

// A scalar bucket is the search alone: three starts, two steps.
// CHECK-LABEL: func @scalar_bucket
// CHECK-SAME: (%[[OFFSET:.*]]: index)
// CHECK-DAG: %[[STARTS:.*]] = arith.constant dense<[-8, 0, 8]> : tensor<3xi64>
// CHECK-DAG: %[[IDS:.*]] = arith.constant dense<[3, 1, 0, 2]> : tensor<4xi64>
// CHECK-DAG: %[[MIDDLE:.*]] = arith.constant 0 : i64
// CHECK: %[[WIDE:.*]] = arith.index_cast %[[OFFSET]] : index to i64
// CHECK: arith.cmpi sge, %[[WIDE]], %[[MIDDLE]] : i64
// CHECK: tensor.extract %[[STARTS]]
// CHECK: arith.cmpi sge, %[[WIDE]]
// CHECK: tensor.extract %[[IDS]]
// CHECK-NOT: linalg
func.func @scalar_bucket(%offset: index) -> i32 {
  %0 = relattn.bucket #relattn.steps<buckets = 4, starts = [-8, 0, 8], ids = [3, 1, 0, 2]> %offset : index -> i32
  return %0 : i32
}

// -----

// Clipping needs no search.
// CHECK-LABEL: func @tensor_bucket
// CHECK: linalg.generic
// CHECK:   arith.index_cast %{{.*}} : i16 to index
// CHECK:   arith.maxsi
// CHECK:   arith.minsi
// CHECK:   arith.subi
// CHECK:   arith.index_cast %{{.*}} : index to i32
func.func @tensor_bucket(%offsets: tensor<?x4xi16>) -> tensor<?x4xi32> {
  %0 = relattn.bucket #relattn.clip<lo = -16, hi = 16> %offsets : tensor<?x4xi16> -> tensor<?x4xi32>
  return %0 : tensor<?x4xi32>
}

// -----

// CHECK-LABEL: func @constant_function
// CHECK: %[[THREE:.*]] = arith.constant 3 : index
// CHECK: return %[[THREE]]
func.func @constant_function(%offset: index) -> index {
  %0 = relattn.bucket #relattn.steps<buckets = 4, starts = [], ids = [3]> %offset : index -> index
  return %0 : index
}

// -----

// CHECK-LABEL: func @strip_of_a_table
// CHECK-SAME: (%[[TABLE:.*]]: tensor<33x8xf16>
// CHECK: %[[IDS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?xi32>)
// CHECK: linalg.generic {{.*}} ins(%[[IDS]] : tensor<?xi32>) outs(%{{.*}} : tensor<8x?xf32>)
// CHECK:   %[[VALUE:.*]] = tensor.extract %[[TABLE]]
// CHECK:   arith.extf %[[VALUE]] : f16 to f32
func.func @strip_of_a_table(%table: tensor<33x8xf16>, %zero: index, %init: tensor<8x?xf32>) -> tensor<8x?xf32> {
  %0 = relattn.bias_strip #relattn.clip<lo = -16, hi = 16> ins(%table : tensor<33x8xf16>) zero(%zero) outs(%init : tensor<8x?xf32>)
  return %0 : tensor<8x?xf32>
}

// -----

// ALiBi in the accumulator type: no distance is rounded to bf16.
// CHECK-LABEL: func @dense_alibi
// CHECK: linalg.generic
// CHECK:   tensor.extract %{{.*}}[%{{.*}}] : tensor<2xindex>
// CHECK:   arith.extf %{{.*}} : bf16 to f32
// CHECK:   arith.sitofp %{{.*}} : i64 to f32
// CHECK:   arith.mulf {{.*}} : f32
// CHECK:   arith.truncf {{.*}} : f32 to bf16
func.func @dense_alibi(%slopes: tensor<8xbf16>, %offset: tensor<2xindex>, %init: tensor<2x8x4x4xbf16>) -> tensor<2x8x4x4xbf16> {
  %0 = relattn.bias #relattn.alibi ins(%slopes : tensor<8xbf16>) query_offset(%offset : tensor<2xindex>) outs(%init : tensor<2x8x4x4xbf16>)
  return %0 : tensor<2x8x4x4xbf16>
}

// -----

// A read beyond a strip gives its end.
// CHECK-LABEL: func @dense_strip
// CHECK: linalg.generic
// CHECK:   arith.minsi
// CHECK:   arith.maxsi
// CHECK:   tensor.extract %{{.*}} : tensor<8x?xf32>
func.func @dense_strip(%strip: tensor<8x?xf32>, %zero: index, %init: tensor<8x4x4xf32>) -> tensor<8x4x4xf32> {
  %0 = relattn.bias #relattn.strip ins(%strip : tensor<8x?xf32>) zero(%zero) outs(%init : tensor<8x4x4xf32>)
  return %0 : tensor<8x4x4xf32>
}
