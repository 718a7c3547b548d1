// RUN: relattn-opt %s --relattn-raise-attention --canonicalize --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-raise-attention --relattn-raise-attention --canonicalize --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-raise-attention=assume-bounded-scores --canonicalize --split-input-file | FileCheck %s --check-prefix=BOUNDED
// RUN: relattn-opt %s --relattn-raise-attention --split-input-file --remarks-filter=relattn -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// CHECK-LABEL: func @plain
// CHECK: %[[OUT:.*]] = relattn.attention maps((g, m, d), (g, d, n), (g, n, e) -> (g, m, e)) ins(%arg0, %arg1, %arg2
// CHECK-NEXT: return %[[OUT]]
// REMARK: remark: [Passed] RaiseAttention | Category:relattn | Function=plain | Remark=attention
func.func @plain(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
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
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// CHECK-LABEL: func @raised_bias
// CHECK: relattn.attention {{.*}} bias(#relattn.alibi, %arg3 : tensor<8xf32>)
func.func @raised_bias(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %slopes: tensor<8xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %b_empty = tensor.empty() : tensor<8x4x6xf32>
  %bias = relattn.bias #relattn.alibi ins(%slopes : tensor<8xf32>) outs(%b_empty : tensor<8x4x6xf32>)
  %masked = arith.addf %scores, %bias : tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// The first head's bias for all heads is not each head's own: it stays numbers.
// CHECK-LABEL: func @bias_of_one_head
// CHECK: %[[BIAS:.*]] = relattn.bias #relattn.alibi
// CHECK: relattn.attention {{.*}} bias(#relattn.dense<{{.*}}>, %{{.*}} : tensor<{{.*}}4x6xf32>)
func.func @bias_of_one_head(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %slopes: tensor<8xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %b_empty = tensor.empty() : tensor<8x4x6xf32>
  %bias = relattn.bias #relattn.alibi ins(%slopes : tensor<8xf32>) outs(%b_empty : tensor<8x4x6xf32>)
  %first = tensor.extract_slice %bias[0, 0, 0] [1, 4, 6] [1, 1, 1] : tensor<8x4x6xf32> to tensor<4x6xf32>
  %all_empty = tensor.empty() : tensor<8x4x6xf32>
  %all = linalg.broadcast ins(%first : tensor<4x6xf32>) outs(%all_empty : tensor<8x4x6xf32>) dimensions = [0]
  %masked = arith.addf %scores, %all : tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// CHECK-LABEL: func @causal
// CHECK: relattn.attention causal
// CHECK-NOT: mask(
func.func @causal(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sle, %j, %i : index
    %y = arith.select %c, %in0, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// Hidden where true.
// CHECK-LABEL: func @boolean_mask
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} ins(%arg3 : tensor<4x6xi1>)
// CHECK:   arith.xori
// CHECK: relattn.attention {{.*}} mask(%[[MASK]] (m, n) : tensor<4x6xi1>)
func.func @boolean_mask(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %visible: tensor<4x6xi1>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores, %visible : tensor<8x4x6xf32>, tensor<4x6xi1>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%in0: f32, %in1: i1, %o: f32):
    %y = arith.select %in1, %lowest, %in0 : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// A dense bias and an additive mask, as they are.
// CHECK-LABEL: func @dense_bias_and_mask
// CHECK: relattn.attention {{.*}} bias(#relattn.dense<(g, m, n)>, %arg3 : tensor<8x4x6xf32>) mask(%arg4 (m, n) : tensor<4x6xf32>)
func.func @dense_bias_and_mask(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %bias: tensor<8x4x6xf32>, %mask: tensor<4x6xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores, %bias, %mask : tensor<8x4x6xf32>, tensor<8x4x6xf32>, tensor<4x6xf32>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%in0: f32, %in1: f32, %in2: f32, %o: f32):
    %0 = arith.addf %in1, %in0 : f32
    %y = arith.addf %in2, %0 : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// CHECK-LABEL: func @no_raise_with_soft_cap
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_soft_cap(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="something else than scale, bias and mask stands between the scores and the softmax"
  %masked = math.tanh %scores : tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// CHECK-LABEL: func @no_raise_with_two_users
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_two_users(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> (tensor<8x4x16xf32>, tensor<8x4x6xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
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
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the scores or probabilities have another user"
  return %out, %p : tensor<8x4x16xf32>, tensor<8x4x6xf32>
}

// -----

// CHECK-LABEL: func @no_raise_if_sum_starts_at_one
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_if_sum_starts_at_one(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
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
  %s_init = linalg.fill ins(%one : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="the sum does not start at zero"
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<8x4x6xf32>) outs(%s_init : tensor<8x4xf32>) dimensions = [2]
  %sums = linalg.broadcast ins(%sum : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %p = arith.divf %exp, %sums : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// CHECK-LABEL: func @no_raise_with_dropout
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_dropout(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %drop: tensor<8x4x6xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
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
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="something stands between softmax and value product"
  %kept = arith.mulf %p, %drop : tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%kept, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// CHECK-LABEL: func @no_raise_if_a_row_sees_nothing
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_if_a_row_sees_nothing(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi slt, %j, %i : index
    // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="a query that sees no key is NaN here, and 0 in attention"
    %y = arith.select %c, %in0, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// A table of f64 is no operand of attention in f32.
// CHECK-LABEL: func @no_raise_with_a_wider_table
// CHECK-NOT: relattn.attention
// CHECK: return
func.func @no_raise_with_a_wider_table(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %table: tensor<32x8xf64>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %e64 = tensor.empty() : tensor<8x4x6xf64>
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseAttention {{.*}}Reason="a bias or mask cannot be an operand of attention"
  %bias = relattn.bias #relattn.t5<buckets = 32, max_distance = 128> ins(%table : tensor<32x8xf64>) outs(%e64 : tensor<8x4x6xf64>)
  %b32 = arith.truncf %bias : tensor<8x4x6xf64> to tensor<8x4x6xf32>
  %t = arith.addf %s, %b32 : tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%t : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %oe = tensor.empty() : tensor<8x4x16xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%oz : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %o : tensor<8x4x16xf32>
}

// -----

// A bias that is a product as well, of queries and positions: read as it is.
// CHECK-LABEL: func @product_as_bias
// CHECK: %[[BIAS:.*]] = linalg.contract {{.*}} ins(%arg0, %arg3
// CHECK: relattn.attention {{.*}} ins(%arg0, %arg1, %arg2 {{.*}} bias(#relattn.dense<(g, m, n)>, %[[BIAS]]
func.func @product_as_bias(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %positions: tensor<6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %bias = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (n, d)>, affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %positions : tensor<8x4x16xf32>, tensor<6x16xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %total = arith.addf %bias, %scores : tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%total : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// Two conditions are one mask.
// CHECK-LABEL: func @two_boolean_masks
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} ins(%arg{{[34]}}, %arg{{[34]}} :
// CHECK:   arith.andi
// CHECK: relattn.attention {{.*}} mask(%[[MASK]] (m, n) : tensor<4x6xi1>)
func.func @two_boolean_masks(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %first: tensor<4x6xi1>, %second: tensor<6xi1>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %total = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores, %first, %second : tensor<8x4x6xf32>, tensor<4x6xi1>, tensor<6xi1>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%s: f32, %a: i1, %b: i1, %o: f32):
    %x = arith.select %a, %s, %lowest : f32
    %y = arith.select %b, %x, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%total : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// The op has one mask: -inf hides what the condition hides.
// CHECK-LABEL: func @boolean_and_additive_mask
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} ins(%arg4, %arg5 :
// CHECK:   arith.select %{{.*}}, %{{.*}}, %{{.*}} : f32
// CHECK: relattn.attention {{.*}} bias(#relattn.dense<(g, m, n)>, %arg3 {{.*}} mask(%[[MASK]] (m, n) : tensor<4x6xf32>)
func.func @boolean_and_additive_mask(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %bias: tensor<8x4x6xf32>, %visible: tensor<4x6xi1>, %mask: tensor<6xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %total = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores, %bias, %visible, %mask : tensor<8x4x6xf32>, tensor<8x4x6xf32>, tensor<4x6xi1>, tensor<6xf32>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%s: f32, %b: f32, %c: i1, %a: f32, %o: f32):
    %0 = arith.addf %s, %b : f32
    %1 = arith.addf %0, %a : f32
    %y = arith.select %c, %1, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%total : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %o_empty = tensor.empty() : tensor<8x4x16xf32>
  %o_init = linalg.fill ins(%zero : f32) outs(%o_empty : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %out = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%o_init : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %out : tensor<8x4x16xf32>
}

// -----

// Finite numbers are added, unless scores are bounded and each query keeps a key.
// CHECK-LABEL: func @finite_causal
// CHECK: relattn.attention maps
// BOUNDED-LABEL: func @finite_causal
// BOUNDED: relattn.attention causal maps
func.func @finite_causal(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sle, %j, %i : index
    %low = arith.constant -3.0e38 : f32
    %none = arith.constant 0.0 : f32
    %x = arith.select %c, %none, %low : f32
    %y = arith.addf %in0, %x : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// The first query sees no key: numbers.
// CHECK-LABEL: func @finite_before
// CHECK: relattn.attention maps
// BOUNDED-LABEL: func @finite_before
// BOUNDED: relattn.attention maps
func.func @finite_before(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%in0: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi slt, %j, %i : index
    %low = arith.constant -3.0e38 : f32
    %none = arith.constant 0.0 : f32
    %x = arith.select %c, %none, %low : f32
    %y = arith.addf %in0, %x : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// What the other mask hides is not known.
// CHECK-LABEL: func @finite_beside_mask
// CHECK: relattn.attention maps
// BOUNDED-LABEL: func @finite_beside_mask
// BOUNDED: relattn.attention maps
func.func @finite_beside_mask(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>, %visible: tensor<6xi1>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %scores = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %masked = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores, %visible : tensor<8x4x6xf32>, tensor<6xi1>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%in0: f32, %in1: i1, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sle, %j, %i : index
    %low = arith.constant -3.0e38 : f32
    %none = arith.constant 0.0 : f32
    %x = arith.select %c, %none, %low : f32
    %z = arith.addf %in0, %x : f32
    %y = arith.select %in1, %z, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %m_empty = tensor.empty() : tensor<8x4xf32>
  %m_init = linalg.fill ins(%lowest : f32) outs(%m_empty : tensor<8x4xf32>) -> tensor<8x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%masked : tensor<8x4x6xf32>) outs(%m_init : tensor<8x4xf32>) dimensions = [2]
  %maxes = linalg.broadcast ins(%max : tensor<8x4xf32>) outs(%empty : tensor<8x4x6xf32>) dimensions = [2]
  %below = arith.subf %masked, %maxes : tensor<8x4x6xf32>
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

// All keys but that of the query's own position: two intervals of offsets are no
// band.
// CHECK-LABEL: func @two_intervals
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<4x6xi1>)
// CHECK:   arith.cmpi ne
// CHECK: relattn.attention maps{{.*}} mask(%[[MASK]] (m, n) : tensor<4x6xi1>)
func.func @two_intervals(%q: tensor<8x4x16xf32>, %k: tensor<8x16x6xf32>, %v: tensor<8x6x16xf32>) -> tensor<8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<8x4x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<8x4x16xf32>, tensor<8x16x6xf32>) outs(%zeros : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>, affine_map<(h, m, n) -> (h, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) {
  ^bb0(%x: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi ne, %i, %j : index
    %y = arith.select %c, %x, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<8x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%t : tensor<8x4x6xf32>) outs(%empty : tensor<8x4x6xf32>) -> tensor<8x4x6xf32>
  %oe = tensor.empty() : tensor<8x4x16xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<8x4x6xf32>, tensor<8x6x16xf32>) outs(%oz : tensor<8x4x16xf32>) -> tensor<8x4x16xf32>
  return %o : tensor<8x4x16xf32>
}

// -----

// Keys from a length on are hidden.
// CHECK-LABEL: func @lengths
// CHECK: relattn.attention {{.*}} key_lengths(%arg3
func.func @lengths(%q: tensor<2x4x3x5xf32>, %k: tensor<2x4x6x5xf32>, %v: tensor<2x4x6x5xf32>, %lengths: tensor<2xi32>) -> tensor<2x4x3x5xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<2x4x3x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %s = linalg.contract indexing_maps = [affine_map<(b, h, m, n, d) -> (b, h, m, d)>, affine_map<(b, h, m, n, d) -> (b, h, n, d)>, affine_map<(b, h, m, n, d) -> (b, h, m, n)>]
      ins(%q, %k : tensor<2x4x3x5xf32>, tensor<2x4x6x5xf32>) outs(%zeros : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(b, h, m, n) -> (b, h, m, n)>, affine_map<(b, h, m, n) -> (b)>, affine_map<(b, h, m, n) -> (b, h, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %lengths : tensor<2x4x3x6xf32>, tensor<2xi32>) outs(%empty : tensor<2x4x3x6xf32>) {
  ^bb0(%x: f32, %length: i32, %o: f32):
    %j = linalg.index 3 : index
    %key = arith.index_cast %j : index to i32
    %c = arith.cmpi sge, %key, %length : i32
    %y = arith.select %c, %lowest, %x : f32
    linalg.yield %y : f32
  } -> tensor<2x4x3x6xf32>
  %p = linalg.softmax dimension(3) ins(%t : tensor<2x4x3x6xf32>) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %oe = tensor.empty() : tensor<2x4x3x5xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  %o = linalg.contract indexing_maps = [affine_map<(b, h, m, e, n) -> (b, h, m, n)>, affine_map<(b, h, m, e, n) -> (b, h, n, e)>, affine_map<(b, h, m, e, n) -> (b, h, m, e)>]
      ins(%p, %v : tensor<2x4x3x6xf32>, tensor<2x4x6x5xf32>) outs(%oz : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %o : tensor<2x4x3x5xf32>
}

// -----

// Keys below a length are seen.
// CHECK-LABEL: func @lengths_on_the_left
// CHECK: relattn.attention {{.*}} key_lengths(%arg3
func.func @lengths_on_the_left(%q: tensor<2x4x3x5xf32>, %k: tensor<2x4x6x5xf32>, %v: tensor<2x4x6x5xf32>, %lengths: tensor<2xi32>) -> tensor<2x4x3x5xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<2x4x3x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %s = linalg.contract indexing_maps = [affine_map<(b, h, m, n, d) -> (b, h, m, d)>, affine_map<(b, h, m, n, d) -> (b, h, n, d)>, affine_map<(b, h, m, n, d) -> (b, h, m, n)>]
      ins(%q, %k : tensor<2x4x3x5xf32>, tensor<2x4x6x5xf32>) outs(%zeros : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(b, h, m, n) -> (b, h, m, n)>, affine_map<(b, h, m, n) -> (b)>, affine_map<(b, h, m, n) -> (b, h, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %lengths : tensor<2x4x3x6xf32>, tensor<2xi32>) outs(%empty : tensor<2x4x3x6xf32>) {
  ^bb0(%x: f32, %length: i32, %o: f32):
    %j = linalg.index 3 : index
    %key = arith.index_cast %j : index to i32
    %c = arith.cmpi sgt, %length, %key : i32
    %y = arith.select %c, %x, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<2x4x3x6xf32>
  %p = linalg.softmax dimension(3) ins(%t : tensor<2x4x3x6xf32>) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %oe = tensor.empty() : tensor<2x4x3x5xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  %o = linalg.contract indexing_maps = [affine_map<(b, h, m, e, n) -> (b, h, m, n)>, affine_map<(b, h, m, e, n) -> (b, h, n, e)>, affine_map<(b, h, m, e, n) -> (b, h, m, e)>]
      ins(%p, %v : tensor<2x4x3x6xf32>, tensor<2x4x6x5xf32>) outs(%oz : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %o : tensor<2x4x3x5xf32>
}

// -----

// One key more than the length is no key length.
// CHECK-LABEL: func @up_to_a_position
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} ins(%arg3 : tensor<2xi32>) outs(%{{.*}} : tensor<2x6xi1>)
// CHECK: relattn.attention {{.*}} mask(%[[MASK]] (b, n) : tensor<2x6xi1>)
func.func @up_to_a_position(%q: tensor<2x4x3x5xf32>, %k: tensor<2x4x6x5xf32>, %v: tensor<2x4x6x5xf32>, %lengths: tensor<2xi32>) -> tensor<2x4x3x5xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<2x4x3x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %s = linalg.contract indexing_maps = [affine_map<(b, h, m, n, d) -> (b, h, m, d)>, affine_map<(b, h, m, n, d) -> (b, h, n, d)>, affine_map<(b, h, m, n, d) -> (b, h, m, n)>]
      ins(%q, %k : tensor<2x4x3x5xf32>, tensor<2x4x6x5xf32>) outs(%zeros : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(b, h, m, n) -> (b, h, m, n)>, affine_map<(b, h, m, n) -> (b)>, affine_map<(b, h, m, n) -> (b, h, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %lengths : tensor<2x4x3x6xf32>, tensor<2xi32>) outs(%empty : tensor<2x4x3x6xf32>) {
  ^bb0(%x: f32, %length: i32, %o: f32):
    %j = linalg.index 3 : index
    %key = arith.index_cast %j : index to i32
    %c = arith.cmpi sle, %key, %length : i32
    %y = arith.select %c, %x, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<2x4x3x6xf32>
  %p = linalg.softmax dimension(3) ins(%t : tensor<2x4x3x6xf32>) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %oe = tensor.empty() : tensor<2x4x3x5xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  %o = linalg.contract indexing_maps = [affine_map<(b, h, m, e, n) -> (b, h, m, n)>, affine_map<(b, h, m, e, n) -> (b, h, n, e)>, affine_map<(b, h, m, e, n) -> (b, h, m, e)>]
      ins(%p, %v : tensor<2x4x3x6xf32>, tensor<2x4x6x5xf32>) outs(%oz : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %o : tensor<2x4x3x5xf32>
}

// -----

// The keys from a length on, which padding on the left leaves.
// CHECK-LABEL: func @beyond_a_length
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} ins(%arg3 : tensor<2xi32>) outs(%{{.*}} : tensor<2x6xi1>)
// CHECK: relattn.attention {{.*}} mask(%[[MASK]] (b, n) : tensor<2x6xi1>)
func.func @beyond_a_length(%q: tensor<2x4x3x5xf32>, %k: tensor<2x4x6x5xf32>, %v: tensor<2x4x6x5xf32>, %lengths: tensor<2xi32>) -> tensor<2x4x3x5xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<2x4x3x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %s = linalg.contract indexing_maps = [affine_map<(b, h, m, n, d) -> (b, h, m, d)>, affine_map<(b, h, m, n, d) -> (b, h, n, d)>, affine_map<(b, h, m, n, d) -> (b, h, m, n)>]
      ins(%q, %k : tensor<2x4x3x5xf32>, tensor<2x4x6x5xf32>) outs(%zeros : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(b, h, m, n) -> (b, h, m, n)>, affine_map<(b, h, m, n) -> (b)>, affine_map<(b, h, m, n) -> (b, h, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %lengths : tensor<2x4x3x6xf32>, tensor<2xi32>) outs(%empty : tensor<2x4x3x6xf32>) {
  ^bb0(%x: f32, %length: i32, %o: f32):
    %j = linalg.index 3 : index
    %key = arith.index_cast %j : index to i32
    %c = arith.cmpi sge, %key, %length : i32
    %y = arith.select %c, %x, %lowest : f32
    linalg.yield %y : f32
  } -> tensor<2x4x3x6xf32>
  %p = linalg.softmax dimension(3) ins(%t : tensor<2x4x3x6xf32>) outs(%empty : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %oe = tensor.empty() : tensor<2x4x3x5xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  %o = linalg.contract indexing_maps = [affine_map<(b, h, m, e, n) -> (b, h, m, n)>, affine_map<(b, h, m, e, n) -> (b, h, n, e)>, affine_map<(b, h, m, e, n) -> (b, h, m, e)>]
      ins(%p, %v : tensor<2x4x3x6xf32>, tensor<2x4x6x5xf32>) outs(%oz : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %o : tensor<2x4x3x5xf32>
}
