// RUN: relattn-opt %s --relattn-remove-scaling --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-remove-scaling --relattn-remove-scaling --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-remove-scaling --split-input-file --remarks-filter=relattn 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: relattn-opt %s --relattn-remove-scaling=allow-reassociation --split-input-file | FileCheck %s --check-prefix=REASSOC

// A constant in the body; the query is smaller.
// CHECK-LABEL: func @body_constant
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<4x16xf32>, %[[K:[a-z0-9]+]]: tensor<16x60xf32>)
// CHECK: %[[C:.*]] = arith.constant 1.250000e-01 : f32
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[Q]] : tensor<4x16xf32>)
// CHECK:   arith.mulf %{{.*}}, %[[C]] : f32
// CHECK: %[[S:.*]] = linalg.matmul ins(%[[P]], %[[K]]
// CHECK-NEXT: return %[[S]]
// REMARK: remark: [Passed] RemoveScaling | Category:relattn | Function=body_constant | Remark="the scale is on an operand"
func.func @body_constant(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<4x60xf32>) outs(%empty : tensor<4x60xf32>) {
  ^bb0(%a: f32, %o: f32):
    %c = arith.constant 0.125 : f32
    %p = arith.mulf %c, %a : f32
    linalg.yield %p : f32
  } -> tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// A division, on tensors, by a splat; the key is smaller.
// CHECK-LABEL: func @tensor_division
// CHECK: %[[C:.*]] = arith.constant 2.500000e-01 : f32
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<16x4xf32>)
// CHECK:   arith.mulf %{{.*}}, %[[C]] : f32
// CHECK: linalg.matmul ins(%arg0, %[[P]]
// CHECK-NOT: arith.divf
func.func @tensor_division(%q: tensor<60x16xf32>, %k: tensor<16x4xf32>) -> tensor<60x4xf32> {
  %zeros = arith.constant dense<0.0> : tensor<60x4xf32>
  %c = arith.constant dense<4.0> : tensor<60x4xf32>
  %s = linalg.matmul ins(%q, %k : tensor<60x16xf32>, tensor<16x4xf32>) outs(%zeros : tensor<60x4xf32>) -> tensor<60x4xf32>
  %r = arith.divf %s, %c : tensor<60x4xf32>
  return %r : tensor<60x4xf32>
}

// -----

// A rank-0 tensor of f64, cast in the body and inverted; powers of two stay exact.
// CHECK-LABEL: func @rank_0_f64_reciprocal
// CHECK: arith.constant 1.250000e-01 : f32
// CHECK: linalg.generic {{.*}} ins(%arg0
// CHECK: linalg.matmul
// CHECK-NEXT: return
func.func @rank_0_f64_reciprocal(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %t = arith.constant dense<8.0> : tensor<f64>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> ()>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %t : tensor<4x60xf32>, tensor<f64>) outs(%empty : tensor<4x60xf32>) {
  ^bb0(%a: f32, %b: f64, %o: f32):
    %w = arith.truncf %b : f64 to f32
    %one = arith.constant 1.0 : f32
    %c = arith.divf %one, %w : f32
    %p = arith.mulf %a, %c : f32
    linalg.yield %p : f32
  } -> tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// A filled tensor and a named op; a transpose and a reshape between.
// CHECK-LABEL: func @filled_behind_moves
// CHECK: linalg.generic {{.*}} ins(%arg0
// CHECK:   arith.mulf
// CHECK: linalg.matmul
// CHECK: linalg.transpose
// CHECK: %[[R:.*]] = tensor.expand_shape
// CHECK-NEXT: return %[[R]]
func.func @filled_behind_moves(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<60x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant 0.5 : f32
  %e3 = tensor.empty() : tensor<60x2x2xf32>
  %c = linalg.fill ins(%half : f32) outs(%e3 : tensor<60x2x2xf32>) -> tensor<60x2x2xf32>
  %et = tensor.empty() : tensor<60x4xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %t = linalg.transpose ins(%s : tensor<4x60xf32>) outs(%et : tensor<60x4xf32>) permutation = [1, 0]
  %x = tensor.expand_shape %t [[0], [1, 2]] output_shape [60, 2, 2] : tensor<60x4xf32> into tensor<60x2x2xf32>
  %r = linalg.mul ins(%x, %c : tensor<60x2x2xf32>, tensor<60x2x2xf32>) outs(%e3 : tensor<60x2x2xf32>) -> tensor<60x2x2xf32>
  return %r : tensor<60x2x2xf32>
}

