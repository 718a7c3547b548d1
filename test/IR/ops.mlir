// RUN: relattn-opt %s | FileCheck %s
// RUN: relattn-opt %s | relattn-opt | FileCheck %s
// RUN: relattn-opt %s --mlir-print-op-generic | relattn-opt | FileCheck %s
// RUN: relattn-opt %s --emit-bytecode | relattn-opt | FileCheck %s

// What equals its default is not printed.
// CHECK-LABEL: func @defaults
// CHECK: relattn.attention ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<2x8x16x64xf32>, tensor<2x8x33x64xf32>, tensor<2x8x33x48xf32>) mask(%{{[a-z0-9]+}} : tensor<2x8x16x33xi1>) outs(%{{.*}} : tensor<2x8x16x48xf32>){{$}}
func.func @defaults(%query: tensor<2x8x16x64xf32>, %key: tensor<2x8x33x64xf32>, %value: tensor<2x8x33x48xf32>, %mask: tensor<2x8x16x33xi1>, %init: tensor<2x8x16x48xf32>) {
  %out = relattn.attention scale(1.0)
    maps((b, g, m, d), (b, g, n, d), (b, g, n, e) -> (b, g, m, e))
    ins(%query, %key, %value : tensor<2x8x16x64xf32>, tensor<2x8x33x64xf32>, tensor<2x8x33x48xf32>)
    mask(%mask (b, g, m, n) : tensor<2x8x16x33xi1>)
    outs(%init : tensor<2x8x16x48xf32>)
  return
}

// CHECK-LABEL: func @one_head
// CHECK: relattn.attention band<-15, 0> scale(1.250000e-01) ins(
func.func @one_head(%query: tensor<?x64xf64>, %init: tensor<?x64xf64>) {
  %out = relattn.attention band<-15, 0> scale(0.125)
    ins(%query, %query, %query : tensor<?x64xf64>, tensor<?x64xf64>, tensor<?x64xf64>)
    outs(%init : tensor<?x64xf64>)
  return
}

// CHECK-LABEL: func @heads_only
// CHECK: relattn.attention causal ins(
// CHECK-SAME: bias(#relattn.t5<buckets = 32, max_distance = 128>, %{{.*}} : tensor<32x8xf32>)
func.func @heads_only(%query: tensor<8x?x64xf16>, %table: tensor<32x8xf32>) {
  %out = relattn.attention band<*, 0>
    ins(%query, %query, %query : tensor<8x?x64xf16>, tensor<8x?x64xf16>, tensor<8x?x64xf16>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x8xf32>)
    outs(%query : tensor<8x?x64xf16>)
  return
}

