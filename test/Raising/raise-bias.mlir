// RUN: relattn-opt %s --relattn-raise-bias --canonicalize --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-raise-bias --relattn-raise-bias --canonicalize --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-raise-bias --split-input-file --remarks-filter=relattn -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The chain in one body, no head.
// CHECK-LABEL: func @one_body
// CHECK: relattn.bias #relattn.steps<buckets = 3, starts = [-1, 0, 1, 2], ids = [2, 1, 0, 1, 2]> ins(%arg0 : tensor<3xf32>)
// CHECK-NOT: tensor.extract
// REMARK: remark: [Passed] RaiseBias | Category:relattn | Function=one_body
#i = affine_map<(m, n) -> (m)>
#j = affine_map<(m, n) -> (n)>
#mn = affine_map<(m, n) -> (m, n)>
func.func @one_body(%table: tensor<3xf32>) -> tensor<4x6xf32> {
  %empty = tensor.empty() : tensor<4x6xf32>
  // min(|j - i|, 2)
  %bias = linalg.generic {indexing_maps = [#mn],
      iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<4x6xf32>) {
  ^bb0(%unused: f32):
    %two = arith.constant 2 : i64
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %i64 = arith.index_cast %i : index to i64
    %j64 = arith.index_cast %j : index to i64
    %offset = arith.subi %j64, %i64 : i64
    %distance = math.absi %offset : i64
    %capped = arith.minsi %distance, %two : i64
    %row = arith.index_cast %capped : i64 to index
    %value = tensor.extract %table[%row] : tensor<3xf32>
    linalg.yield %value : f32
  } -> tensor<4x6xf32>
  return %bias : tensor<4x6xf32>
}

// -----

// Constant ids: T5's function is only known as far as they go, and agrees.
// CHECK-LABEL: func @constant_ids
// CHECK: relattn.bias #relattn.t5<buckets = 4, max_distance = 128, bidirectional> ins(%arg0 : tensor<4x2xf32>) outs(%{{.*}} : tensor<2x2x3xf32>)
func.func @constant_ids(%table: tensor<4x2xf32>) -> tensor<2x2x3xf32> {
  %ids = arith.constant dense<[[0, 3, 3], [1, 0, 3]]> : tensor<2x3xi32>
  %empty = tensor.empty() : tensor<2x2x3xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%ids : tensor<2x3xi32>) outs(%empty : tensor<2x2x3xf32>) {
  ^bb0(%id: i32, %unused: f32):
    %row = arith.index_cast %id : i32 to index
    %head = linalg.index 0 : index
    %value = tensor.extract %table[%row, %head] : tensor<4x2xf32>
    linalg.yield %value : f32
  } -> tensor<2x2x3xf32>
  return %bias : tensor<2x2x3xf32>
}

// -----

// Ids (0, 0) and (1, 1) are of one offset and differ.
// CHECK-LABEL: func @no_raise_of_ids_that_differ_on_a_diagonal
// CHECK-NOT: relattn.bias
// CHECK: return
func.func @no_raise_of_ids_that_differ_on_a_diagonal(%table: tensor<4x2xf32>) -> tensor<2x2x3xf32> {
  %ids = arith.constant dense<[[0, 3, 3], [1, 1, 3]]> : tensor<2x3xi32>
  %empty = tensor.empty() : tensor<2x2x3xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (m, n)>, affine_map<(h, m, n) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%ids : tensor<2x3xi32>) outs(%empty : tensor<2x2x3xf32>) {
  ^bb0(%id: i32, %unused: f32):
    %row = arith.index_cast %id : i32 to index
    %head = linalg.index 0 : index
    %value = tensor.extract %table[%row, %head] : tensor<4x2xf32>
    linalg.yield %value : f32
  } -> tensor<2x2x3xf32>
  return %bias : tensor<2x2x3xf32>
}

// -----

// One row per offset, the table [heads, rows], mirrored: recovered as what it is.
// CHECK-LABEL: func @mirrored
// CHECK: %[[TABLE:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<2x30xf32>)
// CHECK: relattn.bias #relattn.steps<buckets = 30, starts = [-13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], ids = [29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]> ins(%[[TABLE]] : tensor<30x2xf32>)
func.func @mirrored(%table: tensor<2x30xf32>) -> tensor<2x15x16xf32> {
  %empty = tensor.empty() : tensor<2x15x16xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]} outs(%empty : tensor<2x15x16xf32>) {
  ^bb0(%unused: f32):
    %most = arith.constant 15 : index
    %head = linalg.index 0 : index
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %0 = arith.subi %i, %j : index
    %row = arith.addi %0, %most : index
    %value = tensor.extract %table[%head, %row] : tensor<2x30xf32>
    linalg.yield %value : f32
  } -> tensor<2x15x16xf32>
  return %bias : tensor<2x15x16xf32>
}

// -----

