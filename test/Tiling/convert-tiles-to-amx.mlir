// Products in pairs that somebody else made.
// RUN: relattn-opt %s --relattn-convert-tiles-to-amx --split-input-file --verify-diagnostics | FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
// Accumulators that nothing known fills are read; so are those that somebody
// changes after they were filled, that are filled by another number than 0, or in
// part. All of them filled by 0 are made where they are.
// CHECK-LABEL: func.func private @relattn_tile(
// CHECK-COUNT-4: amx.tile_load %{{.*}} into !amx.tile<16x16xf32>
// CHECK-COUNT-16: amx.tile_mulf
// CHECK-NOT: amx.tile_mulf
// CHECK-LABEL: func.func private @relattn_tile_0(
// CHECK-COUNT-4: amx.tile_load %{{.*}} into !amx.tile<16x16xf32>
// CHECK-LABEL: func.func private @relattn_tile_1(
// CHECK-COUNT-4: amx.tile_load %{{.*}} into !amx.tile<16x16xf32>
// CHECK-LABEL: func.func private @relattn_tile_2(
// CHECK-COUNT-4: amx.tile_load %{{.*}} into !amx.tile<16x16xf32>
// CHECK-LABEL: func.func private @relattn_tile_3(
// CHECK-COUNT-4: amx.tile_zero
// CHECK-LABEL: func.func @products(
// CHECK: "syscall"
// CHECK: call @relattn_tile(
// CHECK: linalg.fill
// CHECK: call @relattn_tile_0(
// CHECK: linalg.fill
// CHECK: memref.store
// CHECK: call @relattn_tile_1(
// CHECK: linalg.fill
// CHECK: call @relattn_tile_2(
// CHECK-NOT: linalg.fill
// CHECK: call @relattn_tile_3(
func.func @products(%a: memref<32x16xi32>, %b: memref<16x32xi32>, %c: memref<32x32xf32>, %one: f32, %i: index) {
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : memref<32x16xi32>, memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  linalg.fill {relattn.tile = "pair_bias"} ins(%one : f32) outs(%c : memref<32x32xf32>)
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : memref<32x16xi32>, memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  %zero = arith.constant 0.0 : f32
  linalg.fill {relattn.tile = "pair_bias"} ins(%zero : f32) outs(%c : memref<32x32xf32>)
  memref.store %one, %c[%i, %i] : memref<32x32xf32>
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : memref<32x16xi32>, memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  %part = memref.subview %c[0, 0] [16, 32] [1, 1] : memref<32x32xf32> to memref<16x32xf32, strided<[32, 1]>>
  linalg.fill {relattn.tile = "pair_bias"} ins(%zero : f32) outs(%part : memref<16x32xf32, strided<[32, 1]>>)
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : memref<32x16xi32>, memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  linalg.fill {relattn.tile = "pair_bias"} ins(%zero : f32) outs(%c : memref<32x32xf32>)
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : memref<32x16xi32>, memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @rows(%a: memref<40x16xi32>, %b: memref<16x32xi32>, %c: memref<40x32xf32>) {
  // expected-error @+1 {{'linalg.generic' op cannot be multiplied by AMX: expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : memref<40x16xi32>, memref<40x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<40x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
// One part each: a product for each accumulator; and two of them with one.
// CHECK-LABEL: func.func private @relattn_tile(
// CHECK-COUNT-4: amx.tile_mulf
// CHECK-NOT: amx.tile_mulf
// CHECK-LABEL: func.func private @relattn_tile_0(
// CHECK-COUNT-8: amx.tile_mulf
// CHECK-NOT: amx.tile_mulf
// CHECK-LABEL: func.func @one_part(
func.func @one_part(%a: memref<32x16xi32>, %b: memref<16x32xi32>, %c: memref<32x32xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<32x16xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: f32):
    linalg.yield %2 : f32
  }
  linalg.generic {indexing_maps = [#a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b, %b : memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: f32):
    linalg.yield %3 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @maps(%a: memref<32x32xi32>, %c: memref<32x32xf32>) {
  // expected-error @+1 {{expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#a, #b, #a, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %a : memref<32x32xi32>, memref<32x32xi32>, memref<32x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: f32):
    linalg.yield %3 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @other_order(%a: memref<32x32xi32>, %c: memref<32x32xf32>) {
  // expected-error @+1 {{expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#b, #a, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a : memref<32x32xi32>, memref<32x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: f32):
    linalg.yield %2 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @other_words(%a: memref<32x16xi32>, %b: memref<16x32xi32>, %more: memref<?x32xi32>, %c: memref<32x32xf32>) {
  // expected-error @+1 {{expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b, %more : memref<32x16xi32>, memref<16x32xi32>, memref<?x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: f32):
    linalg.yield %3 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @four_left_parts(%a: memref<32x16xi32>, %b: memref<16x32xi32>, %c: memref<32x32xf32>) {
  // expected-error @+1 {{expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#a, #a, #a, #a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %a, %a, %b : memref<32x16xi32>, memref<32x16xi32>, memref<32x16xi32>, memref<32x16xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: i32, %5: f32):
    linalg.yield %5 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @four_parts(%a: memref<32x16xi32>, %b: memref<16x32xi32>, %c: memref<32x32xf32>) {
  // expected-error @+1 {{expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#a, #b, #b, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b, %b, %b, %b : memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: i32, %5: f32):
    linalg.yield %5 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, c, w) -> (c, m, w)>
#b = affine_map<(m, n, c, w) -> (c, w, n)>
#c = affine_map<(m, n, c, w) -> (m, n)>
func.func @words(%a: memref<?x32x8xi32>, %b: memref<?x8x32xi32>, %c: memref<32x32xf32>) {
  // expected-error @+1 {{expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%a, %a, %b, %b : memref<?x32x8xi32>, memref<?x32x8xi32>, memref<?x8x32xi32>, memref<?x8x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_values"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @strided(%a: memref<32x16xi32, strided<[64, 2]>>, %b: memref<16x32xi32>, %c: memref<32x32xf32>) {
  // expected-error @+1 {{expected buffers of whole tiles}}
  linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : memref<32x16xi32, strided<[64, 2]>>, memref<32x16xi32, strided<[64, 2]>>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @tensors(%a: tensor<32x16xi32>, %b: tensor<16x32xi32>, %c: tensor<32x32xf32>) -> tensor<32x32xf32> {
  // expected-error @+1 {{expected buffers of whole tiles}}
  %r = linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a, %b, %b : tensor<32x16xi32>, tensor<32x16xi32>, tensor<16x32xi32>, tensor<16x32xi32>) outs(%c : tensor<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
  ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
    linalg.yield %4 : f32
  } -> tensor<32x32xf32>
  return %r : tensor<32x32xf32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
module {
  module {
    func.func @inner(%a: memref<32x16xi32>, %b: memref<16x32xi32>, %c: memref<32x32xf32>) {
      // expected-error @+1 {{cannot be multiplied by AMX outside of the module's functions}}
      linalg.generic {indexing_maps = [#a, #a, #b, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
          ins(%a, %a, %b, %b : memref<32x16xi32>, memref<32x16xi32>, memref<16x32xi32>, memref<16x32xi32>) outs(%c : memref<32x32xf32>) attrs = {relattn.tile = "pair_scores"} {
      ^bb0(%0: i32, %1: i32, %2: i32, %3: i32, %4: f32):
        linalg.yield %4 : f32
      }
      return
    }
  }
}
