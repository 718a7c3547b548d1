// RUN: relattn-opt %s --relattn-fold-bias-into-scores --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-fold-bias-into-scores --relattn-fold-bias-into-scores --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-fold-bias-into-scores --split-input-file --remarks-filter=relattn 2>&1 | FileCheck %s --check-prefix=REMARK

// An argument is copied where the zeros went, not overwritten.
// CHECK-LABEL: func @named_add
// CHECK-SAME: %[[BIAS:[a-z0-9]+]]: tensor<8x4x6xf32>)
// CHECK: %[[EMPTY:.*]] = tensor.empty
// CHECK-NOT: linalg.fill
// CHECK: %[[INIT:.*]] = linalg.generic {{.*}} ins(%[[BIAS]] : tensor<8x4x6xf32>) outs(%[[EMPTY]]
// CHECK: %[[OUT:.*]] = linalg.batch_matmul {note = "kept"} {{.*}} outs(%[[INIT]]
// CHECK-NEXT: return %[[OUT]]
// REMARK: remark: [Passed] FoldBiasIntoScores | Category:relattn | Function=named_add
func.func @named_add(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %bias: tensor<8x4x6xf32>) -> tensor<8x4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul {note = "kept"} ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %r = linalg.add ins(%bias, %scores : tensor<8x4x6xf32>, tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  return %r : tensor<8x4x6xf32>
}

// -----

// A bias made for this add alone is the accumulator.
// CHECK-LABEL: func @fresh_bias
// CHECK: %[[BIAS:.*]] = linalg.broadcast
// CHECK-NOT: linalg.generic
// CHECK: linalg.matmul {{.*}} outs(%[[BIAS]]
func.func @fresh_bias(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %row: tensor<6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant -0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %bias = linalg.broadcast ins(%row : tensor<6xf32>) outs(%empty : tensor<4x6xf32>) dimensions = [0]
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.add ins(%scores, %bias : tensor<4x6xf32>, tensor<4x6xf32>) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// -----

// Integers, arith on tensors, a constant of zeros; the bias has another user.
// CHECK-LABEL: func @integer_arith_add
// CHECK: %[[INIT:.*]] = linalg.generic {{.*}} ins(%[[BIAS:.*]] : tensor<4x6xi32>)
// CHECK: %[[R:.*]] = linalg.matmul {{.*}} outs(%[[INIT]]
// CHECK: return %[[R]], %{{.*}}
func.func @integer_arith_add(%q: tensor<4x16xi32>, %k: tensor<16x6xi32>, %other: tensor<4x6xi32>) -> (tensor<4x6xi32>, tensor<4x6xi32>) {
  %zeros = arith.constant dense<0> : tensor<4x6xi32>
  %bias = arith.muli %other, %other : tensor<4x6xi32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xi32>, tensor<16x6xi32>) outs(%zeros : tensor<4x6xi32>) -> tensor<4x6xi32>
  %r = arith.addi %scores, %bias : tensor<4x6xi32>
  return %r, %bias : tensor<4x6xi32>, tensor<4x6xi32>
}

// -----

