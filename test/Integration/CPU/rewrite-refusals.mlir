// Look-alikes of what the two rewrites take, executed with and without them: the
// bits of every result must be the same.
// RUN: relattn-opt %s --relattn-to-cpu | %run_main | sed 's/base@ = [^ ]*//' > %t.before
// RUN: relattn-opt %s --relattn-remove-scaling --relattn-fold-bias-into-scores | relattn-opt --relattn-to-cpu | %run_main | sed 's/base@ = [^ ]*//' > %t.after
// RUN: diff %t.before %t.after
// RUN: grep -c "Unranked Memref" %t.after | FileCheck %s
// CHECK: 38

func.func private @printMemrefI32(tensor<*xi32>)
func.func private @printMemrefI64(tensor<*xi64>)

// The scores are returned too.
func.func @fold_product_with_two_users(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %r = arith.addf %s, %b : tensor<2x3xf32>
  return %r, %s : tensor<2x3xf32>, tensor<2x3xf32>
}

// The accumulator starts from what others read.
func.func @fold_onto_an_argument(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %empty = tensor.empty() : tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%b : tensor<2x3xf32>) -> tensor<2x3xf32>
  %c = arith.constant dense<0.7> : tensor<2x3xf32>
  %r = arith.addf %s, %c : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// A product of booleans is an or of ands; the addition is an exclusive or.
func.func @fold_of_booleans(%q: tensor<2x2xi1>, %k: tensor<2x3xi1>) -> tensor<2x3xi1> {
  %zeros = arith.constant dense<false> : tensor<2x3xi1>
  %b = arith.constant dense<true> : tensor<2x3xi1>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xi1>, tensor<2x3xi1>) outs(%zeros : tensor<2x3xi1>) -> tensor<2x3xi1>
  %r = arith.addi %s, %b : tensor<2x3xi1>
  return %r : tensor<2x3xi1>
}

// The accumulator starts from ones (whole numbers: this folds).
func.func @fold_onto_ones(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %one = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %ones = linalg.fill ins(%one : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%ones : tensor<2x3xf32>) -> tensor<2x3xf32>
  %r = arith.addf %s, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// Three times the scores on the bias, each rounded.
func.func @fold_into_a_loop(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%x = %b) -> tensor<2x3xf32> {
    %y = linalg.add ins(%s, %x : tensor<2x3xf32>, tensor<2x3xf32>) outs(%x : tensor<2x3xf32>) -> tensor<2x3xf32>
    scf.yield %y : tensor<2x3xf32>
  }
  return %r : tensor<2x3xf32>
}

// Each element takes a number that the body counts on.
func.func @fold_a_counter(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %counter = memref.alloc() : memref<1xf32>
  memref.store %one, %counter[%c0] : memref<1xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<2x3xf32>) outs(%empty : tensor<2x3xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %n = memref.load %counter[%c0] : memref<1xf32>
    %next = arith.addf %n, %one : f32
    memref.store %next, %counter[%c0] : memref<1xf32>
    %y = arith.addf %in0, %n : f32
    linalg.yield %y : f32
  } -> tensor<2x3xf32>
  memref.dealloc %counter : memref<1xf32>
  return %r : tensor<2x3xf32>
}

// A bias that is the product itself.
func.func @fold_the_same_scores_twice(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<2x3xf32>) outs(%empty : tensor<2x3xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %y = arith.addf %in0, %in0 : f32
    linalg.yield %y : f32
  } -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// The first column of the scores, on each column of the bias.
func.func @fold_scores_read_at_one_place(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, 0)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %b : tensor<2x3xf32>, tensor<2x3xf32>) outs(%empty : tensor<2x3xf32>) {
  ^bb0(%in0: f32, %in1: f32, %o: f32):
    %y = arith.addf %in0, %in1 : f32
    linalg.yield %y : f32
  } -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// The bias is in another order.
