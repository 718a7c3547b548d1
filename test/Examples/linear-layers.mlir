// The two rewrites are not only for attention: a linear layer's bias and a
// residual addition become the accumulators that their products start from, and
// the scale of a projection goes into its weights.

// RUN: relattn-opt %s --relattn-remove-scaling --relattn-fold-bias-into-scores | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s --check-prefix=EXEC
// RUN: relattn-opt %s --relattn-remove-scaling --relattn-fold-bias-into-scores --relattn-to-cpu | %run_main | FileCheck %s --check-prefix=EXEC

#rows = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (n)>

// y = x W + b, the bias broadcast over the rows.
// CHECK-LABEL: func @linear
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%arg2 : tensor<4xf32>)
// CHECK: %[[Y:.*]] = linalg.matmul ins(%arg0, %arg1 {{.*}} outs(%[[B]]
// CHECK-NEXT: return %[[Y]]
func.func @linear(%x: tensor<2x3xf32>, %w: tensor<3x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x4xf32>) -> tensor<2x4xf32>
  %product = linalg.matmul ins(%x, %w : tensor<2x3xf32>, tensor<3x4xf32>)
      outs(%zeros : tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]}
      ins(%product, %b : tensor<2x4xf32>, tensor<4xf32>) outs(%empty : tensor<2x4xf32>) {
  ^bb0(%p: f32, %bias: f32, %unused: f32):
    %0 = arith.addf %p, %bias : f32
    linalg.yield %0 : f32
  } -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// r = x + 0.5 (h W), W a constant: neither pass over the product is left.
// CHECK-LABEL: func @residual
// CHECK: %[[W:.*]] = arith.constant dense<{{\[\[}}5.000000e-01, 1.000000e+00], [1.500000e+00, 2.000000e+00]]>
// CHECK: %[[X:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<2x2xf32>)
// CHECK: %[[R:.*]] = linalg.matmul ins(%arg1, %[[W]] {{.*}} outs(%[[X]]
// CHECK-NEXT: return %[[R]]
func.func @residual(%x: tensor<2x2xf32>, %h: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %half = arith.constant dense<0.5> : tensor<2x2xf32>
  %zeros = arith.constant dense<0.0> : tensor<2x2xf32>
  %product = linalg.matmul ins(%h, %w : tensor<2x2xf32>, tensor<2x2xf32>)
      outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  %scaled = arith.mulf %product, %half : tensor<2x2xf32>
  %r = arith.addf %x, %scaled : tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

func.func private @printMemrefF32(tensor<*xf32>)

// EXEC: [11, {{ *}}20, {{ *}}30, {{ *}}40]
// EXEC: [13, {{ *}}21, {{ *}}32, {{ *}}42]
// EXEC: [12, {{ *}}23]
// EXEC: [33.5, {{ *}}45]
func.func @main() {
  %x = arith.constant dense<[[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]]> : tensor<2x3xf32>
  %w = arith.constant dense<[[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0]]> : tensor<3x4xf32>
  %b = arith.constant dense<[10.0, 20.0, 30.0, 40.0]> : tensor<4xf32>
  %y = call @linear(%x, %w, %b) : (tensor<2x3xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  %y_any = tensor.cast %y : tensor<2x4xf32> to tensor<*xf32>
  call @printMemrefF32(%y_any) : (tensor<*xf32>) -> ()

  %residual = arith.constant dense<[[10.0, 20.0], [30.0, 40.0]]> : tensor<2x2xf32>
  %h = arith.constant dense<[[1.0, 1.0], [1.0, 2.0]]> : tensor<2x2xf32>
  %r = call @residual(%residual, %h) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %r_any = tensor.cast %r : tensor<2x2xf32> to tensor<*xf32>
  call @printMemrefF32(%r_any) : (tensor<*xf32>) -> ()
  return
}