// Bias and mask in one body, a reshape and a transpose between, later work
// kept, and the assumptions of the products weakened.
// CHECK-LABEL: func @one_body
// CHECK: %[[INIT:.*]] = linalg.generic
// CHECK:   arith.addf
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[INIT]]
// CHECK: %[[DOT:.*]] = linalg.generic {{.*}} outs(%[[FLAT]]
// CHECK:   arith.mulf %{{.*}}, %{{.*}} fastmath<nnan,ninf> : f32
// CHECK:   arith.addf %{{.*}}, %{{.*}} fastmath<contract> : f32
// CHECK: tensor.expand_shape %[[DOT]]
// CHECK: linalg.transpose
// CHECK: linalg.generic
// CHECK-NOT: arith.addf
// CHECK:   math.exp
func.func @one_body(%q: tensor<6x4x16xf32>, %k: tensor<6x5x16xf32>, %bias: tensor<3x5x4xf32>, %mask: tensor<5xf32>) -> tensor<2x3x5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<6x4x5xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<6x4x5xf32>) -> tensor<6x4x5xf32>
  %scores = linalg.generic {indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>, affine_map<(h, m, n, d) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : tensor<6x4x16xf32>, tensor<6x5x16xf32>) outs(%zeros : tensor<6x4x5xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b fastmath<nnan,ninf> : f32
    %s = arith.addf %acc, %p fastmath<nnan,ninf,contract> : f32
    linalg.yield %s : f32
  } -> tensor<6x4x5xf32>
  %heads = tensor.expand_shape %scores [[0, 1], [2], [3]] output_shape [2, 3, 4, 5] : tensor<6x4x5xf32> into tensor<2x3x4x5xf32>
  %t_empty = tensor.empty() : tensor<2x3x5x4xf32>
  %t = linalg.transpose ins(%heads : tensor<2x3x4x5xf32>) outs(%t_empty : tensor<2x3x5x4xf32>) permutation = [0, 1, 3, 2]
  %r = linalg.generic {indexing_maps = [affine_map<(b, h, n, m) -> (b, h, n, m)>, affine_map<(b, h, n, m) -> (h, n, m)>, affine_map<(b, h, n, m) -> (n)>, affine_map<(b, h, n, m) -> (b, h, n, m)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%t, %bias, %mask : tensor<2x3x5x4xf32>, tensor<3x5x4xf32>, tensor<5xf32>) outs(%t_empty : tensor<2x3x5x4xf32>) {
  ^bb0(%s: f32, %b: f32, %k0: f32, %o: f32):
    %0 = arith.addf %b, %s : f32
    %1 = arith.addf %0, %k0 : f32
    %2 = math.exp %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2x3x5x4xf32>
  return %r : tensor<2x3x5x4xf32>
}

// -----

// CHECK-LABEL: func @no_fold_if_product_has_two_users
// CHECK: linalg.add
// REMARK: remark: [Missed] FoldBiasIntoScores | Category:relattn | Function=no_fold_if_product_has_two_users | Reason="the product has another user"
func.func @no_fold_if_product_has_two_users(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.add ins(%scores, %bias : tensor<4x6xf32>, tensor<4x6xf32>) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %r, %scores : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// CHECK-LABEL: func @no_fold_if_init_is_not_zero
// CHECK: linalg.add
// REMARK: Function=no_fold_if_init_is_not_zero | Reason="the contraction does not start at zero"
func.func @no_fold_if_init_is_not_zero(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<4x6xf32>, %init: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %empty = tensor.empty() : tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%init : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.add ins(%scores, %bias : tensor<4x6xf32>, tensor<4x6xf32>) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// -----

// CHECK-LABEL: func @no_fold_into_a_loop
// CHECK: scf.for
// CHECK: linalg.add
// REMARK: Function=no_fold_into_a_loop | Reason="the contraction stands in another block"
func.func @no_fold_into_a_loop(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<4x6xf32>, %n: index) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %empty = tensor.empty() : tensor<4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %bias) -> tensor<4x6xf32> {
    %next = linalg.add ins(%scores, %sum : tensor<4x6xf32>, tensor<4x6xf32>) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %next : tensor<4x6xf32>
  }
  return %r : tensor<4x6xf32>
}

// -----

// CHECK-LABEL: func @no_fold_into_f16
// CHECK: linalg.add
// REMARK: Function=no_fold_into_f16 | Reason="the accumulator is narrower than f32"
func.func @no_fold_into_f16(%q: tensor<4x16xf16>, %k: tensor<16x6xf16>, %bias: tensor<4x6xf16>) -> tensor<4x6xf16> {
  %zero = arith.constant 0.0 : f16
  %empty = tensor.empty() : tensor<4x6xf16>
  %zeros = linalg.fill ins(%zero : f16) outs(%empty : tensor<4x6xf16>) -> tensor<4x6xf16>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf16>, tensor<16x6xf16>) outs(%zeros : tensor<4x6xf16>) -> tensor<4x6xf16>
  %r = linalg.add ins(%scores, %bias : tensor<4x6xf16>, tensor<4x6xf16>) outs(%empty : tensor<4x6xf16>) -> tensor<4x6xf16>
  return %r : tensor<4x6xf16>
}

// -----

