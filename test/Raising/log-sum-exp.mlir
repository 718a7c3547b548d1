// RUN: relattn-opt %s --relattn-raise-attention --canonicalize --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-raise-attention --split-input-file --remarks-filter=relattn -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The logarithm of the sum of exponentials is the op's second result. What reads
// it between the softmax and the value product stands behind the op then.
// CHECK-LABEL: func @unnormalised
// CHECK: %[[OUT:.*]], %[[LSE:.*]] = relattn.attention {{.*}} ins(%arg0, %arg1, %arg2 {{.*}} outs({{.*}} : tensor<8x4x16xf32>, tensor<8x4xf32>)
// CHECK: %[[DOUBLE:.*]] = arith.addf %[[LSE]], %[[LSE]]
// CHECK: return %[[OUT]], %[[DOUBLE]]
func.func @unnormalised(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> (tensor<8x4x16xf32>, tensor<8x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%scores : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %scores, %maxes : tensor<8x4x6xf32>
  %exp = math.exp %below : tensor<8x4x6xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %log = math.log %sum : tensor<8x4xf32>
  %lse = arith.addf %max, %log : tensor<8x4xf32>
  %double = arith.addf %lse, %lse : tensor<8x4xf32>
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out, %double : tensor<8x4x16xf32>, tensor<8x4xf32>
}

// -----

// In another order of dimensions, and kept as a dimension of 1.
// CHECK-LABEL: func @transposed
// CHECK: %{{.*}}, %[[LSE:.*]] = relattn.attention
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[LSE]] : tensor<8x4xf32>) outs({{.*}}) permutation = [1, 0]
// CHECK: tensor.expand_shape %[[T]] {{\[\[}}0], [1, 2]] output_shape [4, 8, 1]
func.func @transposed(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> (tensor<8x4x16xf32>, tensor<4x8x1xf32>) {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%scores : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %scores, %maxes : tensor<8x4x6xf32>
  %exp = math.exp %below : tensor<8x4x6xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %l_empty = tensor.empty() : tensor<4x8x1xf32>
  %lse = linalg.generic {indexing_maps = [affine_map<(m, h, u) -> (h, m)>, affine_map<(m, h, u) -> (h, m)>, affine_map<(m, h, u) -> (m, h, u)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%sum, %max : tensor<8x4xf32>, tensor<8x4xf32>) outs(%l_empty : tensor<4x8x1xf32>) {
  ^bb0(%s: f32, %m: f32, %o: f32):
    %l = math.log %s : f32
    %y = arith.addf %l, %m : f32
    linalg.yield %y : f32
  } -> tensor<4x8x1xf32>
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out, %lse : tensor<8x4x16xf32>, tensor<4x8x1xf32>
}

// -----

// The log-sum-exp decides the values: it cannot come after them.
// CHECK-LABEL: func @no_raise_if_read_before
// CHECK-NOT: relattn.attention
func.func @no_raise_if_read_before(%q: tensor<8x4x16xf32>, %k: tensor<8x16x4xf32>, %v: tensor<8x4x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x4xf32>) -> tensor<8x4x4xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x4xf32>) outs(%zeros : tensor<8x4x4xf32>) -> tensor<8x4x4xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%scores : tensor<8x4x4xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x4xf32>) dimensions = [2]
  %below = arith.subf %scores, %maxes : tensor<8x4x4xf32>
  %exp = math.exp %below : tensor<8x4x4xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x4xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %log = math.log %sum : tensor<8x4xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the log-sum-exp is read before the value product"
  %lse = arith.addf %max, %log : tensor<8x4xf32>
  %v_empty = tensor.empty() : tensor<8x4x16xf32>
  %wide = linalg.broadcast ins(%lse : tensor<8x4xf32>) outs(%v_empty : tensor<8x4x16xf32>) dimensions = [2]
  %values = arith.mulf %v, %wide : tensor<8x4x16xf32>
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x4xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x4xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %values : tensor<8x4x4xf32>, tensor<8x4x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// Another maximum is added back: no log-sum-exp, but a reader of the scores.
// CHECK-LABEL: func @no_raise_with_another_maximum
// CHECK-NOT: relattn.attention
func.func @no_raise_with_another_maximum(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %other: tensor<8x4xf32>) -> (tensor<8x4x16xf32>, tensor<8x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%scores : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %scores, %maxes : tensor<8x4x6xf32>
  %exp = math.exp %below : tensor<8x4x6xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %log = math.log %sum : tensor<8x4xf32>
  %no_lse = arith.addf %other, %log : tensor<8x4xf32>
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the scores or probabilities have another user"
  return %out, %no_lse : tensor<8x4x16xf32>, tensor<8x4xf32>
}

// -----