// A decode step: the position is a scalar of the program.
// CHECK-LABEL: func @query_offset
// CHECK: relattn.bias #relattn.clip<lo = -2, hi = 0> ins(%arg0 : tensor<3xf32>) query_offset(%arg1 : index)
func.func @query_offset(%table: tensor<3xf32>, %past: index) -> tensor<4x?xf32> {
  %empty = tensor.empty(%past) : tensor<4x?xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<4x?xf32>) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0 : index
    %two = arith.constant 2 : index
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %position = arith.addi %i, %past : index
    %offset = arith.subi %j, %position : index
    %0 = arith.addi %offset, %two : index
    %1 = arith.maxsi %0, %zero : index
    %row = arith.minsi %1, %two : index
    %value = tensor.extract %table[%row] : tensor<3xf32>
    linalg.yield %value : f32
  } -> tensor<4x?xf32>
  return %bias : tensor<4x?xf32>
}

// -----

// An assertion that cannot fail goes with its op.
// CHECK-LABEL: func @proven_assertion
// CHECK-NOT: cf.assert
// CHECK: relattn.bias #relattn.clip<lo = 0, hi = 1>
func.func @proven_assertion(%table: tensor<2xf32>) -> tensor<4x6xf32> {
  %empty = tensor.empty() : tensor<4x6xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<4x6xf32>) {
  ^bb0(%unused: f32):
    %two = arith.constant 2 : index
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %later = arith.cmpi sgt, %j, %i : index
    %row64 = arith.extui %later : i1 to i64
    %row = arith.index_cast %row64 : i64 to index
    %ok = arith.cmpi slt, %row, %two : index
    cf.assert %ok, "index out of range"
    %value = tensor.extract %table[%row] : tensor<2xf32>
    linalg.yield %value : f32
  } -> tensor<4x6xf32>
  return %bias : tensor<4x6xf32>
}

// -----

// j - i reaches 5, the table has 5 rows.
// CHECK-LABEL: func @no_raise_beyond_the_table
// CHECK: cf.assert
// CHECK-NOT: relattn.bias
func.func @no_raise_beyond_the_table(%table: tensor<5xf32>) -> tensor<1x6x6xf32> {
  %empty = tensor.empty() : tensor<1x6x6xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]} outs(%empty : tensor<1x6x6xf32>) {
  ^bb0(%unused: f32):
    %five = arith.constant 5 : index
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %offset = arith.subi %j, %i : index
    // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] RaiseBias {{.*}}Reason="the bias reads beyond the table"
    %row = math.absi %offset : index
    %ok = arith.cmpi slt, %row, %five : index
    cf.assert %ok, "index out of range"
    %value = tensor.extract %table[%row] : tensor<5xf32>
    linalg.yield %value : f32
  } -> tensor<1x6x6xf32>
  return %bias : tensor<1x6x6xf32>
}

// -----

// i * j, and ids that are an argument, are no functions of the offset.
// CHECK-LABEL: func @no_raise_of_other_functions
// CHECK-NOT: relattn.bias
// CHECK: return
func.func @no_raise_of_other_functions(%table: tensor<30xf32>, %ids: tensor<4x6xindex>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %empty = tensor.empty() : tensor<4x6xf32>
  %product = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<4x6xf32>) {
  ^bb0(%unused: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %row = arith.muli %i, %j : index
    %value = tensor.extract %table[%row] : tensor<30xf32>
    linalg.yield %value : f32
  } -> tensor<4x6xf32>
  %argument = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<4x6xindex>) outs(%empty : tensor<4x6xf32>) {
  ^bb0(%row: index, %unused: f32):
    %value = tensor.extract %table[%row] : tensor<30xf32>
    linalg.yield %value : f32
  } -> tensor<4x6xf32>
  return %product, %argument : tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// The offset decides the row, unless the sum of the positions does.
// CHECK-LABEL: func @no_raise_with_the_sum_of_positions
// CHECK-NOT: relattn.bias
// CHECK: return
// REMARK: remark: [Missed] RaiseBias {{.*}}Function=no_raise_with_the_sum_of_positions | Reason="the bias is no function of the offset"
func.func @no_raise_with_the_sum_of_positions(%table: tensor<3xf32>) -> tensor<4x6xf32> {
  %empty = tensor.empty() : tensor<4x6xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<4x6xf32>) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0 : index
    %two = arith.constant 2 : index
    %five = arith.constant 5 : index
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %offset = arith.subi %j, %i : index
    %distance = math.absi %offset : index
    %capped = arith.minsi %distance, %two : index
    %sum = arith.addi %i, %j : index
    %isLate = arith.cmpi sgt, %sum, %five : index
    %row = arith.select %isLate, %zero, %capped : index
    %three = arith.constant 3 : index
    %isInside = arith.cmpi slt, %row, %three : index
    cf.assert %isInside, "row beyond the table"
    %value = tensor.extract %table[%row] : tensor<3xf32>
    linalg.yield %value : f32
  } -> tensor<4x6xf32>
  return %bias : tensor<4x6xf32>
}

// -----

