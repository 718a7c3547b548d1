// The reducer knows the dialect: canonicalisation keeps the op that matters and
// drops what it does not need. (MLIR 22.1.8's own -reduction-tree crashes on
// every input, also in a stock mlir-reduce; -opt-reduction-pass works.)
// RUN: relattn-reduce %s -opt-reduction-pass='opt-pass=canonicalize test=%S/Inputs/has-causal.sh' | FileCheck %s
// CHECK-LABEL: func.func @f
// CHECK-NEXT: relattn.attention causal
// CHECK-NOT: bias(
// CHECK-NEXT: return
func.func @f(%q: tensor<4x8xf32>, %offset: index) -> tensor<4x8xf32> {
  %table = arith.constant dense<0.0> : tensor<32x1xf32>
  %id = relattn.bucket #relattn.clip<lo = -2, hi = 2> %offset : index -> index
  %0 = relattn.attention causal ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x1xf32>) outs(%q : tensor<4x8xf32>)
  return %0 : tensor<4x8xf32>
}
