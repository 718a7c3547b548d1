// Upstream's tiling of attention by its TilingInterface; executed by
// Integration/CPU/random-attention.test.
// RUN: relattn-opt %s --transform-interpreter --canonicalize --cse --split-input-file --verify-diagnostics=only-expected | FileCheck %s

// Entries of b, groups and queries. Heads' parts of the table are those of the
// groups; the query offset moves by the first query.
// CHECK-LABEL: func @grouped
// CHECK: scf.forall (%[[B:.*]], %[[G_TILE:.*]], %[[M_TILE:.*]]) in (2, 2, 4)
// CHECK-DAG: %[[G:.*]] = affine.apply #{{.*}}(%[[G_TILE]])
// CHECK-DAG: %[[M:.*]] = affine.apply #{{.*}}(%[[M_TILE]])
// CHECK-DAG: %[[Q:.*]] = tensor.extract_slice %arg0[%[[B]], %[[G]], 0, %[[M]], 0] [1, 2, 3, %[[SIZE:.*]], 16]
// CHECK-DAG: %[[K:.*]] = tensor.extract_slice %arg1[%[[B]], %[[G]], 0, 0] [1, 2, 50, 16]
// CHECK-DAG: %[[H:.*]] = arith.muli %[[G]], %c3
// CHECK-DAG: %[[TABLE:.*]] = tensor.extract_slice %arg2[0, %[[H]]] [32, 6] [1, 1]
// CHECK-DAG: %[[LENGTHS:.*]] = tensor.extract_slice %arg3[%[[B]]] [1] [1]
// CHECK-DAG: %[[OFFSET:.*]] = arith.addi %arg4, %[[M]]
// CHECK: relattn.attention causal ins(%[[Q]], %[[K]], %[[K]] {{.*}} bias(#relattn.t5<{{.*}}>, %[[TABLE]] : tensor<32x6xf32>) query_offset(%[[OFFSET]] : index) key_lengths(%[[LENGTHS]]
// CHECK: tensor.parallel_insert_slice
func.func @grouped(%q: tensor<2x4x3x100x16xf32>, %k: tensor<2x4x50x16xf32>, %table: tensor<32x12xf32>, %lengths: tensor<2xindex>, %offset: index, %init: tensor<2x4x3x100x16xf32>) -> tensor<2x4x3x100x16xf32> {
  %out = relattn.attention causal maps((b, g, r, m, d), (b, g, n, d), (b, g, n, e) -> (b, g, r, m, e))
    ins(%q, %k, %k : tensor<2x4x3x100x16xf32>, tensor<2x4x50x16xf32>, tensor<2x4x50x16xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x12xf32>)
    query_offset(%offset : index) key_lengths(%lengths : tensor<2xindex>)
    outs(%init : tensor<2x4x3x100x16xf32>)
  return %out : tensor<2x4x3x100x16xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %attention tile_sizes [1, 2, 32] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Into the loop of what reads it, with the log-sum-exp's place; without bias or
// band queries have no positions.
// CHECK-LABEL: func @fused
// CHECK: scf.forall (%{{.*}}) in (8)
// CHECK:   relattn.attention
// CHECK-NOT: query_offset
// CHECK-SAME: outs(%{{.*}}, %{{.*}} : tensor<8x16xf32>, tensor<8xf32>)
// CHECK:   linalg.exp
func.func @fused(%q: tensor<64x16xf32>, %k: tensor<50x16xf32>, %init: tensor<64x16xf32>, %lse: tensor<64xf32>) -> tensor<64x16xf32> {
  %out:2 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<64x16xf32>, tensor<50x16xf32>, tensor<50x16xf32>)
    outs(%init, %lse : tensor<64x16xf32>, tensor<64xf32>)
  %empty = tensor.empty() : tensor<64x16xf32>
  %exp = linalg.exp ins(%out#0 : tensor<64x16xf32>) outs(%empty : tensor<64x16xf32>) -> tensor<64x16xf32>
  return %exp : tensor<64x16xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %exp = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %exp tile_sizes [8] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %fused, %new = transform.structured.fuse_into_containing_op %attention into %loop : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Columns of the output are no tile of the loops: a copy of the whole.
// CHECK-LABEL: func @columns
// CHECK: scf.forall (%{{.*}}) in (2)
// CHECK:   %[[OUT:.*]] = relattn.attention {{.*}} outs(%arg2 : tensor<64x16xf32>)
// CHECK:   tensor.extract_slice %[[OUT]][0, %{{.*}}] [64, 8]
func.func @columns(%q: tensor<64x16xf32>, %k: tensor<50x16xf32>, %init: tensor<64x16xf32>) -> tensor<64x16xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<64x16xf32>, tensor<50x16xf32>, tensor<50x16xf32>) outs(%init : tensor<64x16xf32>)
  %empty = tensor.empty() : tensor<64x16xf32>
  %exp = linalg.exp ins(%out : tensor<64x16xf32>) outs(%empty : tensor<64x16xf32>) -> tensor<64x16xf32>
  return %exp : tensor<64x16xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %exp = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %exp tile_sizes [0, 8] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %fused, %new = transform.structured.fuse_into_containing_op %attention into %loop : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

func.func @empty(%q: tensor<64x0xf32>, %v: tensor<64x16xf32>, %init: tensor<64x16xf32>) -> tensor<64x16xf32> {
  // expected-error @+1 {{'relattn.attention' op cannot be tiled: a dimension is empty}}
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %q, %v : tensor<64x0xf32>, tensor<64x0xf32>, tensor<64x16xf32>) outs(%init : tensor<64x16xf32>)
  return %out : tensor<64x16xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %attention tile_sizes [8] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