// Every optional part at once, grouped heads in [B, S, G, R, D] storage.
// CHECK-LABEL: func @everything
// CHECK: %{{.*}}, %{{.*}} = relattn.attention band<*, 3> scale(-5.000000e-01) maps((b, m, g, r, d), (b, n, g, d), (b, n, g, e) -> (b, m, g, r, e))
// CHECK-SAME: bias(#relattn.strip, %{{.*}}, %{{.*}} : tensor<8x?xbf16>)
// CHECK-SAME: mask(%{{.*}} (b, n) : tensor<?x?xbf16>)
// CHECK-SAME: query_offset(%{{.*}} : tensor<?xi32>)
// CHECK-SAME: key_lengths(%{{.*}} : tensor<?xindex>)
// CHECK-SAME: outs(%{{.*}}, %{{.*}} : tensor<?x?x4x2x16xbf16>, tensor<?x4x2x?xf32>) {note = "kept"}
func.func @everything(%query: tensor<?x?x4x2x16xbf16>, %kv: tensor<?x?x4x16xbf16>, %strip: tensor<8x?xbf16>, %zero: index,
    %mask: tensor<?x?xbf16>, %offset: tensor<?xi32>, %lengths: tensor<?xindex>, %lse: tensor<?x4x2x?xf32>) {
  %out:2 = relattn.attention band<*, 3> scale(-0.5)
    maps((b, m, g, r, d), (b, n, g, d), (b, n, g, e) -> (b, m, g, r, e))
    ins(%query, %kv, %kv : tensor<?x?x4x2x16xbf16>, tensor<?x?x4x16xbf16>, tensor<?x?x4x16xbf16>)
    bias(#relattn.strip, %strip, %zero : tensor<8x?xbf16>)
    mask(%mask (b, n) : tensor<?x?xbf16>)
    query_offset(%offset : tensor<?xi32>)
    key_lengths(%lengths : tensor<?xindex>)
    outs(%query, %lse : tensor<?x?x4x2x16xbf16>, tensor<?x4x2x?xf32>) {note = "kept"}
  return
}

// The output may be wider than the inputs; a key shared by batch and heads.
// CHECK-LABEL: func @broadcast_key
// CHECK: maps((b, g, m, d), (n, d), (n, e) -> (b, g, m, e))
// CHECK-SAME: bias(#relattn.dense<(g, n)>, %{{.*}} : tensor<3x5xf16>)
// CHECK-SAME: query_offset(%{{.*}} : index)
// CHECK-SAME: outs(%{{.*}} : tensor<2x3x4x8xf32>)
func.func @broadcast_key(%query: tensor<2x3x4x8xf16>, %kv: tensor<5x8xf16>, %bias: tensor<3x5xf16>, %offset: index, %init: tensor<2x3x4x8xf32>) {
  %out = relattn.attention maps((b, g, m, d), (n, d), (n, e) -> (b, g, m, e))
    ins(%query, %kv, %kv : tensor<2x3x4x8xf16>, tensor<5x8xf16>, tensor<5x8xf16>)
    bias(#relattn.dense<(g, n)>, %bias : tensor<3x5xf16>)
    query_offset(%offset : index)
    outs(%init : tensor<2x3x4x8xf32>)
  return
}

// CHECK-LABEL: func @schemes
// CHECK: relattn.bucket #relattn.t5<buckets = 32, max_distance = 128, bidirectional> %{{.*}} : tensor<?x4xi64> -> tensor<?x4xi32>
// CHECK: relattn.bucket #relattn.clip<lo = -16, hi = 16> %{{.*}} : index -> i8
// CHECK: relattn.bucket #relattn.steps<buckets = 4, starts = [-8, 0, 8], ids = [0, 1, 2, 3]> %{{.*}} : index -> index
// CHECK: relattn.bucket #relattn.steps<buckets = 4, starts = [], ids = [3]> %{{.*}} : index -> index
// CHECK: relattn.bias_strip #relattn.alibi ins(%{{.*}} : tensor<8xbf16>) zero(%{{.*}}) outs(%{{.*}} : tensor<8x?xf32>)
// CHECK: relattn.bias #relattn.alibi ins(%{{.*}} : tensor<8xbf16>) query_offset(%{{.*}} : tensor<2xi32>) outs(%{{.*}} : tensor<2x8x4x4xbf16>)
// CHECK: relattn.bias #relattn.strip ins(%{{.*}} : tensor<8x?xf32>) zero(%{{.*}}) outs(%{{.*}} : tensor<8x4x4xf32>)
func.func @schemes(%offsets: tensor<?x4xi64>, %offset: index, %slopes: tensor<8xbf16>, %strip: tensor<8x?xf32>,
    %offset_b: tensor<2xi32>, %dense4: tensor<2x8x4x4xbf16>, %dense3: tensor<8x4x4xf32>) {
  %0 = relattn.bucket #relattn.t5<buckets = 32, max_distance = 128, bidirectional> %offsets : tensor<?x4xi64> -> tensor<?x4xi32>
  %1 = relattn.bucket #relattn.clip<lo = -16, hi = 16> %offset : index -> i8
  %2 = relattn.bucket #relattn.steps<buckets = 4, starts = [-8, 0, 8], ids = [0, 1, 2, 3]> %offset : index -> index
  %3 = relattn.bucket #relattn.steps<buckets = 4, starts = [], ids = [3]> %offset : index -> index
  %4 = relattn.bias_strip #relattn.alibi ins(%slopes : tensor<8xbf16>) zero(%offset) outs(%strip : tensor<8x?xf32>)
  %5 = relattn.bias #relattn.alibi ins(%slopes : tensor<8xbf16>) query_offset(%offset_b : tensor<2xi32>) outs(%dense4 : tensor<2x8x4x4xbf16>)
  %6 = relattn.bias #relattn.strip ins(%strip : tensor<8x?xf32>) zero(%offset) outs(%dense3 : tensor<8x4x4xf32>)
  return
}

// An empty band is legal.
// CHECK: attributes {a = #relattn.band<1, 0>, b = #relattn.band<*, *>, c = #relattn.band<-9223372036854775808, *>}
func.func private @bands() attributes {a = #relattn.band<1, 0>, b = #relattn.band<*, *>, c = #relattn.band<-9223372036854775808, *>}
