// RUN: relattn-opt %s --split-input-file --verify-diagnostics
// Functions are named after the constraint that they break.

func.func @c1_integer_query(%q: tensor<4x8xi32>, %kv: tensor<4x8xi32>, %init: tensor<4x8xi32>) {
  // expected-error @+1 {{[C1] expected f16, bf16, f32 or f64, got query of 'i32'}}
  %0 = relattn.attention ins(%q, %kv, %kv : tensor<4x8xi32>, tensor<4x8xi32>, tensor<4x8xi32>) outs(%init : tensor<4x8xi32>)
  return
}

// -----

func.func @c1_key_type(%q: tensor<4x8xf32>, %k: tensor<4x8xf16>, %v: tensor<4x8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{[C1] query has element type 'f32' but key has 'f16'}}
  %0 = relattn.attention ins(%q, %k, %v : tensor<4x8xf32>, tensor<4x8xf16>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>)
  return
}

// -----

func.func @c1_output_type(%q: tensor<4x8xf16>, %init: tensor<4x8xbf16>) {
  // expected-error @+1 {{[C1] expected an output of 'f16' or 'f32', got 'bf16'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>) outs(%init : tensor<4x8xbf16>)
  return
}

// -----

func.func @c2_rank_of_key(%q: tensor<2x4x8xf32>, %k: tensor<4x8xf32>, %init: tensor<2x4x8xf32>) {
  // expected-error @+1 {{[C2] the map of key has 3 results but key has rank 2}}
  %0 = relattn.attention ins(%q, %k, %k : tensor<2x4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<2x4x8xf32>)
  return
}

// -----

func.func @c2_three_maps(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C2] expected 4 indexing maps, got 3}}
  %0 = "relattn.attention"(%q, %q, %q, %q) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c2_no_projected_permutation(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C2] the map of key is no projected permutation of the 7 dimensions: affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3 + d4, d5)>}}
  %0 = "relattn.attention"(%q, %q, %q, %q) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n + m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c2_other_iteration_space(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C2] the map of query is no projected permutation of the 7 dimensions}}
  %0 = "relattn.attention"(%q, %q, %q, %q) <{indexing_maps = [
    affine_map<(m, n, d, e) -> (m, d)>,
    affine_map<(m, n, d, e) -> (n, d)>,
    affine_map<(m, n, d, e) -> (n, e)>,
    affine_map<(m, n, d, e) -> (m, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c3_query_with_keys(%q: tensor<4x8x8xf32>, %kv: tensor<8x8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{[C3] query must have the dimensions m, d and none of n, e}}
  %0 = relattn.attention maps((m, n, d), (n, d), (n, e) -> (m, e))
    ins(%q, %kv, %kv : tensor<4x8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) outs(%init : tensor<4x8xf32>)
  return
}

// -----

func.func @c3_value_without_width(%q: tensor<4x8xf32>, %v: tensor<4xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{[C3] value must have the dimensions n, e and none of m, d}}
  %0 = relattn.attention maps((m, d), (n, d), (n) -> (m, e))
    ins(%q, %q, %v : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xf32>) outs(%init : tensor<4x8xf32>)
  return
}

// -----

func.func @c4_batch_not_in_output(%q: tensor<2x4x8xf32>, %kv: tensor<4x8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{[C4] query has dimension 'b' but the output has not}}
  %0 = relattn.attention maps((b, m, d), (n, d), (n, e) -> (m, e))
    ins(%q, %kv, %kv : tensor<2x4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>)
  return
}

// -----

func.func @c4_mask_not_in_output(%q: tensor<4x8xf32>, %mask: tensor<2x4x4xi1>) {
  // expected-error @+1 {{[C4] mask has dimension 'b' but the output has not}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    mask(%mask (b, m, n) : tensor<2x4x4xi1>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c5_key_and_value_lengths(%q: tensor<4x8xf32>, %k: tensor<77x8xf32>, %v: tensor<70x8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{[C5] dimension 'n' is 77 in key but 70 in value}}
  %0 = relattn.attention ins(%q, %k, %v : tensor<4x8xf32>, tensor<77x8xf32>, tensor<70x8xf32>) outs(%init : tensor<4x8xf32>)
  return
}

// -----