// -----

// Past a bias, which is scaled too: in the body, and in a constant.
// CHECK-LABEL: func @past_biases
// CHECK-DAG: %[[MASK:.*]] = arith.constant dense<{{\[\[}}5.000000e-01, -1.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: %[[S:.*]] = linalg.matmul
// CHECK: linalg.generic {{.*}} ins(%[[S]], %arg2, %[[MASK]]
// CHECK:   %[[B:.*]] = arith.mulf %{{.*}}, %[[HALF]]
// CHECK:   %[[SB:.*]] = arith.addf %{{.*}}, %[[B]]
// CHECK:   %[[SBM:.*]] = arith.addf %[[SB]], %{{.*}}
// CHECK:   math.exp %[[SBM]]
// CHECK-NOT: arith.mulf
func.func @past_biases(%q: tensor<2x1xf32>, %k: tensor<1x2xf32>, %bias: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zeros = arith.constant dense<0.0> : tensor<2x2xf32>
  %half = arith.constant 0.5 : f32
  %mask = arith.constant dense<[[1.0, -2.0]]> : tensor<1x2xf32>
  %empty = tensor.empty() : tensor<2x2xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x1xf32>, tensor<1x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (0, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %bias, %mask : tensor<2x2xf32>, tensor<2x2xf32>, tensor<1x2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: f32, %c3: f32, %o: f32):
    %0 = arith.addf %b, %a : f32
    %1 = arith.addf %0, %c3 : f32
    %2 = arith.mulf %1, %half : f32
    %3 = math.exp %2 : f32
    linalg.yield %3 : f32
  } -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// -----

// A bias that a gather reads from a table: the table is scaled.
// CHECK-LABEL: func @into_a_table
// CHECK: %[[TABLE:.*]] = linalg.generic {{.*}} ins(%arg3 : tensor<8xf32>)
// CHECK:   arith.mulf
// CHECK: %[[BIAS:.*]] = linalg.generic {{.*}} ins(%arg2
// CHECK:   tensor.extract %[[TABLE]]
// CHECK-NEXT: linalg.yield
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[BIAS]]
// CHECK-NOT: arith.mulf
func.func @into_a_table(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>, %ids: tensor<4x60xi32>, %table: tensor<8xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant 0.5 : f32
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<4x60xi32>) outs(%empty : tensor<4x60xf32>) {
  ^bb0(%a: i32, %o: f32):
    %i = arith.index_cast %a : i32 to index
    %x = tensor.extract %table[%i] : tensor<8xf32>
    linalg.yield %x : f32
  } -> tensor<4x60xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %bias : tensor<4x60xf32>, tensor<4x60xf32>) outs(%empty : tensor<4x60xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    %1 = arith.mulf %0, %half : f32
    linalg.yield %1 : f32
  } -> tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// Weights take the scale of the query at compile time.
