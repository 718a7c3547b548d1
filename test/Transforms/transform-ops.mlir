// Both rewrites from a transform script, here and in a stock mlir-opt.
// RUN: relattn-opt %s --transform-interpreter | FileCheck %s
// RUN: %if !sanitizer %{ mlir-opt %s --load-dialect-plugin=%relattn_plugin --transform-interpreter | FileCheck %s %}

// CHECK-LABEL: func @scaled_and_biased
// CHECK: %[[CST:.*]] = arith.constant 3.000000e-01 : f32
// CHECK: %[[Q:.*]] = linalg.generic {{.*}} ins(%arg0
// CHECK:   arith.mulf %{{.*}}, %[[CST]]
// CHECK: %[[INIT:.*]] = linalg.generic {{.*}} ins(%arg2
// CHECK: linalg.matmul ins(%[[Q]], %arg1 {{.*}} outs(%[[INIT]]
// CHECK-NEXT: return
func.func @scaled_and_biased(%q: tensor<4x6xf32>, %k: tensor<6x16xf32>, %bias: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %c = arith.constant dense<0.3> : tensor<4x16xf32>
  %empty = tensor.empty() : tensor<4x16xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x16xf32>) -> tensor<4x16xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x6xf32>, tensor<6x16xf32>) outs(%zeros : tensor<4x16xf32>) -> tensor<4x16xf32>
  %scaled = arith.mulf %scores, %c : tensor<4x16xf32>
  %r = arith.addf %scaled, %bias : tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %func = transform.structured.match ops{["func.func"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.apply_patterns to %func {
      transform.apply_patterns.relattn.remove_scaling {allow_reassociation}
      transform.apply_patterns.relattn.fold_bias_into_scores
    } : !transform.any_op
    transform.yield
  }
}
