// What only looks like attention: left alone, with a remark at the op.
// RUN: relattn-opt %s --relattn-raise-attention --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-raise-attention --split-input-file --remarks-filter=relattn -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// A row of low scores would be 0 / 0.
// CHECK-LABEL: func @no_raise_if_maximum_starts_at_zero
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_if_maximum_starts_at_zero(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the maximum does not start at -inf"
  %max = linalg.reduce { arith.maximumf } ins(%scores : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %scores, %maxes : tensor<8x4x6xf32>
  %exp = math.exp %below : tensor<8x4x6xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// Over the queries.
// CHECK-LABEL: func @no_raise_with_softmax_over_queries
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_softmax_over_queries(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the softmax is not over the keys"
  %p = linalg.softmax dimension(1) ins(%scores : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// 2^(2 x) is no exp(x).
// CHECK-LABEL: func @no_raise_with_another_base
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_another_base(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
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
  %two = arith.constant dense<2.0> : tensor<8x4x6xf32>
  %twice = arith.mulf %below, %two : tensor<8x4x6xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the exponent of exp2 has no factor log2(e)"
  %exp = math.exp2 %twice : tensor<8x4x6xf32>
  %s_init = linalg.fill ins(%zero : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// Not the rows that see nothing.
// CHECK-LABEL: func @no_raise_with_a_choice_of_rows
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_a_choice_of_rows(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %rows: tensor<8x4x6xi1>) -> tensor<8x4x16xf32> {
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
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %nothing = arith.constant dense<0.0> : tensor<8x4x6xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="a choice between softmax and value product"
  %chosen = arith.select %rows, %nothing, %p : tensor<8x4x6xi1>, tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%chosen, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// Values of f64 would be rounded.
// CHECK-LABEL: func @no_raise_with_wider_values
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_wider_values(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf64>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%scores : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="query, key and value differ in element type"
  %out = linalg.generic {indexing_maps = [affine_map<(h, m, e, n) -> (h, m, n)>, affine_map<(h, m, e, n) -> (h, n, e)>, affine_map<(h, m, e, n) -> (h, m, e)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf64>) outs(%o_init : tensor<8x4x16xf32>) {
  ^bb0(%a: f32, %b: f64, %c: f32):
    %narrow = arith.truncf %b : f64 to f32
    %x = arith.mulf %a, %narrow : f32
    %y = arith.addf %c, %x : f32
    linalg.yield %y : f32
  } -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// The op accumulates in f32, the program in f64.
// CHECK-LABEL: func @no_raise_with_wider_output
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_wider_output(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf64> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%scores : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %wide = arith.constant 0.0 : f64
  %o_empty = tensor.empty() : tensor<8x4x16xf64>
  %o_init = linalg.fill ins(%wide : f64) outs(%o_empty : tensor<8x4x16xf64>) -> tensor<8x4x16xf64>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the output has another element type"
  %out = linalg.generic {indexing_maps = [affine_map<(h, m, e, n) -> (h, m, n)>, affine_map<(h, m, e, n) -> (h, n, e)>, affine_map<(h, m, e, n) -> (h, m, e)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf64>) {
  ^bb0(%a: f32, %b: f32, %c: f64):
    %x = arith.mulf %a, %b : f32
    %w = arith.extf %x : f32 to f64
    %y = arith.addf %c, %w : f64
    linalg.yield %y : f64
  } -> tensor<8x4x16xf64>
  return %out : tensor<8x4x16xf64>
}

// -----

// Slopes of f64, rounded only after the product with the distance.
// CHECK-LABEL: func @no_raise_with_wider_slopes
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_wider_slopes(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %slopes: tensor<8xf64>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %e64 = tensor.empty() : tensor<8x4x6xf64>
  %bias = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%slopes : tensor<8xf64>) outs(%e64 : tensor<8x4x6xf64>) {
  ^bb0(%slope: f64, %o: f64):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %offset = arith.subi %j, %i : index
    %integer = arith.index_cast %offset : index to i64
    %distance = math.absi %integer : i64
    %number = arith.sitofp %distance : i64 to f64
    %positive = arith.mulf %number, %slope : f64
    %r = arith.negf %positive : f64
    linalg.yield %r : f64
  } -> tensor<8x4x6xf64>
  %b32 = arith.truncf %bias : tensor<8x4x6xf64> to tensor<8x4x6xf32>
  %t = arith.addf %s, %b32 : tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%t : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %oe = tensor.empty() : tensor<8x4x16xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="a bias or mask cannot be an operand of attention"
  %o = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%oz : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %o : tensor<8x4x16xf32>
}

// -----

// A number that stands for a hidden score is no -inf: where a row has only such
// numbers its weights are equal, and this one does not swallow what is added.
// CHECK-LABEL: func @no_raise_if_hidden_by_a_number
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_if_hidden_by_a_number(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %mask: tensor<4x6xi1>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -1.0e9 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %mask : tensor<8x4x6xf32>, tensor<4x6xi1>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%x: f32, %c: i1, %o: f32):
    // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="something else than scale, bias and mask stands between the scores and the softmax"
    %y = arith.select %c, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%t : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %oe = tensor.empty() : tensor<8x4x16xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%oz : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %o : tensor<8x4x16xf32>
}

// -----

// The lowest number does: it stays a number that is added.
// CHECK-LABEL: func @lowest_number_stays
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} ins(%arg3 : tensor<4x6xi1>) outs(%{{.*}} : tensor<4x6xf32>)
// CHECK:   arith.select
// CHECK: relattn.attention {{.*}} bias(#relattn.dense<(m, n)>, %[[MASK]] : tensor<4x6xf32>)
func.func @lowest_number_stays(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %mask: tensor<4x6xi1>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF7FFFFF : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %mask : tensor<8x4x6xf32>, tensor<4x6xi1>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%x: f32, %c: i1, %o: f32):
    %y = arith.select %c, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%t : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %oe = tensor.empty() : tensor<8x4x16xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%oz : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %o : tensor<8x4x16xf32>
}
