// The plugin in a stock mlir-opt. Passes of a plugin are not flags there: they
// run by --pass-pipeline.

// UNSUPPORTED: sanitizer
// RUN: mlir-opt %s --load-dialect-plugin=%relattn_plugin --canonicalize | FileCheck %s --check-prefix=DIALECT
// RUN: mlir-opt %s --load-dialect-plugin=%relattn_plugin --load-pass-plugin=%relattn_plugin \
// RUN:   --pass-pipeline='builtin.module(convert-relattn-to-linalg)' | FileCheck %s --check-prefix=PASS
// RUN: mlir-opt %s --load-dialect-plugin=%relattn_plugin --load-pass-plugin=%relattn_plugin \
// RUN:   --pass-pipeline='builtin.module(relattn-to-cpu{threads=openmp})' | FileCheck %s --check-prefix=PIPELINE
// RUN: mlir-opt %s --load-dialect-plugin=%relattn_plugin --emit-bytecode \
// RUN:   | mlir-opt --load-dialect-plugin=%relattn_plugin | FileCheck %s --check-prefix=DIALECT

// DIALECT: relattn.attention causal
// PASS: math.exp2
// PASS-NOT: relattn.attention
// PIPELINE: llvm.call @relattn_tile
func.func @f(%q: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %init = tensor.empty() : tensor<4x8xf32>
  %0 = relattn.attention causal ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>)
  return %0 : tensor<4x8xf32>
}
