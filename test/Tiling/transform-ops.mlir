// Tiling from a transform script, here and in a stock mlir-opt; the steps of one
// schedule are linalg in its loops.
// RUN: relattn-opt %s --transform-interpreter --split-input-file --verify-diagnostics | FileCheck %s
// RUN: %if !sanitizer %{ mlir-opt %s --load-dialect-plugin=%relattn_plugin --transform-interpreter --split-input-file --verify-diagnostics | FileCheck %s %}

// CHECK-LABEL: func @panels
// CHECK: scf.forall
// CHECK:   scf.for {{.*}} step %{{.*}} -> (tensor<2x16x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>)
// CHECK-NOT: relattn.online_attention
// CHECK:   linalg.generic {{.*}} {relattn.tile = "scores"}
// CHECK: } {tiled}
func.func @panels(%q: tensor<?x16xf32>, %k: tensor<?x16xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>) outs(%init : tensor<?x16xf32>)
  return %out : tensor<?x16xf32>
}

// Two loops: parts of the keys, and what merges them.
// CHECK-LABEL: func @parts
// CHECK: scf.forall
// CHECK:   linalg.generic {{.*}} {relattn.tile = "dots"}
// CHECK: } {tiled}
// CHECK: scf.forall
// CHECK-NOT: relattn.merge
// CHECK: } {tiled}
func.func @parts(%q: tensor<1x16xf32>, %k: tensor<?x16xf32>, %init: tensor<1x16xf32>) -> tensor<1x16xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<1x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>) outs(%init : tensor<1x16xf32>)
  return %out : tensor<1x16xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %loops = transform.relattn.tile_attention %attention {lanes = 8, panels = 2, keys = 32, workers = 4} : (!transform.any_op) -> !transform.any_op
    transform.annotate %loops "tiled" : !transform.any_op
    %steps = transform.structured.match ops{["relattn.online_attention", "relattn.merge"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.relattn.decompose_attention %steps : !transform.any_op
    transform.yield
  }
}

// -----

// For a GPU's workgroups: scores are not transposed, exponentials of base 2.
// CHECK-LABEL: func @workgroups
// CHECK: scf.forall
// CHECK:   scf.for {{.*}} step %{{.*}} -> (tensor<32x16xf32>, tensor<32xf32>, tensor<32xf32>)
// CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<32x32xf32>) attrs = {relattn.tile = "scores"}
// CHECK:   math.exp2
// CHECK-NOT: relattn.online_attention
// CHECK: } {tiled}
func.func @workgroups(%q: tensor<?x16xf16>, %k: tensor<?x16xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<?x16xf16>, tensor<?x16xf16>, tensor<?x16xf16>) outs(%init : tensor<?x16xf16>)
  return %out : tensor<?x16xf16>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %loops = transform.relattn.tile_attention %attention {workgroups, lanes = 32, keys = 32} : (!transform.any_op) -> !transform.any_op
    transform.annotate %loops "tiled" : !transform.any_op
    %steps = transform.structured.match ops{["relattn.online_attention"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.relattn.decompose_attention %steps {workgroups} : !transform.any_op
    transform.yield
  }
}

// -----

func.func @dynamic_depth(%q: tensor<?x?xf32>, %init: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %q, %q : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>) outs(%init : tensor<?x?xf32>)
  return %out : tensor<?x?xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    // expected-error @+1 {{cannot tile: the sizes of d and e are not static}}
    %loops = transform.relattn.tile_attention %attention : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}

// -----

func.func private @f()

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %func = transform.structured.match ops{["func.func"]} in %root : (!transform.any_op) -> !transform.any_op
    // expected-error @+1 {{expected relattn.attention, got func.func}}
    %loops = transform.relattn.tile_attention %func : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}

// -----

func.func private @f()

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %func = transform.structured.match ops{["func.func"]} in %root : (!transform.any_op) -> !transform.any_op
    // expected-error @+1 {{expected relattn.online_attention or relattn.merge, got func.func}}
    transform.relattn.decompose_attention %func : !transform.any_op
    transform.yield
  }
}

// -----

// CHECK-LABEL: func @pairs
// CHECK: relattn.online_attention {{.*}} : tensor<3x16x32xi32>, tensor<?x3x16xi32>, tensor<?x2x32x16xi32>) keys
// CHECK: relattn.prefetch write
// CHECK: relattn.prefetch
// CHECK: relattn.online_attention
func.func @pairs(%q: tensor<?x32xf32>, %init: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %out = relattn.attention ins(%q, %q, %q : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) outs(%init : tensor<?x32xf32>)
  return %out : tensor<?x32xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %loops = transform.relattn.tile_attention %attention {prefetch, weight_parts = 2 : i64} : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["relattn.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    // expected-error @+1 {{attribute 'weight_parts' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative whose maximum value is 3}}
    %loops = transform.relattn.tile_attention %attention {weight_parts = 4 : i64} : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}
