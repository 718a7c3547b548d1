// A bucketing from outside: `test/lib/ToySchemePlugin.cpp` defines `#toy.sides`
// (before, at, after the query) by its intervals alone. Verifier, folder,
// strip, attention and execution follow.

// RUN: relattn-opt %s --load-dialect-plugin=%toy_plugin --canonicalize | FileCheck %s
// RUN: relattn-opt %s --load-dialect-plugin=%toy_plugin --relattn-to-cpu | %run_main | FileCheck %s --check-prefix=EXEC


func.func private @printMemrefF32(tensor<*xf32>)

// CHECK-LABEL: func @folds
// CHECK: arith.constant dense<[0, 1, 2]> : tensor<3xi32>
func.func @folds() -> tensor<3xi32> {
  %offsets = arith.constant dense<[-7, 0, 7]> : tensor<3xi64>
  %ids = relattn.bucket #toy.sides %offsets : tensor<3xi64> -> tensor<3xi32>
  return %ids : tensor<3xi32>
}

// Scores of zero leave the bias: two keys with log 1 and log 3 share one query.
// CHECK-LABEL: func @main
// CHECK: bias(#toy.sides, %{{.*}} : tensor<3x1xf32>)
// EXEC: 0.25
func.func @main() {
  %table = arith.constant dense<[[0.0], [0.0], [1.0986123]]> : tensor<3x1xf32>
  %query = arith.constant dense<0.0> : tensor<1x1xf32>
  %key = arith.constant dense<0.0> : tensor<2x1xf32>
  %value = arith.constant dense<[[1.0], [0.0]]> : tensor<2x1xf32>
  %init = tensor.empty() : tensor<1x1xf32>
  %out = relattn.attention ins(%query, %key, %value : tensor<1x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>)
    bias(#toy.sides, %table : tensor<3x1xf32>) outs(%init : tensor<1x1xf32>)
  %any = tensor.cast %out : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%any) : (tensor<*xf32>) -> ()
  return
}