// Heads before batch entries: the op's second result has batch entries first.
// CHECK-LABEL: func @heads_first
// CHECK: %{{.*}}, %[[LSE:.*]] = relattn.attention {{.*}}-> (g, b, m, e){{.*}} outs({{.*}} : tensor<4x2x3x5xf32>, tensor<2x4x3xf32>)
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[LSE]] : tensor<2x4x3xf32>) outs({{.*}} : tensor<4x2x3xf32>) permutation = [1, 0, 2]
// CHECK: return %{{.*}}, %[[T]]
func.func @heads_first(%q: tensor<4x2x3x5xf32>, %k: tensor<4x2x6x5xf32>, %v: tensor<4x2x6x5xf32>, %slopes: tensor<4xf32>) -> (tensor<4x2x3x5xf32>, tensor<4x2x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<4x2x3x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x2x3x6xf32>) -> tensor<4x2x3x6xf32>
  %scores = linalg.generic {indexing_maps = [affine_map<(h, b, m, n, d) -> (h, b, m, d)>, affine_map<(h, b, m, n, d) -> (h, b, n, d)>, affine_map<(h, b, m, n, d) -> (h, b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<4x2x3x5xf32>, tensor<4x2x6x5xf32>) outs(%zeros : tensor<4x2x3x6xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<4x2x3x6xf32>
  %biased = linalg.generic {indexing_maps = [affine_map<(h, b, m, n) -> (h, b, m, n)>, affine_map<(h, b, m, n) -> (h)>, affine_map<(h, b, m, n) -> (h, b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%scores, %slopes : tensor<4x2x3x6xf32>, tensor<4xf32>) outs(%empty : tensor<4x2x3x6xf32>) {
  ^bb0(%x: f32, %slope: f32, %o: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %offset = arith.subi %j, %i : index
    %integer = arith.index_cast %offset : index to i64
    %number = arith.sitofp %integer : i64 to f32
    %bias = arith.mulf %number, %slope : f32
    %r = arith.addf %x, %bias : f32
    linalg.yield %r : f32
  } -> tensor<4x2x3x6xf32>
  %r_empty = tensor.empty() : tensor<4x2x3xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%r_empty : tensor<4x2x3xf32>) -> tensor<4x2x3xf32>
  %max = linalg.reduce { arith.maximumf } ins(%biased : tensor<4x2x3x6xf32>) outs(%m_init : tensor<4x2x3xf32>) dimensions = [3]
  %maxes = linalg.broadcast ins(%max : tensor<4x2x3xf32>) outs(%empty : tensor<4x2x3x6xf32>) dimensions = [3]
  %below = arith.subf %biased, %maxes : tensor<4x2x3x6xf32>
  %exp = math.exp %below : tensor<4x2x3x6xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%r_empty : tensor<4x2x3xf32>) -> tensor<4x2x3xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<4x2x3x6xf32>) outs(%s_init : tensor<4x2x3xf32>) dimensions = [3]
  %log = math.log %sum : tensor<4x2x3xf32>
  %lse = arith.addf %max, %log : tensor<4x2x3xf32>
  %sums = linalg.broadcast ins(%sum : tensor<4x2x3xf32>) outs(%empty : tensor<4x2x3x6xf32>) dimensions = [3]
  %weights = arith.divf %exp, %sums : tensor<4x2x3x6xf32>
  %o_empty = tensor.empty() : tensor<4x2x3x5xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<4x2x3x5xf32>) -> tensor<4x2x3x5xf32>
  %out = linalg.generic {indexing_maps = [affine_map<(h, b, m, e, n) -> (h, b, m, n)>, affine_map<(h, b, m, e, n) -> (h, b, n, e)>, affine_map<(h, b, m, e, n) -> (h, b, m, e)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%weights, %v : tensor<4x2x3x6xf32>, tensor<4x2x6x5xf32>) outs(%o_init : tensor<4x2x3x5xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<4x2x3x5xf32>
  return %out, %lse : tensor<4x2x3x5xf32>, tensor<4x2x3xf32>
}

// -----

// Of twice the scores: no result of the op's.
// CHECK-LABEL: func @of_other_scores
// CHECK-NOT: relattn.attention
// CHECK: return
// REMARK: remark: [Missed] RaiseAttention {{.*}}Function=of_other_scores{{.*}}another user
func.func @of_other_scores(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> (tensor<8x4x16xf32>, tensor<8x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%scores : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %scores, %maxes : tensor<8x4x6xf32>
  %exp = math.exp %below : tensor<8x4x6xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %twice = arith.addf %scores, %scores : tensor<8x4x6xf32>
  %other_max = linalg.reduce { arith.maximumf } ins(%twice : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %other_maxes = linalg.broadcast ins(%other_max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %other_below = arith.subf %twice, %other_maxes : tensor<8x4x6xf32>
  %other_exp = math.exp %other_below : tensor<8x4x6xf32>
  %other_sum = linalg.reduce { arith.addf } ins(%other_exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %log = math.log %other_sum : tensor<8x4xf32>
  %lse = arith.addf %other_max, %log : tensor<8x4xf32>
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out, %lse : tensor<8x4x16xf32>, tensor<8x4xf32>
}