func.func @fold_a_transpose_before_a_reshape(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<6xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %et = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%s : tensor<2x3xf32>) outs(%et : tensor<3x2xf32>) permutation = [1, 0]
  %flat = tensor.collapse_shape %t [[0, 1]] : tensor<3x2xf32> into tensor<6xf32>
  %flat_b = tensor.collapse_shape %b [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
  %r = arith.addf %flat, %flat_b : tensor<6xf32>
  return %r : tensor<6xf32>
}

// A bias with another user is not accumulated in (whole numbers: this folds).
func.func @fold_keeps_the_bias(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<2x3xf32>) outs(%empty : tensor<2x3xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %y = arith.negf %in0 : f32
    linalg.yield %y : f32
  } -> tensor<2x3xf32>
  %r = arith.addf %s, %c : tensor<2x3xf32>
  return %r, %c : tensor<2x3xf32>, tensor<2x3xf32>
}

// A sum over the keys is no bias.
func.func @fold_a_sum(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %start = tensor.extract_slice %b[0, 0] [2, 1] [1, 1] : tensor<2x3xf32> to tensor<2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<2x3xf32>) outs(%start : tensor<2xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %y = arith.addf %in0, %o : f32
    linalg.yield %y : f32
  } -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// What would be left of the op has no name.
func.func @fold_a_transposing_name(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %et = tensor.empty() : tensor<3x2xf32>
  %bt = linalg.transpose ins(%b : tensor<2x3xf32>) outs(%et : tensor<3x2xf32>) permutation = [1, 0]
  %r = linalg.elementwise kind=#linalg.elementwise_kind<add>
      indexing_maps = [affine_map<(n, m) -> (m, n)>, affine_map<(n, m) -> (n, m)>, affine_map<(n, m) -> (n, m)>]
      ins(%s, %bt : tensor<2x3xf32>, tensor<3x2xf32>) outs(%et : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -65504 and the products in turn pass -inf; their sum is 0.
func.func @fold_scores_of_f16(%q: tensor<2x2xf16>, %k: tensor<2x3xf16>) -> tensor<2x3xf16> {
  %zeros = arith.constant dense<0.0> : tensor<2x3xf16>
  %lowest = arith.constant dense<-65504.0> : tensor<2x3xf16>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf16>, tensor<2x3xf16>) outs(%zeros : tensor<2x3xf16>) -> tensor<2x3xf16>
  %r = arith.addf %s, %lowest : tensor<2x3xf16>
  return %r : tensor<2x3xf16>
}

// The sum of products is rounded to f32 before the add.
func.func @fold_of_f32_into_f64(%q: tensor<2x2xf32>, %k: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf64> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<2x3xf32>) -> tensor<2x3xf32>
  %e64 = tensor.empty() : tensor<2x3xf64>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %b : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e64 : tensor<2x3xf64>) {
  ^bb0(%in0: f32, %in1: f32, %o: f64):
    %w = arith.extf %in0 : f32 to f64
    %x = arith.extf %in1 : f32 to f64
    %y = arith.addf %w, %x : f64
    linalg.yield %y : f64
  } -> tensor<2x3xf64>
  return %r : tensor<2x3xf64>
}