func.func @c5_depths(%q: tensor<4x8xf32>, %k: tensor<4x16xf32>, %v: tensor<4x8xf32>) {
  // expected-error @+1 {{[C5] dimension 'd' is 8 in query but 16 in key}}
  %0 = relattn.attention ins(%q, %k, %v : tensor<4x8xf32>, tensor<4x16xf32>, tensor<4x8xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c5_mask_size(%q: tensor<4x8xf32>, %mask: tensor<4x5xi1>) {
  // expected-error @+1 {{[C5] dimension 'n' is 4 in key but 5 in mask}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    mask(%mask : tensor<4x5xi1>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c5_dense_bias_size(%q: tensor<4x8xf32>, %bias: tensor<3x4xf32>) {
  // expected-error @+1 {{[C5] dimension 'm' is 4 in query but 3 in bias}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.dense<(m, n)>, %bias : tensor<3x4xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c5_lse_size(%q: tensor<4x8xf32>, %lse: tensor<5xf32>) {
  // expected-error @+1 {{[C5] dimension 'm' is 4 in query but 5 in lse}}
  %0:2 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    outs(%q, %lse : tensor<4x8xf32>, tensor<5xf32>)
  return
}

// -----

func.func @c6_infinite_scale(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C6] scale must be finite}}
  %0 = relattn.attention scale(0x7FF0000000000000) ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c7_bias_without_scheme(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C7] has a bias but no bias_scheme}}
  %0 = "relattn.attention"(%q, %q, %q, %q, %q) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c7_scheme_without_bias(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C7] has a bias_scheme but no bias}}
  %0 = "relattn.attention"(%q, %q, %q, %q) <{bias_scheme = #relattn.alibi, indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c7_strip_without_zero(%q: tensor<4x8xf32>, %strip: tensor<7xf32>) {
  // expected-error @+1 {{[C7] the scheme needs a zero operand}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.strip, %strip : tensor<7xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c7_zero_without_strip(%q: tensor<4x8xf32>, %slopes: tensor<1xf32>, %zero: index) {
  // expected-error @+1 {{[C7] has a zero operand that no scheme needs}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.alibi, %slopes, %zero : tensor<1xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c8_bias_type(%q: tensor<4x8xf32>, %slopes: tensor<1xf16>) {
  // expected-error @+1 {{[C8] expected a bias of 'f32', got 'f16'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.alibi, %slopes : tensor<1xf16>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_table_rows(%q: tensor<4x8xf32>, %table: tensor<31x1xf32>) {
  // expected-error @+1 {{[C9] the table has 31 rows but the bucketing has 32 buckets}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<31x1xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_heads_are_not_g_times_r(%q: tensor<1x4x2x4x8xf32>, %kv: tensor<1x4x4x8xf32>, %table: tensor<32x12xf32>) {
  // expected-error @+1 {{[C9] the table has 12 heads but H = G x R is 8}}
  %0 = relattn.attention ins(%q, %kv, %kv : tensor<1x4x2x4x8xf32>, tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x12xf32>) outs(%q : tensor<1x4x2x4x8xf32>)
  return
}

// -----

