// RUN: relattn-opt %s --convert-relattn-to-linalg --canonicalize --split-input-file | FileCheck %s

// The whole formula once. The strip is made per head, the scores are the only
// tensor with both M and N, and everything on them happens in place.
// CHECK-LABEL: func @causal_alibi
// CHECK-SAME: (%[[Q:.*]]: tensor<8x4x16xf32>, %[[K:.*]]: tensor<8x6x16xf32>, %[[V:.*]]: tensor<8x6x16xf32>, %[[SLOPES:.*]]: tensor<8xf32>, %[[INIT:.*]]: tensor<8x4x16xf32>)
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[NEGATIVE_ZERO:.*]] = arith.constant -0.000000e+00 : f32
// CHECK-DAG: %[[MINUS_INF:.*]] = arith.constant 0xFF800000 : f32
// CHECK-DAG: %[[LOG2E:.*]] = arith.constant 1.44269502 : f32
// CHECK-DAG: %[[SCALE:.*]] = arith.constant 1.250000e-01 : f32
// CHECK: %[[S_EMPTY:.*]] = tensor.empty() : tensor<8x4x6xf32>
// CHECK: %[[S_INIT:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[S_EMPTY]]
// CHECK: %[[SCORES:.*]] = linalg.generic {{.*}}"reduction"]} ins(%[[Q]], %[[K]] : {{.*}}) outs(%[[S_INIT]]
// CHECK:   %[[SCALED:.*]] = arith.mulf %{{.*}}, %[[SCALE]] : f32
// CHECK:   arith.mulf %[[SCALED]], %{{.*}} : f32
// CHECK: tensor.empty() : tensor<8x9xf32>
// CHECK: %[[STRIP:.*]] = linalg.generic
// CHECK:   tensor.extract %[[SLOPES]]
// CHECK: %[[MASKED:.*]] = linalg.generic {{.*}} outs(%[[SCORES]] : tensor<8x4x6xf32>)
// CHECK:   %[[OFFSET:.*]] = arith.subi
// CHECK:   %[[BIAS:.*]] = tensor.extract %[[STRIP]]
// CHECK:   %[[BIASED:.*]] = arith.addf %{{.*}}, %[[BIAS]] : f32
// CHECK:   %[[VISIBLE:.*]] = arith.cmpi sle, %[[OFFSET]]
// CHECK:   arith.select %[[VISIBLE]], %[[BIASED]], %[[MINUS_INF]] : f32
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[MASKED]]
// CHECK:   arith.maximumf
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[MAX]] : tensor<8x4xf32>) outs(%[[MASKED]] : tensor<8x4x6xf32>)
// CHECK:   %[[NOTHING:.*]] = arith.cmpf oeq, %{{.*}}, %[[MINUS_INF]] : f32
// CHECK:   %[[SHIFT:.*]] = arith.select %[[NOTHING]], %[[ZERO]], %{{.*}} : f32
// CHECK:   %[[SHIFTED:.*]] = arith.subf %{{.*}}, %[[SHIFT]] : f32
// CHECK:   %[[EXPONENT:.*]] = arith.mulf %[[SHIFTED]], %[[LOG2E]] : f32
// CHECK:   math.exp2 %[[EXPONENT]] : f32
// CHECK: %[[SUM:.*]]:2 = linalg.generic {{.*}} ins(%[[P]]
// CHECK: %[[O_INIT:.*]] = linalg.fill ins(%[[NEGATIVE_ZERO]] : f32) outs(%[[INIT]]
// CHECK: %[[PV:.*]] = linalg.generic {{.*}} ins(%[[P]], %[[V]] : {{.*}}) outs(%[[O_INIT]]
// CHECK: %[[OUT:.*]] = linalg.generic {{.*}} ins(%[[SUM]]#0 : tensor<8x4xf32>) outs(%[[PV]] : tensor<8x4x16xf32>)
// CHECK:   %[[EMPTY_ROW:.*]] = arith.cmpf oeq, %{{.*}}, %[[ZERO]] : f32
// CHECK:   %[[QUOTIENT:.*]] = arith.divf
// CHECK:   arith.select %[[EMPTY_ROW]], %[[ZERO]], %[[QUOTIENT]] : f32
// CHECK: return %[[OUT]]
func.func @causal_alibi(%q: tensor<8x4x16xf32>, %k: tensor<8x6x16xf32>, %v: tensor<8x6x16xf32>, %slopes: tensor<8xf32>, %init: tensor<8x4x16xf32>) -> tensor<8x4x16xf32> {
  %out = relattn.attention causal scale(0.125)
    ins(%q, %k, %v : tensor<8x4x16xf32>, tensor<8x6x16xf32>, tensor<8x6x16xf32>)
    bias(#relattn.alibi, %slopes : tensor<8xf32>)
    outs(%init : tensor<8x4x16xf32>)
  return %out : tensor<8x4x16xf32>
}

// -----

// No bias, no mask, no band: no pass over the scores between product and
// maximum. A half-precision output is rounded once, from f32.
// CHECK-LABEL: func @plain_f16
// CHECK: %[[SCORES:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<4x6xf32>)
// CHECK:   arith.extf {{.*}} : f16 to f32
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[SCORES]]
// CHECK: arith.maximumf
// CHECK: linalg.generic {{.*}} ins(%[[MAX]]
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4x16xf32>)
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4x16xf16>)
// CHECK:   arith.truncf {{.*}} : f32 to f16
func.func @plain_f16(%q: tensor<4x16xf16>, %k: tensor<6x16xf16>) -> tensor<4x16xf16> {
  %out = relattn.attention ins(%q, %k, %k : tensor<4x16xf16>, tensor<6x16xf16>, tensor<6x16xf16>) outs(%q : tensor<4x16xf16>)
  return %out : tensor<4x16xf16>
}

