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
func.func @c2_some_narrow(%q: tensor<8x16xf32>, %k: tensor<?x8xbf16>, %v: tensor<?x8xf32>, %out: tensor<8x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) {
  // expected-error @+1 {{[C2] expected a key of 'f32', got 'bf16'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x16xf32>, tensor<?x8xbf16>, tensor<?x8xf32>)  outs(%out, %max, %sum : tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c2_row_mixed(%q: tensor<8x1xf32>, %k: tensor<?x8xbf16>, %v: tensor<?x8xf16>, %out: tensor<8x1xf32>, %max: tensor<1xf32>, %sum: tensor<1xf32>) {
  // expected-error @+1 {{[C2] expected a value of 'bf16', got 'f16'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x1xf32>, tensor<?x8xbf16>, tensor<?x8xf16>)  outs(%out, %max, %sum : tensor<8x1xf32>, tensor<1xf32>, tensor<1xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
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

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_no_keys(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] factors in pairs, of i32, come with their number of keys, and no others do}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_keys_of_f32(%q: tensor<8x64xf32>, %k: tensor<?x8xf32>, %v: tensor<?x48xf32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] factors in pairs, of i32, come with their number of keys, and no others do}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x64xf32>, tensor<?x8xf32>, tensor<?x48xf32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_maps(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected maps to (d, m), (n, d), (n, e) and (e, m) for factors in pairs}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, affine_map<(m, n, d, e) -> (e, n)>, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_key_of_f32(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xf32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected factors of i32 and tiles of f32, got 'tensor<?x3x32xf32>'}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xf32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_f64(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf64>, %max: tensor<64xf64>, %sum: tensor<64xf64>) {
  // expected-error @+1 {{[C6] expected factors of i32 and tiles of f32}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf64>, tensor<64xf64>, tensor<64xf64>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_words(%q: tensor<3x24x64xi32>, %k: tensor<?x3x24xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x24x64xi32>, tensor<?x3x24xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_parts(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x4x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x4x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_lanes(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x32xf32>, %max: tensor<32xf32>, %sum: tensor<32xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x32xf32>, tensor<32xf32>, tensor<32xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_rank(%q: tensor<3x32x64xi32>, %k: tensor<?x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_chunks(%q: tensor<3x32x64xi32>, %k: tensor<64x3x32xi32>, %v: tensor<3x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected 32 keys for each chunk of values}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<64x3x32xi32>, tensor<3x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_scale(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected a query with the scale in its pairs}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em], scale = 0.5 : f64}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_query_parts(%q: tensor<4x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<4x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_dynamic_query(%q: tensor<3x32x?xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x?xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_columns(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x40x16xi32>, %n: index, %out: tensor<40x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x40x16xi32>) keys %n outs(%out, %max, %sum : tensor<40x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_queries(%q: tensor<3x32x20xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x20xf32>, %max: tensor<20xf32>, %sum: tensor<20xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x20xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x20xf32>, tensor<20xf32>, tensor<20xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_other_columns(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<64x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<64x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_dynamic_chunks(%q: tensor<3x32x64xi32>, %k: tensor<64x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected 32 keys for each chunk of values}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<64x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_max_keys(%q: tensor<3x32x64xi32>, %k: tensor<?x3x32xi32>, %v: tensor<?x2x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected max_keys to be a multiple of 32, got 33}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<3x32x64xi32>, tensor<?x3x32xi32>, tensor<?x2x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em], max_keys = 33 : i64}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_key_parts(%q: tensor<1x32x64xi32>, %k: tensor<?x4x32xi32>, %v: tensor<?x1x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<1x32x64xi32>, tensor<?x4x32xi32>, tensor<?x1x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_weight_parts(%q: tensor<1x32x64xi32>, %k: tensor<?x1x32xi32>, %v: tensor<?x1x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected weights of 1 to 3 parts, got 0}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<1x32x64xi32>, tensor<?x1x32xi32>, tensor<?x1x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em], weight_parts = 0 : i64}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_weight_parts_alone(%q: tensor<8x64xf32>, %k: tensor<?x8xf32>, %v: tensor<?x48xf32>, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] weights of 2 parts come with factors in pairs}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<8x64xf32>, tensor<?x8xf32>, tensor<?x48xf32>) outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em], weight_parts = 2 : i64}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_words(%q: tensor<1x32x64xi32>, %k: tensor<?x1x48xi32>, %v: tensor<?x1x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<1x32x64xi32>, tensor<?x1x48xi32>, tensor<?x1x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_no_parts(%q: tensor<1x32x64xi32>, %k: tensor<?x0x32xi32>, %v: tensor<?x1x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<1x32x64xi32>, tensor<?x0x32xi32>, tensor<?x1x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_word_of_values(%q: tensor<1x32x64xi32>, %k: tensor<?x1x32xi32>, %v: tensor<?x1x48x32xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<1x32x64xi32>, tensor<?x1x32xi32>, tensor<?x1x48x32xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @c6_rank_of_values(%q: tensor<1x32x64xi32>, %k: tensor<?x1x32xi32>, %v: tensor<?x48x16xi32>, %n: index, %out: tensor<48x64xf32>, %max: tensor<64xf32>, %sum: tensor<64xf32>) {
  // expected-error @+1 {{[C6] expected pairs of PxWxM, NxPxW and CxPxEx16, each of 1 to 3 parts, for a tile of ExM}}
  %0:3 = relattn.online_attention ins(%q, %k, %v : tensor<1x32x64xi32>, tensor<?x1x32xi32>, tensor<?x48x16xi32>) keys %n outs(%out, %max, %sum : tensor<48x64xf32>, tensor<64xf32>, tensor<64xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return
}
