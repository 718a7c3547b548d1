// The peak of temporary memory: one scores buffer, and no other buffer with
// both M (17) and N (33). Bias, mask and softmax work in it.
// RUN: relattn-opt %s --convert-relattn-to-linalg --canonicalize --cse \
// RUN:   --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   | FileCheck %s

// CHECK-LABEL: func @t5_with_mask
// CHECK-NOT: memref.alloc{{.*}}17x33
// CHECK-NOT: memref.copy
// CHECK: memref.alloc() {{.*}} : memref<2x8x17x33xf32>
// CHECK-NOT: memref.alloc{{.*}}17x33
// CHECK-NOT: memref.copy
// CHECK: return
func.func @t5_with_mask(%q: tensor<2x8x17x64xf32>, %k: tensor<2x8x33x64xf32>, %v: tensor<2x8x33x64xf32>, %table: tensor<32x8xf32>, %mask: tensor<2x33xi1>, %init: tensor<2x8x17x64xf32>) -> tensor<2x8x17x64xf32> {
  %out = relattn.attention causal scale(0.3)
    ins(%q, %k, %v : tensor<2x8x17x64xf32>, tensor<2x8x33x64xf32>, tensor<2x8x33x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x8xf32>)
    mask(%mask (b, n) : tensor<2x33xi1>)
    outs(%init : tensor<2x8x17x64xf32>)
  return %out : tensor<2x8x17x64xf32>
}

// With key lengths the loop over the batch needs only one entry's scores.
// CHECK-LABEL: func @key_lengths
// CHECK-NOT: memref.copy
// CHECK: scf.for
// CHECK-NOT: memref.copy
// CHECK: memref.alloc({{.*}}) {{.*}} : memref<1x8x17x?xf32>
// CHECK-NOT: memref.alloc{{.*}}17x?x
// CHECK-NOT: 2x8x17x33
// CHECK: return
func.func @key_lengths(%q: tensor<2x8x17x64xf32>, %k: tensor<2x8x33x64xf32>, %v: tensor<2x8x33x64xf32>, %lengths: tensor<2xi64>, %init: tensor<2x8x17x64xf32>) -> tensor<2x8x17x64xf32> {
  %out = relattn.attention
    ins(%q, %k, %v : tensor<2x8x17x64xf32>, tensor<2x8x33x64xf32>, tensor<2x8x33x64xf32>)
    key_lengths(%lengths : tensor<2xi64>)
    outs(%init : tensor<2x8x17x64xf32>)
  return %out : tensor<2x8x17x64xf32>
}