// CHECK-LABEL: func @no_fold_if_converted_first
// CHECK: arith.addf {{.*}} : f64
// REMARK: Function=no_fold_if_converted_first | Reason="the scores are converted before the add"
func.func @no_fold_if_converted_first(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<4x6xf64>) -> tensor<4x6xf64> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %out = tensor.empty() : tensor<4x6xf64>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%scores, %bias : tensor<4x6xf32>, tensor<4x6xf64>) outs(%out : tensor<4x6xf64>) {
  ^bb0(%s: f32, %b: f64, %o: f64):
    %w = arith.extf %s : f32 to f64
    %0 = arith.addf %w, %b : f64
    linalg.yield %0 : f64
  } -> tensor<4x6xf64>
  return %r : tensor<4x6xf64>
}

// -----

// CHECK-LABEL: func @no_fold_if_scores_are_broadcast
// CHECK: linalg.fill
// CHECK: arith.addf
// REMARK: Function=no_fold_if_scores_are_broadcast | Reason="the add broadcasts or repeats the scores"
func.func @no_fold_if_scores_are_broadcast(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<2x4x6xf32>) -> tensor<2x4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %out = tensor.empty() : tensor<2x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(b, m, n) -> (m, n)>, affine_map<(b, m, n) -> (b, m, n)>, affine_map<(b, m, n) -> (b, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores, %bias : tensor<4x6xf32>, tensor<2x4x6xf32>) outs(%out : tensor<2x4x6xf32>) {
  ^bb0(%s: f32, %b: f32, %o: f32):
    %0 = arith.addf %s, %b : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  return %r : tensor<2x4x6xf32>
}

// -----

// CHECK-LABEL: func @no_fold_if_transposed_before_a_reshape
// CHECK: arith.addf
// REMARK: Function=no_fold_if_transposed_before_a_reshape | Reason="a transpose stands before a reshape"
func.func @no_fold_if_transposed_before_a_reshape(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<24xf32>) -> tensor<24xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %t_empty = tensor.empty() : tensor<6x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %t = linalg.transpose ins(%scores : tensor<4x6xf32>) outs(%t_empty : tensor<6x4xf32>) permutation = [1, 0]
  %flat = tensor.collapse_shape %t [[0, 1]] : tensor<6x4xf32> into tensor<24xf32>
  %r = arith.addf %flat, %bias : tensor<24xf32>
  return %r : tensor<24xf32>
}

// -----

// Booleans and complex numbers are contractions without a bias.
// CHECK-LABEL: func @no_fold_of_complex
// CHECK: linalg.add
// REMARK-NOT: Function=no_fold_of_complex
func.func @no_fold_of_complex(%q: tensor<4x16xcomplex<f32>>, %k: tensor<16x6xcomplex<f32>>, %bias: tensor<4x6xcomplex<f32>>) -> tensor<4x6xcomplex<f32>> {
  %zero = complex.constant [0.0 : f32, 0.0 : f32] : complex<f32>
  %empty = tensor.empty() : tensor<4x6xcomplex<f32>>
  %zeros = linalg.fill ins(%zero : complex<f32>) outs(%empty : tensor<4x6xcomplex<f32>>) -> tensor<4x6xcomplex<f32>>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xcomplex<f32>>, tensor<16x6xcomplex<f32>>) outs(%zeros : tensor<4x6xcomplex<f32>>) -> tensor<4x6xcomplex<f32>>
  %r = linalg.add ins(%scores, %bias : tensor<4x6xcomplex<f32>>, tensor<4x6xcomplex<f32>>) outs(%empty : tensor<4x6xcomplex<f32>>) -> tensor<4x6xcomplex<f32>>
  return %r : tensor<4x6xcomplex<f32>>
}

// -----