// Sizes that only the value itself has.
// CHECK-LABEL: func @unknown_sizes
// CHECK: relattn.bias #relattn.alibi ins(%arg0 : tensor<2xf32>)
func.func @unknown_sizes(%slopes: tensor<2xf32>, %m: index, %n: index) -> tensor<2x?x?xf32> {
  %empty = tensor.empty(%m, %n) : tensor<2x?x?xf32>
  %distance = linalg.generic {indexing_maps = [affine_map<(h, m, n) -> (h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]} outs(%empty : tensor<2x?x?xf32>) {
  ^bb0(%unused: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %0 = arith.subi %j, %i : index
    %1 = math.absi %0 : index
    %2 = arith.index_cast %1 : index to i64
    %3 = arith.sitofp %2 : i64 to f32
    linalg.yield %3 : f32
  } -> tensor<2x?x?xf32>
  %spread = linalg.broadcast ins(%slopes : tensor<2xf32>) outs(%empty : tensor<2x?x?xf32>) dimensions = [1, 2]
  %negated = arith.negf %distance : tensor<2x?x?xf32>
  %bias = arith.mulf %negated, %spread : tensor<2x?x?xf32>
  return %bias : tensor<2x?x?xf32>
}

// -----

// Positions of 8 bits wrap at 128, and 200 do not fit.
// CHECK-LABEL: func @no_raise_of_positions_that_wrap
// CHECK-NOT: relattn.bias
// CHECK: return
func.func @no_raise_of_positions_that_wrap(%table: tensor<8xf32>) -> tensor<200x200xf32> {
  %empty = tensor.empty() : tensor<200x200xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<200x200xf32>) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0 : i8
    %seven = arith.constant 7 : i8
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %i8 = arith.index_cast %i : index to i8
    %j8 = arith.index_cast %j : index to i8
    %offset = arith.subi %j8, %i8 : i8
    %0 = arith.maxsi %offset, %zero : i8
    %1 = arith.minsi %0, %seven : i8
    %row = arith.index_cast %1 : i8 to index
    %value = tensor.extract %table[%row] : tensor<8xf32>
    linalg.yield %value : f32
  } -> tensor<200x200xf32>
  return %bias : tensor<200x200xf32>
}

// -----

// Wrapped before the subtraction, they are no positions: 200 became -56.
// CHECK-LABEL: func @no_raise_of_positions_that_wrap_first
// CHECK-NOT: relattn.bias
// CHECK: return
func.func @no_raise_of_positions_that_wrap_first(%table: tensor<8xf32>) -> tensor<200x200xf32> {
  %empty = tensor.empty() : tensor<200x200xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<200x200xf32>) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0 : i32
    %seven = arith.constant 7 : i32
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %i8 = arith.index_cast %i : index to i8
    %j8 = arith.index_cast %j : index to i8
    %i32 = arith.extsi %i8 : i8 to i32
    %j32 = arith.extsi %j8 : i8 to i32
    %offset = arith.subi %j32, %i32 : i32
    %0 = arith.maxsi %offset, %zero : i32
    %1 = arith.minsi %0, %seven : i32
    %row = arith.index_cast %1 : i32 to index
    %value = tensor.extract %table[%row] : tensor<8xf32>
    linalg.yield %value : f32
  } -> tensor<200x200xf32>
  return %bias : tensor<200x200xf32>
}

// -----

// The same of lengths that nobody knows.
// CHECK-LABEL: func @no_raise_of_lengths_that_may_wrap
// CHECK-NOT: relattn.bias
// CHECK: return
func.func @no_raise_of_lengths_that_may_wrap(%table: tensor<8xf32>, %m: index, %n: index) -> tensor<?x?xf32> {
  %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<?x?xf32>) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0 : i32
    %seven = arith.constant 7 : i32
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %i8 = arith.index_cast %i : index to i8
    %j8 = arith.index_cast %j : index to i8
    %i32 = arith.extsi %i8 : i8 to i32
    %j32 = arith.extsi %j8 : i8 to i32
    %offset = arith.subi %j32, %i32 : i32
    %0 = arith.maxsi %offset, %zero : i32
    %1 = arith.minsi %0, %seven : i32
    %row = arith.index_cast %1 : i32 to index
    %value = tensor.extract %table[%row] : tensor<8xf32>
    linalg.yield %value : f32
  } -> tensor<?x?xf32>
  return %bias : tensor<?x?xf32>
}

// -----

// The same, where the lengths fit; what is beyond does not occur.
// CHECK-LABEL: func @narrow_positions
// CHECK: relattn.bias #relattn.clip<lo = 0, hi = 7> ins(%arg0 : tensor<8xf32>)
func.func @narrow_positions(%table: tensor<8xf32>) -> tensor<60x60xf32> {
  %empty = tensor.empty() : tensor<60x60xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<60x60xf32>) {
  ^bb0(%unused: f32):
    %zero = arith.constant 0 : i8
    %seven = arith.constant 7 : i8
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %i8 = arith.index_cast %i : index to i8
    %j8 = arith.index_cast %j : index to i8
    %offset = arith.subi %j8, %i8 : i8
    %0 = arith.maxsi %offset, %zero : i8
    %1 = arith.minsi %0, %seven : i8
    %row = arith.index_cast %1 : i8 to index
    %value = tensor.extract %table[%row] : tensor<8xf32>
    linalg.yield %value : f32
  } -> tensor<60x60xf32>
  return %bias : tensor<60x60xf32>
}
