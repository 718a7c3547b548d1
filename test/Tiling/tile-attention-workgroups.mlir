// RUN: relattn-opt %s --pass-pipeline='builtin.module(func.func(relattn-tile-attention{workgroups lanes=64 keys=32}))' --split-input-file | FileCheck %s

// Queries, keys and values stay in their type and place; the whole tiles on either
// side of the band start from one number, those between from the strip.
// CHECK-LABEL: func @t5
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, %{{.*}}) shared_outs(%{{.*}}) -> (tensor<2x?xf32>)
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (1, 2, %{{.*}}) shared_outs
// CHECK: %[[QUERY:.*]] = tensor.insert_slice %{{.*}} : tensor<?x64xbf16> into tensor<64x64xbf16>
// CHECK: %[[LOW:.*]] = tensor.from_elements %{{.*}} : tensor<f32>
// CHECK: scf.for
// CHECK:   relattn.online_attention ins(%[[QUERY]], %{{.*}}, %{{.*}} : tensor<64x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>) bias(%[[LOW]] : tensor<f32>)
// CHECK: scf.for
// CHECK:   relattn.online_attention {{.*}} strip(
// CHECK: %[[HIGH:.*]] = tensor.from_elements
// CHECK: scf.for
// CHECK:   relattn.online_attention {{.*}} bias(%[[HIGH]]
// The last keys.
// CHECK: scf.for
// CHECK:   relattn.online_attention ins(%[[QUERY]], %{{.*}} : tensor<64x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>) strip(
// CHECK-NOT: scf.for
// CHECK: scf.forall.in_parallel
func.func @t5(%q: tensor<1x2x?x64xbf16>, %k: tensor<1x2x?x64xbf16>, %v: tensor<1x2x?x64xbf16>, %t: tensor<32x2xf32>, %o: tensor<1x2x?x64xbf16>) -> tensor<1x2x?x64xbf16> {
  %0 = relattn.attention ins(%q, %k, %v : tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x2xf32>) outs(%o : tensor<1x2x?x64xbf16>)
  return %0 : tensor<1x2x?x64xbf16>
}

// -----

// No bias: one loop, and none for last keys if tiles divide them; the scale is the
// step's, since queries are too narrow for it.
// CHECK-LABEL: func @plain
// CHECK: scf.forall
// CHECK: scf.for
// CHECK:   relattn.online_attention
// CHECK-SAME: scale = 1.250000e-01
// CHECK-NOT: scf.for
// CHECK: scf.forall.in_parallel
func.func @plain(%q: tensor<1x2x128x64xf16>, %k: tensor<1x2x128x64xf16>, %v: tensor<1x2x128x64xf16>, %o: tensor<1x2x128x64xf16>) -> tensor<1x2x128x64xf16> {
  %0 = relattn.attention scale(0.125) ins(%q, %k, %v : tensor<1x2x128x64xf16>, tensor<1x2x128x64xf16>, tensor<1x2x128x64xf16>) outs(%o : tensor<1x2x128x64xf16>)
  return %0 : tensor<1x2x128x64xf16>
}

// -----

// A band without a bias: tiles below its edge start from 0; a window has its strip
// everywhere.
// CHECK-LABEL: func @causal
// CHECK: %[[ZERO:.*]] = tensor.from_elements %{{.*}} : tensor<f32>
// CHECK: scf.for
// CHECK:   relattn.online_attention {{.*}} bias(%[[ZERO]]
// CHECK: scf.for
// CHECK:   relattn.online_attention {{.*}} strip(
// CHECK-LABEL: func @window
// CHECK-NOT: tensor.from_elements
// CHECK: relattn.online_attention {{.*}} strip(
func.func @causal(%q: tensor<?x64xf16>, %k: tensor<?x64xf16>, %v: tensor<?x64xf16>, %o: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %0 = relattn.attention causal maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x64xf16>, tensor<?x64xf16>, tensor<?x64xf16>) outs(%o : tensor<?x64xf16>)
  return %0 : tensor<?x64xf16>
}
func.func @window(%q: tensor<?x64xf16>, %k: tensor<?x64xf16>, %v: tensor<?x64xf16>, %o: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %0 = relattn.attention band<-16, 0> maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x64xf16>, tensor<?x64xf16>, tensor<?x64xf16>) outs(%o : tensor<?x64xf16>)
  return %0 : tensor<?x64xf16>
}

// -----

// Half as many keys where the output is wide.
// CHECK-LABEL: func @wide
// CHECK: relattn.online_attention {{.*}} tensor<16x128xf16>
func.func @wide(%q: tensor<?x128xf16>, %k: tensor<64x128xf16>, %v: tensor<64x128xf16>, %o: tensor<?x128xf16>) -> tensor<?x128xf16> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x128xf16>, tensor<64x128xf16>, tensor<64x128xf16>) outs(%o : tensor<?x128xf16>)
  return %0 : tensor<?x128xf16>
}