// A sum over the keys is no bias, in a generic or by name.
// CHECK-LABEL: func @no_fold_of_a_reduction
// CHECK: linalg.matmul
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4xf32>)
// CHECK:   arith.addf
// CHECK: linalg.matmul
// CHECK: linalg.reduce
// REMARK: Function=no_fold_of_a_reduction | Reason="the add accumulates a reduction"
// REMARK: Function=no_fold_of_a_reduction | Reason="the add accumulates a reduction"
func.func @no_fold_of_a_reduction(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %sum: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %s0 = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%s0 : tensor<4x6xf32>) outs(%sum : tensor<4xf32>) {
  ^bb0(%s: f32, %acc: f32):
    %0 = arith.addf %s, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %s1 = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r1 = linalg.reduce { arith.addf } ins(%s1 : tensor<4x6xf32>) outs(%sum : tensor<4xf32>) dimensions = [1]
  return %r0, %r1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// What would be left of a named op has no name.
// CHECK-LABEL: func @no_fold_if_named_op_transposes
// CHECK: linalg.elementwise kind=#linalg.elementwise_kind<add>
// REMARK: Function=no_fold_if_named_op_transposes | Reason="the named op does more than add"
func.func @no_fold_if_named_op_transposes(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %out = tensor.empty() : tensor<6x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.elementwise kind=#linalg.elementwise_kind<add>
      indexing_maps = [affine_map<(n, m) -> (m, n)>, affine_map<(n, m) -> (n, m)>, affine_map<(n, m) -> (n, m)>]
      ins(%scores, %bias : tensor<4x6xf32>, tensor<6x4xf32>) outs(%out : tensor<6x4xf32>) -> tensor<6x4xf32>
  return %r : tensor<6x4xf32>
}

// -----

// Bias and mask in ops of their own: both are in the accumulator.
// CHECK-LABEL: func @bias_then_mask
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%arg2 : tensor<4x6xf32>)
// CHECK: %[[BM:.*]] = linalg.generic {{.*}} ins(%arg3, %[[B]] : tensor<6xf32>, tensor<4x6xf32>)
// CHECK:   arith.addf
// CHECK: linalg.matmul {{.*}} outs(%[[BM]]
// CHECK-NEXT: return
func.func @bias_then_mask(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<4x6xf32>, %mask: tensor<6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %s = arith.addf %scores, %bias : tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %mask : tensor<4x6xf32>, tensor<6xf32>) outs(%empty : tensor<4x6xf32>) {
  ^bb0(%in: f32, %m: f32, %o: f32):
    %0 = arith.addf %in, %m : f32
    linalg.yield %0 : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// -----

// Casts around the accumulator: its additions, not the casts, lose the flags.
// CHECK-LABEL: func @flags_behind_casts
// CHECK: arith.addf %{{.*}}, %{{.*}} : f64
// CHECK: arith.truncf
func.func @flags_behind_casts(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.generic {indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]} ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b : f32
    %w = arith.extf %acc : f32 to f64
    %x = arith.extf %p : f32 to f64
    %s = arith.addf %w, %x fastmath<nnan,ninf,nsz> : f64
    %t = arith.truncf %s : f64 to f32
    linalg.yield %t : f32
  } -> tensor<4x6xf32>
  %r = arith.addf %scores, %bias : tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// -----

// CHECK-LABEL: func @no_fold_with_side_effects
// CHECK: linalg.matmul
// CHECK: memref.load
// CHECK: memref.store
// REMARK: Function=no_fold_with_side_effects | Reason="the bias is computed with side effects"
func.func @no_fold_with_side_effects(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %counter: memref<f32>) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%scores : tensor<4x6xf32>) outs(%empty : tensor<4x6xf32>) {
  ^bb0(%in: f32, %o: f32):
    %n = memref.load %counter[] : memref<f32>
    %next = arith.addf %n, %one : f32
    memref.store %next, %counter[] : memref<f32>
    %0 = arith.addf %in, %n : f32
    linalg.yield %0 : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// -----

// The rows are summed: no operand but the scores has all of the sizes.
// CHECK-LABEL: func @no_fold_if_sizes_are_not_known
// CHECK: arith.addf
// REMARK: Function=no_fold_if_sizes_are_not_known | Reason="the sizes of the scores are not known before the contraction"
func.func @no_fold_if_sizes_are_not_known(%q: tensor<?x16xf32>, %k: tensor<16x?xf32>, %zeros_init: tensor<?x?xf32>, %row: tensor<?xf32>, %sums: tensor<?xf32>, %m: index, %n: index) -> tensor<?xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%zeros_init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<?x16xf32>, tensor<16x?xf32>) outs(%zeros : tensor<?x?xf32>) -> tensor<?x?xf32>
  %et = tensor.empty(%n, %m) : tensor<?x?xf32>
  %t = linalg.transpose ins(%scores : tensor<?x?xf32>) outs(%et : tensor<?x?xf32>) permutation = [1, 0]
  %r = linalg.generic {indexing_maps = [affine_map<(n, m) -> (n, m)>, affine_map<(n, m) -> (m)>, affine_map<(n, m) -> (n)>], iterator_types = ["parallel", "reduction"]}
      ins(%t, %row : tensor<?x?xf32>, tensor<?xf32>) outs(%sums : tensor<?xf32>) {
  ^bb0(%in: f32, %b: f32, %acc: f32):
    %0 = arith.addf %in, %b : f32
    %1 = arith.maximumf %0, %acc : f32
    linalg.yield %1 : f32
  } -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// -----

