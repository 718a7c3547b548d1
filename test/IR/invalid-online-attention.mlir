// RUN: relattn-opt %s --split-input-file --verify-diagnostics
// relattn.online_attention: functions are named after the constraint that they
// break.

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c1_maps(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C1] expected maps from (m, n, d, e) to {m, d}, {n, d}, {n, e} and {m, e}}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#nd, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c1_count(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C1] expected 4 indexing maps, got 3}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c1_rank(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16x1xf32>, %sum: tensor<16x1xf32>) {
  // expected-error @+1 {{[C1] expected a max of rank 1, got 'tensor<16x1xf32>'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16x1xf32>, tensor<16x1xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c2_type(%q: tensor<8x16xf16>, %k: tensor<?x8xf16>, %v: tensor<?x8xf16>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf16>, %max: tensor<16xf16>, %sum: tensor<16xf16>) {
  // expected-error @+1 {{[C2] expected tiles of f32 or f64, got 'f16'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf16>, tensor<?x8xf16>, tensor<?x8xf16>)  outs(%out, %max, %sum : tensor<8x16xf16>, tensor<16xf16>, tensor<16xf16>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c2_key(%q: tensor<8x16xf32>, %k: tensor<?x8xf64>, %v: tensor<?x8xf64>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C2] expected a key of 'f32', got 'f64'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf64>, tensor<?x8xf64>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c3_size(%q: tensor<8x16xf32>, %k: tensor<?x7xf32>, %v: tensor<?x7xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C3] the key has 7 where another operand has 8}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x7xf32>, tensor<?x7xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c3_static(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<?xf32>, %sum: tensor<?xf32>) {
  // expected-error @+1 {{[C3] expected static m, d and e, got a max of 'tensor<?xf32>'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<?xf32>, tensor<?xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c4_place(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C4] a strip comes with its place}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>) strip(%strip : tensor<?xf32>) outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c4_strip(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf64>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C4] expected a strip of rank 1 of 'f32', got 'tensor<?xf64>'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>) strip(%strip at %place : tensor<?xf64>) outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c4_map(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C4] bias and mask come with a map}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>) mask(%mask : tensor<?xi1>) outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c4_mask_map(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C4] expected a projected permutation of m and n for the mask}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>) mask(%mask : tensor<?xi1>) outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em], mask_map = #md}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#m = affine_map<(m, n, d, e) -> (m)>
func.func @c5(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %strip: tensor<?xf32>, %mask: tensor<?xi1>, %place: index, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C5] expected a positive max_keys, got 0}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em], max_keys = 0}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c4_ascending(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C4] ascending says how a strip is read, and there is none}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em], ascending}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c2_mixed(%q: tensor<8x16xf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xf16>, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C2] expected a key of 'f16', got 'bf16'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf16>, tensor<?x8xbf16>, tensor<?x8xf16>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c2_narrow(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %out: tensor<8x16xf64>, %max: tensor<16xf64>, %sum: tensor<16xf64>) {
  // expected-error @+1 {{[C2] expected a query of 'f64', got 'f32'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf64>, tensor<16xf64>, tensor<16xf64>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c5_scale(%q: tensor<8x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C5] expected a finite scale}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em], scale = 0x7FF0000000000000 : f64}
  return
}