func.func @c9_table_rank(%q: tensor<4x8xf32>, %table: tensor<1x32x1xf32>) {
  // expected-error @+1 {{[C9] expected a table [num_buckets, H] or [num_buckets], got rank 3}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<1x32x1xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_slopes(%q: tensor<4x8xf32>, %slopes: tensor<3xf32>) {
  // expected-error @+1 {{[C9] there are 3 slopes but H = G x R is 1}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.alibi, %slopes : tensor<3xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_slopes_rank(%q: tensor<4x8xf32>, %slopes: tensor<1x1xf32>) {
  // expected-error @+1 {{[C9] expected slopes [H], got rank 2}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.alibi, %slopes : tensor<1x1xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_strip_heads(%q: tensor<4x8xf32>, %strip: tensor<2x7xf32>, %zero: index) {
  // expected-error @+1 {{[C9] the strip has 2 heads but H = G x R is 1}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.strip, %strip, %zero : tensor<2x7xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_empty_strip(%q: tensor<4x8xf32>, %strip: tensor<0xf32>, %zero: index) {
  // expected-error @+1 {{[C9] the strip has length 0, expected at least 1}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.strip, %strip, %zero : tensor<0xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_strip_rank(%q: tensor<4x8xf32>, %strip: tensor<f32>, %zero: index) {
  // expected-error @+1 {{[C9] expected a strip [H, L] or [L], got rank 0}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.strip, %strip, %zero : tensor<f32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c9_dense_rank(%q: tensor<4x8xf32>, %bias: tensor<4xf32>) {
  // expected-error @+1 {{[C9] the dense bias has rank 1 but its map has 2 results}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.dense<(m, n)>, %bias : tensor<4xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c10_mask_type(%q: tensor<4x8xf32>, %mask: tensor<4x4xi8>) {
  // expected-error @+1 {{[C10] expected a mask of i1 or 'f32', got 'i8'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    mask(%mask : tensor<4x4xi8>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c10_mask_rank(%q: tensor<4x8xf32>, %mask: tensor<1x4x4xi1>) {
  // expected-error @+1 {{[C10] the map of mask has 2 results but mask has rank 3}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    mask(%mask : tensor<1x4x4xi1>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c10_mask_over_depth(%q: tensor<4x8xf32>, %mask: tensor<4x8xi1>) {
  // expected-error @+1 {{[C10] the mask must not have dimension 'd'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    mask(%mask (m, d) : tensor<4x8xi1>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c10_mask_map_is_no_broadcast(%q: tensor<4x8xf32>, %mask: tensor<7xi1>) {
  // expected-error @+1 {{[C10] the map of mask is no projected permutation of the 7 dimensions}}
  %0 = "relattn.attention"(%q, %q, %q, %mask, %q) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    mask_map = affine_map<(b, g, r, m, n, d, e) -> (n - m + 3)>,
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 1, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<7xi1>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c10_mask_without_map(%q: tensor<4x8xf32>, %mask: tensor<4x4xi1>) {
  // expected-error @+1 {{[C10] has a mask but no mask_map}}
  %0 = "relattn.attention"(%q, %q, %q, %mask, %q) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 1, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x4xi1>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c10_map_without_mask(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C10] has a mask_map but no mask}}
  %0 = "relattn.attention"(%q, %q, %q, %q) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    mask_map = affine_map<(b, g, r, m, n, d, e) -> (m, n)>,
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 1>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c10_dense_over_depth(%q: tensor<4x8xf32>, %bias: tensor<4x8xf32>) {
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    // expected-error @+1 {{[C10] the map of a dense bias must be a projected permutation of b, g, r, m, n}}
    bias(#relattn.dense<(m, e)>, %bias : tensor<4x8xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c11_query_offset_type(%q: tensor<1x1x4x8xf32>, %o: tensor<1xf32>) {
  // expected-error @+1 {{[C11] expected query_offset to be a 1-D tensor of index, i32 or i64, got 'tensor<1xf32>'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>)
    query_offset(%o : tensor<1xf32>) outs(%q : tensor<1x1x4x8xf32>)
  return
}

// -----

func.func @c11_query_offset_size(%q: tensor<2x1x4x8xf32>, %o: tensor<3xi64>) {
  // expected-error @+1 {{[C5] dimension 'b' is 2 in query but 3 in query_offset}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>)
    query_offset(%o : tensor<3xi64>) outs(%q : tensor<2x1x4x8xf32>)
  return
}

// -----

func.func @c11_query_offset_without_batch(%q: tensor<4x8xf32>, %o: tensor<1xi64>) {
  // expected-error @+1 {{[C11] query_offset has one entry per batch entry but the output has no 'b'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    query_offset(%o : tensor<1xi64>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c12_key_lengths_type(%q: tensor<1x1x4x8xf32>, %l: tensor<1xi16>) {
  // expected-error @+1 {{[C12] expected key_lengths to be a 1-D tensor of index, i32 or i64, got 'tensor<1xi16>'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>)
    key_lengths(%l : tensor<1xi16>) outs(%q : tensor<1x1x4x8xf32>)
  return
}

// -----

func.func @c12_key_lengths_rank(%q: tensor<1x1x4x8xf32>, %l: tensor<1x4xi64>) {
  // expected-error @+1 {{[C12] expected key_lengths to be a 1-D tensor}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>)
    key_lengths(%l : tensor<1x4xi64>) outs(%q : tensor<1x1x4x8xf32>)
  return
}

// -----

func.func @c12_key_lengths_size(%q: tensor<2x1x4x8xf32>, %l: tensor<1xi64>) {
  // expected-error @+1 {{[C5] dimension 'b' is 2 in query but 1 in key_lengths}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>)
    key_lengths(%l : tensor<1xi64>) outs(%q : tensor<2x1x4x8xf32>)
  return
}

// -----

func.func @c12_key_lengths_without_batch(%q: tensor<4x8xf32>, %l: tensor<1xi64>) {
  // expected-error @+1 {{[C12] key_lengths has one entry per batch entry but the output has no 'b'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    key_lengths(%l : tensor<1xi64>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @c13_lse_type(%q: tensor<4x8xf16>, %lse: tensor<4xf16>) {
  // expected-error @+1 {{[C13] expected lse of 'f32', got 'f16'}}
  %0:2 = relattn.attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
    outs(%q, %lse : tensor<4x8xf16>, tensor<4xf16>)
  return
}

// -----

func.func @c13_lse_rank(%q: tensor<2x4x8xf32>, %lse: tensor<4xf32>) {
  // expected-error @+1 {{[C13] expected lse of rank 2, got 1}}
  %0:2 = relattn.attention ins(%q, %q, %q : tensor<2x4x8xf32>, tensor<2x4x8xf32>, tensor<2x4x8xf32>)
    outs(%q, %lse : tensor<2x4x8xf32>, tensor<4xf32>)
  return
}

// -----

func.func @c13_destination_without_result(%q: tensor<4x8xf32>, %lse: tensor<4xf32>) {
  // expected-error @+1 {{[C13] has an lse destination but no such result}}
  %0 = "relattn.attention"(%q, %q, %q, %q, %lse) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 2>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @c13_no_destination(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{[C13] expected one or two destinations, got 0}}
  %0 = "relattn.attention"(%q, %q, %q) <{indexing_maps = [
    affine_map<(b, g, r, m, n, d, e) -> (m, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, d)>,
    affine_map<(b, g, r, m, n, d, e) -> (n, e)>,
    affine_map<(b, g, r, m, n, d, e) -> (m, e)>],
    operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>}>
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}