// CHECK-LABEL: func @no_fold_of_a_collapse_of_unknown_sizes
// CHECK: tensor.expand_shape
// CHECK: tensor.collapse_shape
// CHECK: arith.addf
// REMARK: Function=no_fold_of_a_collapse_of_unknown_sizes | Reason="a reshape of unknown size cannot be undone"
func.func @no_fold_of_a_collapse_of_unknown_sizes(%q: tensor<?x16xf32>, %k: tensor<16x?xf32>, %zeros_init: tensor<?x?xf32>, %bias: tensor<2x?xf32>, %half: index, %n: index) -> tensor<2x?xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%zeros_init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<?x16xf32>, tensor<16x?xf32>) outs(%zeros : tensor<?x?xf32>) -> tensor<?x?xf32>
  %x = tensor.expand_shape %scores [[0, 1], [2]] output_shape [2, %half, %n] : tensor<?x?xf32> into tensor<2x?x?xf32>
  %y = tensor.collapse_shape %x [[0], [1, 2]] : tensor<2x?x?xf32> into tensor<2x?xf32>
  %r = arith.addf %y, %bias : tensor<2x?xf32>
  return %r : tensor<2x?xf32>
}

// -----

// Cast by an op of its own, with a reshape after it.
// CHECK-LABEL: func @no_fold_if_cast_before
// CHECK: arith.addf
// REMARK: Function=no_fold_if_cast_before | Reason="the scores are converted before the add"
func.func @no_fold_if_cast_before(%q: tensor<4x16xf32>, %k: tensor<16x6xf32>, %bias: tensor<2x2x6xf16>) -> tensor<2x2x6xf16> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %out = tensor.empty() : tensor<4x6xf16>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %scores = linalg.matmul ins(%q, %k : tensor<4x16xf32>, tensor<16x6xf32>) outs(%zeros : tensor<4x6xf32>) -> tensor<4x6xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%scores : tensor<4x6xf32>) outs(%out : tensor<4x6xf16>) {
  ^bb0(%in: f32, %o: f16):
    %0 = arith.truncf %in : f32 to f16
    linalg.yield %0 : f16
  } -> tensor<4x6xf16>
  %x = tensor.expand_shape %n [[0, 1], [2]] output_shape [2, 2, 6] : tensor<4x6xf16> into tensor<2x2x6xf16>
  %r = arith.addf %x, %bias : tensor<2x2x6xf16>
  return %r : tensor<2x2x6xf16>
}

// -----

// Buffers are left alone: here aliasing, not the IR, says who reads what.
// CHECK-LABEL: func @no_fold_of_buffers
// CHECK: linalg.matmul
// CHECK: linalg.add
// REMARK-NOT: Function=no_fold_of_buffers
func.func @no_fold_of_buffers(%q: memref<4x16xf32>, %k: memref<16x6xf32>, %bias: memref<4x6xf32>, %s: memref<4x6xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<4x6xf32>)
  linalg.matmul ins(%q, %k : memref<4x16xf32>, memref<16x6xf32>) outs(%s : memref<4x6xf32>)
  linalg.add ins(%s, %bias : memref<4x6xf32>, memref<4x6xf32>) outs(%s : memref<4x6xf32>)
  return
}
