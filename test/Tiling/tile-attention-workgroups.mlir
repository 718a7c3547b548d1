// RUN: relattn-opt %s --pass-pipeline='builtin.module(func.func(relattn-tile-attention{workgroups lanes=64 keys=32}))' --split-input-file | FileCheck %s

// Queries, keys and values stay in their type and place. The whole tiles on either
// side of the band have one number as bias, if it is at most 64: it leaves the maximum
// and comes back; those between start from the strip, whose finite numbers are at most
// 2^20.
// CHECK-LABEL: func @t5
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, %{{.*}}) shared_outs(%{{.*}}) -> (tensor<2x?xf32>)
// CHECK: %[[HIGHEST:.*]] = arith.constant 0x49800000 : f32
// CHECK: arith.cmpf ogt, %[[BIAS:.*]], %[[HIGHEST]]
// CHECK: %[[LOWEST:.*]] = arith.constant 0xC9800000 : f32
// CHECK: arith.cmpf olt, %[[BIAS]], %[[LOWEST]]
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (1, 2, %{{.*}}) shared_outs
// CHECK: %[[QUERY:.*]] = tensor.insert_slice %{{.*}} : tensor<?x64xbf16> into tensor<64x64xbf16>
// CHECK: %[[LOW:.*]] = tensor.extract %{{.*}} : tensor<?xf32>
// CHECK: %[[MOST:.*]] = arith.constant 6.400000e+01 : f32
// CHECK: arith.cmpf ole, %[[LOW]], %[[MOST]]
// CHECK: %[[LEAST:.*]] = arith.constant -6.400000e+01 : f32
// CHECK: arith.cmpf oge, %[[LOW]], %[[LEAST]]
// CHECK: linalg.generic {{.*}} tensor<64xf32>) attrs = {relattn.tile = "row"}
// CHECK:   arith.subf
// CHECK: scf.for
// CHECK:   relattn.online_attention ins(%[[QUERY]], %{{.*}}, %{{.*}} : tensor<64x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>) outs(
// CHECK: linalg.generic {{.*}} tensor<64xf32>) attrs = {relattn.tile = "row"}
// CHECK:   arith.addf
// CHECK: scf.for
// CHECK:   relattn.online_attention {{.*}} strip(
// CHECK: linalg.generic {{.*}} tensor<64xf32>) attrs = {relattn.tile = "row"}
// CHECK:   arith.subf
// CHECK: scf.for
// CHECK:   relattn.online_attention {{.*}} tensor<32x64xbf16>) outs(
// CHECK: linalg.generic {{.*}} tensor<64xf32>) attrs = {relattn.tile = "row"}
// CHECK:   arith.addf
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

// A band without a bias: tiles below its edge have none of its own; a window has
// its strip everywhere.
// CHECK-LABEL: func @causal
// CHECK: scf.for
// CHECK-NOT: strip(
// CHECK: scf.for
// CHECK:   relattn.online_attention {{.*}} strip(
// CHECK-LABEL: func @window
// CHECK-NOT: relattn.tile = "row"
// CHECK: relattn.online_attention {{.*}} strip(
// CHECK: relattn.online_attention {{.*}} strip(
// CHECK-NOT: relattn.online_attention
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