// The unscaled scores are returned too.
func.func @scale_with_two_users(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> (tensor<2x64xf32>, tensor<2x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r, %s : tensor<2x64xf32>, tensor<2x64xf32>
}

// A rounding more of each product is not asked for.
func.func @scale_not_a_power_of_two(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.3> : tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// 2^-126: the query would be flushed to nothing.
func.func @scale_of_a_tiny_power(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0x00800000> : tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// f16 queries near 2^-14 have no bits left for it.
func.func @scale_of_wider_scores(%q: tensor<2x2xf16>, %k: tensor<2x64xf16>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.125> : tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf16>, tensor<2x64xf16>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// Each key has its own factor.
func.func @scale_by_column(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>, %f: tensor<64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %f : tensor<2x64xf32>, tensor<64xf32>) outs(%empty : tensor<2x64xf32>) {
  ^bb0(%in0: f32, %in1: f32, %o: f32):
    %y = arith.mulf %in0, %in1 fastmath<reassoc> : f32
    linalg.yield %y : f32
  } -> tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// The index is another number at each element.
func.func @scale_by_position(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<2x64xf32>) outs(%empty : tensor<2x64xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i32
    %x = arith.sitofp %j : i32 to f32
    %y = arith.mulf %in0, %x fastmath<reassoc> : f32
    linalg.yield %y : f32
  } -> tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// A number divided by the scores.
func.func @scale_over_the_scores(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.divf %c, %s : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// 0 times an infinite score is NaN, a query of zeros is not.
func.func @scale_of_zero(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.0> : tensor<2x64xf32>
  %big = arith.constant dense<1.0e38> : tensor<2x2xf32>
  %q2 = arith.mulf %q, %big : tensor<2x2xf32>
  %k2 = arith.addf %k, %k : tensor<2x64xf32>
  %s = linalg.matmul ins(%q2, %k2 : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c fastmath<reassoc> : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// The accumulator of others would have to be scaled.
func.func @scale_onto_an_argument(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>, %b: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%b : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// Each iteration has its own factor.
func.func @scale_of_a_loop(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>, %f: tensor<64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%x = %zeros) -> tensor<2x64xf32> {
    %c = tensor.extract %f[%i] : tensor<64xf32>
  %next = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<2x64xf32>) outs(%x : tensor<2x64xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %p = arith.mulf %in0, %c fastmath<reassoc> : f32
    %y = arith.addf %p, %o : f32
    linalg.yield %y : f32
  } -> tensor<2x64xf32>
    scf.yield %next : tensor<2x64xf32>
  }
  return %r : tensor<2x64xf32>
}

// What would be left of the op has no name.
func.func @scale_in_a_transposing_name(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<64x2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<64x2xf32>
  %et = tensor.empty() : tensor<64x2xf32>
  %s = linalg.matmul ins(%q, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = linalg.elementwise kind=#linalg.elementwise_kind<mul>
      indexing_maps = [affine_map<(n, m) -> (m, n)>, affine_map<(n, m) -> (n, m)>, affine_map<(n, m) -> (n, m)>]
      ins(%s, %c : tensor<2x64xf32>, tensor<64x2xf32>) outs(%et : tensor<64x2xf32>) -> tensor<64x2xf32>
  return %r : tensor<64x2xf32>
}

// What computes the query computes it for others too.
func.func @scale_of_a_shared_query(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> (tensor<2x64xf32>, tensor<2x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %e2 = tensor.empty() : tensor<2x2xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%q : tensor<2x2xf32>) outs(%e2 : tensor<2x2xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %y = arith.negf %in0 : f32
    linalg.yield %y : f32
  } -> tensor<2x2xf32>
  %s = linalg.matmul ins(%p, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r, %p : tensor<2x64xf32>, tensor<2x2xf32>
}

// The op that computes the query sums; its body is not the query.
func.func @scale_of_a_query_that_reduces(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %start = arith.constant dense<1.0> : tensor<2x2xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, d, e) -> (m, e)>, affine_map<(m, d, e) -> (m, d)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q : tensor<2x2xf32>) outs(%start : tensor<2x2xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %y = arith.addf %in0, %o : f32
    linalg.yield %y : f32
  } -> tensor<2x2xf32>
  %s = linalg.matmul ins(%p, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// Neither scale is a power of two.
func.func @scales_that_round_twice(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.3> : tensor<2x2xf32>
  %d = arith.constant dense<0.7> : tensor<2x64xf32>
  %p = arith.mulf %q, %c : tensor<2x2xf32>
  %t = arith.mulf %k, %d : tensor<2x64xf32>
  %s = linalg.matmul ins(%p, %t : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %s : tensor<2x64xf32>
}

// The query's projection starts from its own bias.
func.func @scale_of_biased_weights(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64xf32>) -> tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %start = arith.constant dense<5.0> : tensor<2x2xf32>
  %p = linalg.matmul ins(%q, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%start : tensor<2x2xf32>) -> tensor<2x2xf32>
  %s = linalg.matmul ins(%p, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// A factor of 1 that transposes is not gone.
func.func @scale_of_one_that_transposes(%q: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zeros = arith.constant dense<0.0> : tensor<2x2xf32>
  %empty = tensor.empty() : tensor<2x2xf32>
  %s = linalg.matmul ins(%q, %q : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n, m)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<2x2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %p = arith.mulf %in, %one : f32
    linalg.yield %p : f32
  } -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// What computes the transposed query computes it for others too.
func.func @scale_behind_a_transpose(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> (tensor<2x64xf32>, tensor<2x2xf32>) {
  %zeros = arith.constant dense<0.0> : tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %empty = tensor.empty() : tensor<2x2xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%q : tensor<2x2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %o: f32):
    %y = arith.negf %in : f32
    linalg.yield %y : f32
  } -> tensor<2x2xf32>
  %t = linalg.transpose ins(%p : tensor<2x2xf32>) outs(%empty : tensor<2x2xf32>) permutation = [1, 0]
  %s = linalg.matmul ins(%t, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r, %p : tensor<2x64xf32>, tensor<2x2xf32>
}

// A scale of the query that transposes it, and one of the scores.
func.func @scale_that_transposes(%q: tensor<2x2xf32>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zeros = arith.constant dense<0.0> : tensor<2x64xf32>
  %c = arith.constant dense<0.5> : tensor<2x64xf32>
  %empty = tensor.empty() : tensor<2x2xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n, m)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%q : tensor<2x2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %o: f32):
    %four = arith.constant 4.0 : f32
    %y = arith.mulf %in, %four : f32
    linalg.yield %y : f32
  } -> tensor<2x2xf32>
  %s = linalg.matmul ins(%p, %k : tensor<2x2xf32>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) -> tensor<2x64xf32>
  %r = arith.mulf %s, %c : tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// Two scales in two types.
func.func @scales_of_two_types(%q: tensor<2x2xf16>, %k: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %zeros = arith.constant dense<0.0> : tensor<2x64xf32>
  %c = arith.constant dense<0.125> : tensor<2x2xf16>
  %d = arith.constant dense<0.25> : tensor<2x64xf32>
  %p = arith.mulf %q, %c : tensor<2x2xf16>
  %t = arith.mulf %k, %d : tensor<2x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%p, %t : tensor<2x2xf16>, tensor<2x64xf32>) outs(%zeros : tensor<2x64xf32>) {
  ^bb0(%a: f16, %b: f32, %acc: f32):
    %w = arith.extf %a : f16 to f32
    %x = arith.mulf %w, %b : f32
    %y = arith.addf %acc, %x : f32
    linalg.yield %y : f32
  } -> tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

func.func @main() {
  %q = arith.constant dense<[[-1.0481, 0.1769], [-0.5202, 0.4157]]> : tensor<2x2xf32>
  %k = arith.constant dense<[[0.5029, -1.7379, -1.9473], [1.3499, -0.9626, -1.0627]]> : tensor<2x3xf32>
  %b = arith.constant dense<[[1.9826, -0.1189, 1.3458], [-0.0946, 0.5563, -1.3975]]> : tensor<2x3xf32>
  %whole_q = arith.constant dense<[[1.0, -2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %whole_k = arith.constant dense<[[5.0, -6.0, 7.0], [8.0, 9.0, -10.0]]> : tensor<2x3xf32>
  %whole_b = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %q1 = arith.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
  %k1 = arith.constant dense<[[true, false, false], [true, true, false]]> : tensor<2x3xi1>
  %fold_of_booleans = call @fold_of_booleans(%q1, %k1) : (tensor<2x2xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  %fold_of_booleans_b0 = arith.extui %fold_of_booleans : tensor<2x3xi1> to tensor<2x3xi32>
  %fold_of_booleans_u0 = tensor.cast %fold_of_booleans_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_of_booleans_u0) : (tensor<*xi32>) -> ()
  %fold_onto_ones = call @fold_onto_ones(%whole_q, %whole_k, %whole_b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %fold_onto_ones_b0 = arith.bitcast %fold_onto_ones : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_onto_ones_u0 = tensor.cast %fold_onto_ones_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_onto_ones_u0) : (tensor<*xi32>) -> ()
  %q16 = arith.constant dense<[[200.0, 200.0], [200.0, 200.0]]> : tensor<2x2xf16>
  %k16 = arith.constant dense<[[-100.0, -100.0, -100.0], [100.0, 100.0, 100.0]]> : tensor<2x3xf16>
  %tiny16 = arith.constant dense<[[7.3e-5, 6.9e-5], [6.5e-5, 8.1e-5]]> : tensor<2x2xf16>
  %ramp = tensor.generate {
  ^bb0(%i: index, %j: index):
    %c7 = arith.constant 7 : index
    %x = arith.muli %i, %c7 : index
    %y = arith.addi %x, %j : index
    %z = arith.index_cast %y : index to i32
    %w = arith.sitofp %z : i32 to f32
    %third = arith.constant 0.3333 : f32
    %v = arith.mulf %w, %third : f32
    %one = arith.constant 1.1 : f32
    %u = arith.addf %v, %one : f32
    tensor.yield %u : f32
  } : tensor<2x64xf32>
  %wide16 = arith.truncf %ramp : tensor<2x64xf32> to tensor<2x64xf16>
  %row = tensor.extract_slice %ramp[1, 0] [1, 64] [1, 1] : tensor<2x64xf32> to tensor<64xf32>
  %fold_product_with_two_users:2 = call @fold_product_with_two_users(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  %fold_product_with_two_users_b0 = arith.bitcast %fold_product_with_two_users#0 : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_product_with_two_users_u0 = tensor.cast %fold_product_with_two_users_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_product_with_two_users_u0) : (tensor<*xi32>) -> ()
  %fold_product_with_two_users_b1 = arith.bitcast %fold_product_with_two_users#1 : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_product_with_two_users_u1 = tensor.cast %fold_product_with_two_users_b1 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_product_with_two_users_u1) : (tensor<*xi32>) -> ()
  %fold_onto_an_argument = call @fold_onto_an_argument(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %fold_onto_an_argument_b0 = arith.bitcast %fold_onto_an_argument : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_onto_an_argument_u0 = tensor.cast %fold_onto_an_argument_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_onto_an_argument_u0) : (tensor<*xi32>) -> ()
  %fold_into_a_loop = call @fold_into_a_loop(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %fold_into_a_loop_b0 = arith.bitcast %fold_into_a_loop : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_into_a_loop_u0 = tensor.cast %fold_into_a_loop_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_into_a_loop_u0) : (tensor<*xi32>) -> ()
  %fold_a_counter = call @fold_a_counter(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %fold_a_counter_b0 = arith.bitcast %fold_a_counter : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_a_counter_u0 = tensor.cast %fold_a_counter_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_a_counter_u0) : (tensor<*xi32>) -> ()
  %fold_the_same_scores_twice = call @fold_the_same_scores_twice(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %fold_the_same_scores_twice_b0 = arith.bitcast %fold_the_same_scores_twice : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_the_same_scores_twice_u0 = tensor.cast %fold_the_same_scores_twice_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_the_same_scores_twice_u0) : (tensor<*xi32>) -> ()
  %fold_scores_read_at_one_place = call @fold_scores_read_at_one_place(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %fold_scores_read_at_one_place_b0 = arith.bitcast %fold_scores_read_at_one_place : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_scores_read_at_one_place_u0 = tensor.cast %fold_scores_read_at_one_place_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_scores_read_at_one_place_u0) : (tensor<*xi32>) -> ()
  %fold_a_transpose_before_a_reshape = call @fold_a_transpose_before_a_reshape(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<6xf32>
  %fold_a_transpose_before_a_reshape_b0 = arith.bitcast %fold_a_transpose_before_a_reshape : tensor<6xf32> to tensor<6xi32>
  %fold_a_transpose_before_a_reshape_u0 = tensor.cast %fold_a_transpose_before_a_reshape_b0 : tensor<6xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_a_transpose_before_a_reshape_u0) : (tensor<*xi32>) -> ()
  %fold_keeps_the_bias:2 = call @fold_keeps_the_bias(%whole_q, %whole_k, %whole_b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  %fold_keeps_the_bias_b0 = arith.bitcast %fold_keeps_the_bias#0 : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_keeps_the_bias_u0 = tensor.cast %fold_keeps_the_bias_b0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_keeps_the_bias_u0) : (tensor<*xi32>) -> ()
  %fold_keeps_the_bias_b1 = arith.bitcast %fold_keeps_the_bias#1 : tensor<2x3xf32> to tensor<2x3xi32>
  %fold_keeps_the_bias_u1 = tensor.cast %fold_keeps_the_bias_b1 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_keeps_the_bias_u1) : (tensor<*xi32>) -> ()
  %fold_a_sum = call @fold_a_sum(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
  %fold_a_sum_b0 = arith.bitcast %fold_a_sum : tensor<2xf32> to tensor<2xi32>
  %fold_a_sum_u0 = tensor.cast %fold_a_sum_b0 : tensor<2xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_a_sum_u0) : (tensor<*xi32>) -> ()
  %fold_a_transposing_name = call @fold_a_transposing_name(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<3x2xf32>
  %fold_a_transposing_name_b0 = arith.bitcast %fold_a_transposing_name : tensor<3x2xf32> to tensor<3x2xi32>
  %fold_a_transposing_name_u0 = tensor.cast %fold_a_transposing_name_b0 : tensor<3x2xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_a_transposing_name_u0) : (tensor<*xi32>) -> ()
  %fold_scores_of_f16 = call @fold_scores_of_f16(%q16, %k16) : (tensor<2x2xf16>, tensor<2x3xf16>) -> tensor<2x3xf16>
  %fold_scores_of_f16_b0 = arith.bitcast %fold_scores_of_f16 : tensor<2x3xf16> to tensor<2x3xi16>
  %fold_scores_of_f16_w0 = arith.extui %fold_scores_of_f16_b0 : tensor<2x3xi16> to tensor<2x3xi32>
  %fold_scores_of_f16_u0 = tensor.cast %fold_scores_of_f16_w0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%fold_scores_of_f16_u0) : (tensor<*xi32>) -> ()
  %fold_of_f32_into_f64 = call @fold_of_f32_into_f64(%q, %k, %b) : (tensor<2x2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf64>
  %fold_of_f32_into_f64_b0 = arith.bitcast %fold_of_f32_into_f64 : tensor<2x3xf64> to tensor<2x3xi64>
  %fold_of_f32_into_f64_u0 = tensor.cast %fold_of_f32_into_f64_b0 : tensor<2x3xi64> to tensor<*xi64>
  call @printMemrefI64(%fold_of_f32_into_f64_u0) : (tensor<*xi64>) -> ()
  %scale_with_two_users:2 = call @scale_with_two_users(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> (tensor<2x64xf32>, tensor<2x64xf32>)
  %scale_with_two_users_b0 = arith.bitcast %scale_with_two_users#0 : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_with_two_users_u0 = tensor.cast %scale_with_two_users_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_with_two_users_u0) : (tensor<*xi32>) -> ()
  %scale_with_two_users_b1 = arith.bitcast %scale_with_two_users#1 : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_with_two_users_u1 = tensor.cast %scale_with_two_users_b1 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_with_two_users_u1) : (tensor<*xi32>) -> ()
  %scale_not_a_power_of_two = call @scale_not_a_power_of_two(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_not_a_power_of_two_b0 = arith.bitcast %scale_not_a_power_of_two : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_not_a_power_of_two_u0 = tensor.cast %scale_not_a_power_of_two_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_not_a_power_of_two_u0) : (tensor<*xi32>) -> ()
  %scale_of_a_tiny_power = call @scale_of_a_tiny_power(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_of_a_tiny_power_b0 = arith.bitcast %scale_of_a_tiny_power : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_of_a_tiny_power_u0 = tensor.cast %scale_of_a_tiny_power_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_a_tiny_power_u0) : (tensor<*xi32>) -> ()
  %scale_of_wider_scores = call @scale_of_wider_scores(%tiny16, %wide16) : (tensor<2x2xf16>, tensor<2x64xf16>) -> tensor<2x64xf32>
  %scale_of_wider_scores_b0 = arith.bitcast %scale_of_wider_scores : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_of_wider_scores_u0 = tensor.cast %scale_of_wider_scores_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_wider_scores_u0) : (tensor<*xi32>) -> ()
  %scale_by_column = call @scale_by_column(%q, %ramp, %row) : (tensor<2x2xf32>, tensor<2x64xf32>, tensor<64xf32>) -> tensor<2x64xf32>
  %scale_by_column_b0 = arith.bitcast %scale_by_column : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_by_column_u0 = tensor.cast %scale_by_column_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_by_column_u0) : (tensor<*xi32>) -> ()
  %scale_by_position = call @scale_by_position(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_by_position_b0 = arith.bitcast %scale_by_position : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_by_position_u0 = tensor.cast %scale_by_position_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_by_position_u0) : (tensor<*xi32>) -> ()
  %scale_over_the_scores = call @scale_over_the_scores(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_over_the_scores_b0 = arith.bitcast %scale_over_the_scores : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_over_the_scores_u0 = tensor.cast %scale_over_the_scores_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_over_the_scores_u0) : (tensor<*xi32>) -> ()
  %scale_of_zero = call @scale_of_zero(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_of_zero_b0 = arith.bitcast %scale_of_zero : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_of_zero_u0 = tensor.cast %scale_of_zero_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_zero_u0) : (tensor<*xi32>) -> ()
  %scale_onto_an_argument = call @scale_onto_an_argument(%q, %ramp, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_onto_an_argument_b0 = arith.bitcast %scale_onto_an_argument : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_onto_an_argument_u0 = tensor.cast %scale_onto_an_argument_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_onto_an_argument_u0) : (tensor<*xi32>) -> ()
  %scale_of_a_loop = call @scale_of_a_loop(%q, %ramp, %row) : (tensor<2x2xf32>, tensor<2x64xf32>, tensor<64xf32>) -> tensor<2x64xf32>
  %scale_of_a_loop_b0 = arith.bitcast %scale_of_a_loop : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_of_a_loop_u0 = tensor.cast %scale_of_a_loop_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_a_loop_u0) : (tensor<*xi32>) -> ()
  %scale_in_a_transposing_name = call @scale_in_a_transposing_name(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<64x2xf32>
  %scale_in_a_transposing_name_b0 = arith.bitcast %scale_in_a_transposing_name : tensor<64x2xf32> to tensor<64x2xi32>
  %scale_in_a_transposing_name_u0 = tensor.cast %scale_in_a_transposing_name_b0 : tensor<64x2xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_in_a_transposing_name_u0) : (tensor<*xi32>) -> ()
  %scale_of_a_shared_query:2 = call @scale_of_a_shared_query(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> (tensor<2x64xf32>, tensor<2x2xf32>)
  %scale_of_a_shared_query_b0 = arith.bitcast %scale_of_a_shared_query#0 : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_of_a_shared_query_u0 = tensor.cast %scale_of_a_shared_query_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_a_shared_query_u0) : (tensor<*xi32>) -> ()
  %scale_of_a_shared_query_b1 = arith.bitcast %scale_of_a_shared_query#1 : tensor<2x2xf32> to tensor<2x2xi32>
  %scale_of_a_shared_query_u1 = tensor.cast %scale_of_a_shared_query_b1 : tensor<2x2xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_a_shared_query_u1) : (tensor<*xi32>) -> ()
  %scale_of_a_query_that_reduces = call @scale_of_a_query_that_reduces(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_of_a_query_that_reduces_b0 = arith.bitcast %scale_of_a_query_that_reduces : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_of_a_query_that_reduces_u0 = tensor.cast %scale_of_a_query_that_reduces_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_a_query_that_reduces_u0) : (tensor<*xi32>) -> ()
  %scales_that_round_twice = call @scales_that_round_twice(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scales_that_round_twice_b0 = arith.bitcast %scales_that_round_twice : tensor<2x64xf32> to tensor<2x64xi32>
  %scales_that_round_twice_u0 = tensor.cast %scales_that_round_twice_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scales_that_round_twice_u0) : (tensor<*xi32>) -> ()
  %scale_of_biased_weights = call @scale_of_biased_weights(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_of_biased_weights_b0 = arith.bitcast %scale_of_biased_weights : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_of_biased_weights_u0 = tensor.cast %scale_of_biased_weights_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_biased_weights_u0) : (tensor<*xi32>) -> ()
  %scale_of_one_that_transposes = call @scale_of_one_that_transposes(%q) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %scale_of_one_that_transposes_b0 = arith.bitcast %scale_of_one_that_transposes : tensor<2x2xf32> to tensor<2x2xi32>
  %scale_of_one_that_transposes_u0 = tensor.cast %scale_of_one_that_transposes_b0 : tensor<2x2xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_of_one_that_transposes_u0) : (tensor<*xi32>) -> ()
  %scale_behind_a_transpose:2 = call @scale_behind_a_transpose(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> (tensor<2x64xf32>, tensor<2x2xf32>)
  %scale_behind_a_transpose_b0 = arith.bitcast %scale_behind_a_transpose#0 : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_behind_a_transpose_u0 = tensor.cast %scale_behind_a_transpose_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_behind_a_transpose_u0) : (tensor<*xi32>) -> ()
  %scale_behind_a_transpose_b1 = arith.bitcast %scale_behind_a_transpose#1 : tensor<2x2xf32> to tensor<2x2xi32>
  %scale_behind_a_transpose_u1 = tensor.cast %scale_behind_a_transpose_b1 : tensor<2x2xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_behind_a_transpose_u1) : (tensor<*xi32>) -> ()
  %scale_that_transposes = call @scale_that_transposes(%q, %ramp) : (tensor<2x2xf32>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scale_that_transposes_b0 = arith.bitcast %scale_that_transposes : tensor<2x64xf32> to tensor<2x64xi32>
  %scale_that_transposes_u0 = tensor.cast %scale_that_transposes_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scale_that_transposes_u0) : (tensor<*xi32>) -> ()
  %scales_of_two_types = call @scales_of_two_types(%tiny16, %ramp) : (tensor<2x2xf16>, tensor<2x64xf32>) -> tensor<2x64xf32>
  %scales_of_two_types_b0 = arith.bitcast %scales_of_two_types : tensor<2x64xf32> to tensor<2x64xi32>
  %scales_of_two_types_u0 = tensor.cast %scales_of_two_types_b0 : tensor<2x64xi32> to tensor<*xi32>
  call @printMemrefI32(%scales_of_two_types_u0) : (tensor<*xi32>) -> ()
  return
}