// -----

// Buckets are searched once for all heads, in constants: no logarithm.
// CHECK-LABEL: func @t5
// CHECK-DAG: arith.constant dense<[-90, -63, -45, -31, -22, -15, -11, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91, 9223372036854775807]> : tensor<31xi64>
// CHECK-DAG: arith.constant dense<[15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 31]> : tensor<32xi64>
// CHECK-NOT: math.log
// CHECK: %[[IDS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?xi32>)
// CHECK: linalg.generic {{.*}} ins(%[[IDS]] : tensor<?xi32>) outs(%{{.*}} : tensor<8x?xf32>)
// CHECK-NOT: math.log
// CHECK: return
func.func @t5(%q: tensor<1x8x?x64xf32>, %k: tensor<1x8x?x64xf32>, %table: tensor<32x8xf32>) -> tensor<1x8x?x64xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %table : tensor<32x8xf32>)
    outs(%q : tensor<1x8x?x64xf32>)
  return %out : tensor<1x8x?x64xf32>
}

// -----

// key_lengths: a loop over the batch, keys and values sliced to the length.
// CHECK-LABEL: func @decode
// CHECK: scf.for %[[B:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[OUT:.*]] = %{{.*}}, %[[LSE:.*]] = %{{.*}})
// CHECK:   %[[LENGTH:.*]] = tensor.extract %{{.*}}[%[[B]]] : tensor<?xi32>
// CHECK:   arith.minsi
// CHECK:   %[[N:.*]] = arith.maxsi
// CHECK:   tensor.extract_slice %{{.*}}[%[[B]], 0, 0, 0] [1, 2, %[[N]], 64] [1, 1, 1, 1] : tensor<?x2x?x64xf32> to tensor<1x2x?x64xf32>
// CHECK:   tensor.extract_slice %{{.*}}[%[[B]], 0, 0, 0] [1, 2, %[[N]], 64] [1, 1, 1, 1] : tensor<?x2x?x64xf32> to tensor<1x2x?x64xf32>
// CHECK:   tensor.extract_slice %{{.*}}[%[[B]], 0] [1, %[[N]]] [1, 1] : tensor<?x?xi1> to tensor<1x?xi1>
// CHECK:   tensor.extract %{{.*}}[%[[B]]] : tensor<?xindex>
// CHECK:   tensor.empty(%[[N]]) : tensor<1x2x4x1x?xf32>
// CHECK:   tensor.insert_slice %{{.*}} into %[[OUT]]
// CHECK:   tensor.insert_slice %{{.*}} into %[[LSE]]
// CHECK:   scf.yield
func.func @decode(%q: tensor<?x2x4x1x64xf32>, %k: tensor<?x2x?x64xf32>, %v: tensor<?x2x?x64xf32>, %strip: tensor<8x?xf32>, %zero: index,
    %mask: tensor<?x?xi1>, %position: tensor<?xindex>, %lengths: tensor<?xi32>, %lse: tensor<?x2x4x1xf32>) -> (tensor<?x2x4x1x64xf32>, tensor<?x2x4x1xf32>) {
  %out:2 = relattn.attention causal ins(%q, %k, %v : tensor<?x2x4x1x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>)
    bias(#relattn.strip, %strip, %zero : tensor<8x?xf32>)
    mask(%mask (b, n) : tensor<?x?xi1>)
    query_offset(%position : tensor<?xindex>) key_lengths(%lengths : tensor<?xi32>)
    outs(%q, %lse : tensor<?x2x4x1x64xf32>, tensor<?x2x4x1xf32>)
  return %out#0, %out#1 : tensor<?x2x4x1x64xf32>, tensor<?x2x4x1xf32>
}

// -----

// The same value as query, key and value: only the latter two are shortened.
// CHECK-LABEL: func @one_tensor_for_all
// CHECK: scf.for
// CHECK:   tensor.extract_slice %arg0[%{{.*}}, 0, 0, 0] [1, 2, 9, 8] [1, 1, 1, 1]
// CHECK:   tensor.extract_slice %arg0[%{{.*}}, 0, 0, 0] [1, 2, %{{.*}}, 8] [1, 1, 1, 1]
func.func @one_tensor_for_all(%x: tensor<3x2x9x8xf32>, %lengths: tensor<3xi64>, %init: tensor<3x2x9x8xf32>) -> tensor<3x2x9x8xf32> {
  %out = relattn.attention ins(%x, %x, %x : tensor<3x2x9x8xf32>, tensor<3x2x9x8xf32>, tensor<3x2x9x8xf32>)
    key_lengths(%lengths : tensor<3xi64>) outs(%init : tensor<3x2x9x8xf32>)
  return %out : tensor<3x2x9x8xf32>
}

// -----

// An additive mask is a number; a boolean one and both bounds of a band select.
// CHECK-LABEL: func @masks
// CHECK: %[[SUM:.*]] = arith.addf %{{.*}}, %{{.*}} : f32
// CHECK: arith.cmpi sge
// CHECK: arith.select
// CHECK: arith.cmpi sle
// CHECK: arith.select
// CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : f32
func.func @masks(%q: tensor<4x8xf32>, %float: tensor<4xf32>, %bool: tensor<4x4xi1>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = relattn.attention band<-2, 1> ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    mask(%float (n) : tensor<4xf32>) outs(%q : tensor<4x8xf32>)
  %1 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    mask(%bool : tensor<4x4xi1>) outs(%q : tensor<4x8xf32>)
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}