// CHECK-LABEL: func @into_weights
// CHECK: %[[W:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00]]>
// CHECK: %[[P:.*]] = linalg.matmul ins(%arg0, %[[W]]
// CHECK: linalg.matmul ins(%[[P]], %arg1
// CHECK-NOT: arith.mulf
// REMARK: Function=into_weights | Remark="the scale is folded into a constant"
func.func @into_weights(%x: tensor<4x1xf32>, %k: tensor<2x60xf32>) -> tensor<4x60xf32> {
  %w = arith.constant dense<[[2.0, 4.0]]> : tensor<1x2xf32>
  %c = arith.constant dense<0.5> : tensor<4x60xf32>
  %z0 = arith.constant dense<0.0> : tensor<4x2xf32>
  %z1 = arith.constant dense<0.0> : tensor<4x60xf32>
  %q = linalg.matmul ins(%x, %w : tensor<4x1xf32>, tensor<1x2xf32>) outs(%z0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x2xf32>, tensor<2x60xf32>) outs(%z1 : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %c : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// Roots on both sides, one behind a transpose: one scale on the query. They
// are no powers of two and carry no flag: only with the option.
// CHECK-LABEL: func @roots_of_both
// CHECK-COUNT-2: arith.mulf
// REASSOC-LABEL: func @roots_of_both
// REASSOC: arith.constant 2.500000e-01 : f32
// REASSOC: linalg.transpose ins(%arg1
// REASSOC: linalg.generic {{.*}} ins(%arg0
// REASSOC:   arith.mulf
// REASSOC-NOT: arith.mulf
// REASSOC: return
// REMARK: [Missed] RemoveScaling | Category:relattn | Function=roots_of_both | Reason="neither scale is a power of two, and reassociation is not allowed"
func.func @roots_of_both(%q: tensor<4x16xf32>, %k: tensor<60x16xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %c = arith.constant dense<0.2> : tensor<4x16xf32>
  %d = arith.constant dense<1.25> : tensor<60x16xf32>
  %et = tensor.empty() : tensor<16x60xf32>
  %qs = arith.mulf %q, %c : tensor<4x16xf32>
  %ks = arith.mulf %d, %k : tensor<60x16xf32>
  %kt = linalg.transpose ins(%ks : tensor<60x16xf32>) outs(%et : tensor<16x60xf32>) permutation = [1, 0]
  %s = linalg.matmul ins(%qs, %kt : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  return %s : tensor<4x60xf32>
}

// -----

// One on the query and one on the scores: merged in one multiplication.
// CHECK-LABEL: func @merged
// CHECK: arith.constant 1.500000e-01 : f32
// CHECK: arith.mulf
// CHECK: linalg.matmul
// CHECK-NOT: arith.mulf
// REMARK: Function=merged | Remark="the scale is folded into another one"
func.func @merged(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %c = arith.constant dense<0.3> : tensor<4x16xf32>
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %qs = arith.mulf %q, %c : tensor<4x16xf32>
  %s = linalg.matmul ins(%qs, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// From the larger operand to the smaller.
// CHECK-LABEL: func @to_the_smaller
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4x16xf32>)
// CHECK: linalg.matmul ins(%{{.*}}, %arg1
func.func @to_the_smaller(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %c = arith.constant dense<0.5> : tensor<16x60xf32>
  %ks = arith.mulf %k, %c : tensor<16x60xf32>
  %s = linalg.matmul ins(%q, %ks : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  return %s : tensor<4x60xf32>
}

// -----

// 1 goes, also where nothing else may: the scores have two users.
// CHECK-LABEL: func @one
// CHECK: %[[S:.*]] = linalg.matmul ins(%arg0, %arg1
// CHECK-NEXT: return %[[S]], %[[S]]
// REMARK: Function=one | Remark="a scale of 1 is gone"
func.func @one(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> (tensor<4x60xf32>, tensor<4x60xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %c = arith.constant dense<1.0> : tensor<4x60xf32>
  %d = arith.constant dense<1.0> : tensor<16x60xf32>
  %ks = arith.divf %k, %d : tensor<16x60xf32>
  %s = linalg.matmul ins(%q, %ks : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = linalg.mul ins(%s, %c : tensor<4x60xf32>, tensor<4x60xf32>) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  return %r, %s : tensor<4x60xf32>, tensor<4x60xf32>
}

// -----

// A run-time scale, with the flag; the contraction moves down to it.
// CHECK-LABEL: func @run_time
// CHECK: %[[X:.*]] = tensor.extract %arg2[]
// CHECK: %[[INV:.*]] = arith.divf %{{.*}}, %[[X]]
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%arg0
// CHECK:   arith.mulf %{{.*}}, %[[INV]] fastmath<reassoc> : f32
// CHECK: %[[S:.*]] = linalg.matmul ins(%[[P]], %arg1
// CHECK-NEXT: return %[[S]]
func.func @run_time(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>, %c: tensor<f32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> ()>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %c : tensor<4x60xf32>, tensor<f32>) outs(%empty : tensor<4x60xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.divf %a, %b fastmath<reassoc,nnan,ninf> : f32
    linalg.yield %p : f32
  } -> tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// The op that computes the initial accumulator scales it.
// CHECK-LABEL: func @scaled_init
// CHECK: %[[INIT:.*]] = linalg.generic {{.*}} ins(%arg2
// CHECK:   math.tanh
// CHECK:   arith.mulf
// CHECK: linalg.matmul {{.*}} outs(%[[INIT]]
// CHECK-NEXT: return
func.func @scaled_init(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>, %b: tensor<4x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %init = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<4x60xf32>) outs(%empty : tensor<4x60xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.tanh %a : f32
    linalg.yield %0 : f32
  } -> tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%init : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func @no_move_if_product_has_two_users
// CHECK: arith.mulf %{{.*}}, %{{.*}} : tensor<4x60xf32>
// REMARK: Function=no_move_if_product_has_two_users | Reason="the product has another user"
func.func @no_move_if_product_has_two_users(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> (tensor<4x60xf32>, tensor<4x60xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r, %s : tensor<4x60xf32>, tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func @no_move_if_not_a_power_of_two
// CHECK: arith.mulf %{{.*}}, %{{.*}} : tensor<4x60xf32>
// REMARK: Function=no_move_if_not_a_power_of_two | Reason="the scale is not a power of two, and reassociation is not allowed"
func.func @no_move_if_not_a_power_of_two(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0.3> : tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// 2^-119: the query would lose what the scores need.
// CHECK-LABEL: func @no_move_of_a_huge_power
// CHECK: arith.mulf %{{.*}}, %{{.*}} : tensor<4x60xf32>
// REMARK: Function=no_move_of_a_huge_power | Reason="the scale is not a power of two, and reassociation is not allowed"
func.func @no_move_of_a_huge_power(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0x04000000> : tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func @no_move_into_f16
// CHECK: arith.mulf %{{.*}}, %{{.*}} : tensor<4x60xf32>
// REMARK: Function=no_move_into_f16 | Reason="the operands are narrower than the scores"
func.func @no_move_into_f16(%q: tensor<4x16xf16>, %k: tensor<16x60xf16>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf16>, tensor<16x60xf16>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func @no_move_if_operands_are_larger
// CHECK: arith.mulf %{{.*}}, %{{.*}} : tensor<4x60xf32>
// REMARK: Function=no_move_if_operands_are_larger | Reason="no operand is smaller than the scores"
func.func @no_move_if_operands_are_larger(%q: tensor<4x60xf32>, %k: tensor<60x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x60xf32>, tensor<60x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func @no_move_if_operand_has_two_users
// CHECK: arith.mulf %{{.*}}, %{{.*}} : tensor<4x60xf32>
// REMARK: Function=no_move_if_operand_has_two_users | Reason="the smaller operand has another user"
func.func @no_move_if_operand_has_two_users(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> (tensor<4x60xf32>, tensor<4x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %x = math.tanh %q : tensor<4x16xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r, %x : tensor<4x60xf32>, tensor<4x16xf32>
}

// -----

// CHECK-LABEL: func @no_move_if_init_takes_a_pass
// CHECK: arith.mulf %{{.*}}, %{{.*}} : tensor<4x60xf32>
// REMARK: Function=no_move_if_init_takes_a_pass | Reason="scaling the initial accumulator would take a pass of its own"
func.func @no_move_if_init_takes_a_pass(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>, %b: tensor<4x60xf32>) -> tensor<4x60xf32> {
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%b : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = arith.mulf %s, %half : tensor<4x60xf32>
  return %r : tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func @no_move_if_converted_first
// CHECK: arith.mulf {{.*}} : f64
// REMARK: Function=no_move_if_converted_first | Reason="the scores are converted before the scale"
func.func @no_move_if_converted_first(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<4x60xf64> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %e64 = tensor.empty() : tensor<4x60xf64>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<4x60xf32>) outs(%e64 : tensor<4x60xf64>) {
  ^bb0(%a: f32, %o: f64):
    %w = arith.extf %a : f32 to f64
    %c = arith.constant 0.5 : f64
    %p = arith.mulf %w, %c : f64
    linalg.yield %p : f64
  } -> tensor<4x60xf64>
  return %r : tensor<4x60xf64>
}

// -----

// The scale of each iteration is another one.
// CHECK-LABEL: func @no_move_of_a_loop_s_scale
// CHECK: scf.for
// CHECK:   arith.mulf
// REMARK: Function=no_move_of_a_loop_s_scale | Reason="the contraction stands in another block"
func.func @no_move_of_a_loop_s_scale(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>, %n: index, %cs: tensor<?xf32>, %init: tensor<4x60xf32>) -> tensor<4x60xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %init) -> tensor<4x60xf32> {
    %c = tensor.extract %cs[%i] : tensor<?xf32>
    %next = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
          ins(%s, %x : tensor<4x60xf32>, tensor<4x60xf32>) outs(%empty : tensor<4x60xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %p = arith.mulf %a, %c fastmath<reassoc> : f32
        %y = arith.maximumf %p, %b : f32
        linalg.yield %y : f32
      } -> tensor<4x60xf32>
    scf.yield %next : tensor<4x60xf32>
  }
  return %r : tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func @no_move_out_of_a_named_transpose
// CHECK: linalg.elementwise
// REMARK: Function=no_move_out_of_a_named_transpose | Reason="the named op does more than scale"
func.func @no_move_out_of_a_named_transpose(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>) -> tensor<60x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %half = arith.constant dense<0.5> : tensor<60x4xf32>
  %et = tensor.empty() : tensor<60x4xf32>
  %s = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %r = linalg.elementwise kind=#linalg.elementwise_kind<mul>
      indexing_maps = [affine_map<(n, m) -> (m, n)>, affine_map<(n, m) -> (n, m)>, affine_map<(n, m) -> (n, m)>]
      ins(%s, %half : tensor<4x60xf32>, tensor<60x4xf32>) outs(%et : tensor<60x4xf32>) -> tensor<60x4xf32>
  return %r : tensor<60x4xf32>
}

// -----

// The rest are no scales, and no remark is due: a factor of 0 (it would hide an
// infinite score), a number over the scores, a factor for each column, integers.
// CHECK-LABEL: func @no_scale
// CHECK: linalg.matmul ins(%arg0, %arg1
// CHECK: arith.mulf
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK: arith.muli
// REMARK-NOT: Function=no_scale
func.func @no_scale(%q: tensor<4x16xf32>, %k: tensor<16x60xf32>, %column: tensor<60xf32>, %qi: tensor<4x16xi32>, %ki: tensor<16x60xi32>) -> (tensor<4x60xf32>, tensor<4x60xf32>, tensor<4x60xf32>, tensor<4x60xi32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x60xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x60xf32>) -> tensor<4x60xf32>
  %c0 = arith.constant dense<0.0> : tensor<4x60xf32>
  %half = arith.constant dense<0.5> : tensor<4x60xf32>
  %two = arith.constant dense<2> : tensor<4x60xi32>
  %zi = arith.constant dense<0> : tensor<4x60xi32>
  %s0 = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %s1 = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %s2 = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x60xf32>) outs(%zeros : tensor<4x60xf32>) -> tensor<4x60xf32>
  %s3 = linalg.matmul ins(%qi, %ki : tensor<4x16xi32>, tensor<16x60xi32>) outs(%zi : tensor<4x60xi32>) -> tensor<4x60xi32>
  %r0 = arith.mulf %s0, %c0 : tensor<4x60xf32>
  %r1 = arith.divf %half, %s1 : tensor<4x60xf32>
  %r2 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s2, %column : tensor<4x60xf32>, tensor<60xf32>) outs(%empty : tensor<4x60xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b fastmath<reassoc> : f32
    linalg.yield %p : f32
  } -> tensor<4x60xf32>
  %r3 = arith.muli %s3, %two : tensor<4x60xi32>
  return %r0, %r1, %r2, %r3 : tensor<4x60xf32>, tensor<4x60xf32>, tensor<4x60xf32>, tensor<4x60xi32>
}
