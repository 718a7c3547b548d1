// RUN: relattn-opt %s --split-input-file --verify-diagnostics | FileCheck %s
// relattn.merge: what it takes, and functions named after the constraint that
// they break.

#outs = affine_map<(s, m, e) -> (s, m, e)>
#rows = affine_map<(s, m, e) -> (s, m)>
// CHECK-LABEL: func @merge
// CHECK: relattn.merge ins(%arg0, %arg1, %arg2 : tensor<?x8x64xf32>, tensor<?x8xf32>, tensor<?x8xf32>) outs(%arg3, %arg4, %arg5 : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>) {indexing_maps = [#map, #map1]}
func.func @merge(%outs: tensor<?x8x64xf32>, %maxes: tensor<?x8xf32>, %sums: tensor<?x8xf32>, %out: tensor<8x64xf32>, %max: tensor<8xf32>, %sum: tensor<8xf32>) -> tensor<8x64xf32> {
  %0:3 = relattn.merge ins(%outs, %maxes, %sums : tensor<?x8x64xf32>, tensor<?x8xf32>, tensor<?x8xf32>) outs(%out, %max, %sum : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>) {indexing_maps = [#outs, #rows]}
  return %0#0 : tensor<8x64xf32>
}

// -----

// Any order, any number of row dimensions, parts in any place.
#outs = affine_map<(s, b, m, e) -> (b, e, s, m)>
#rows = affine_map<(s, b, m, e) -> (m, s, b)>
// CHECK-LABEL: func @permuted
// CHECK: relattn.merge
func.func @permuted(%outs: tensor<2x64x3x?xf64>, %maxes: tensor<?x3x2xf64>, %sums: tensor<?x3x2xf64>, %out: tensor<2x64x?xf64>, %max: tensor<?x2xf64>, %sum: tensor<?x2xf64>) -> tensor<2x64x?xf64> {
  %0:3 = relattn.merge ins(%outs, %maxes, %sums : tensor<2x64x3x?xf64>, tensor<?x3x2xf64>, tensor<?x3x2xf64>) outs(%out, %max, %sum : tensor<2x64x?xf64>, tensor<?x2xf64>, tensor<?x2xf64>) {indexing_maps = [#outs, #rows]}
  return %0#0 : tensor<2x64x?xf64>
}

// -----

#outs = affine_map<(s, m, e) -> (s, m, e)>
func.func @m1_count(%outs: tensor<2x8x64xf32>, %rows: tensor<2x8xf32>, %out: tensor<8x64xf32>, %row: tensor<8xf32>) {
  // expected-error @+1 {{[M1] expected 2 indexing maps, got 1}}
  %0:3 = relattn.merge ins(%outs, %rows, %rows : tensor<2x8x64xf32>, tensor<2x8xf32>, tensor<2x8xf32>) outs(%out, %row, %row : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>) {indexing_maps = [#outs]}
  return
}

// -----

#outs = affine_map<(s, m, e) -> (s, m, e)>
#rows = affine_map<(s, m, e) -> (s, e)>
func.func @m1_rows(%outs: tensor<2x8x64xf32>, %rows: tensor<2x8xf32>, %out: tensor<8x64xf32>, %row: tensor<8xf32>) {
  // expected-error @+1 {{[M1] expected maps over (part, rows, e): a permutation for outs, and all dimensions but e for maxes and sums}}
  %0:3 = relattn.merge ins(%outs, %rows, %rows : tensor<2x8x64xf32>, tensor<2x8xf32>, tensor<2x8xf32>) outs(%out, %row, %row : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>) {indexing_maps = [#outs, #rows]}
  return
}

// -----

#outs = affine_map<(s, m, e) -> (s, m, e)>
#rows = affine_map<(s, m, e) -> (s, m)>
func.func @m2_narrow(%outs: tensor<2x8x64xf16>, %rows: tensor<2x8xf16>, %out: tensor<8x64xf16>, %row: tensor<8xf16>) {
  // expected-error @+1 {{[M2] expected f32 or f64, got 'f16'}}
  %0:3 = relattn.merge ins(%outs, %rows, %rows : tensor<2x8x64xf16>, tensor<2x8xf16>, tensor<2x8xf16>) outs(%out, %row, %row : tensor<8x64xf16>, tensor<8xf16>, tensor<8xf16>) {indexing_maps = [#outs, #rows]}
  return
}

// -----

#outs = affine_map<(s, m, e) -> (s, m, e)>
#rows = affine_map<(s, m, e) -> (s, m)>
func.func @m2_mixed(%outs: tensor<2x8x64xf32>, %rows: tensor<2x8xf64>, %out: tensor<8x64xf32>, %row: tensor<8xf32>) {
  // expected-error @+1 {{[M2] expected maxes of 'f32', got 'f64'}}
  %0:3 = relattn.merge ins(%outs, %rows, %rows : tensor<2x8x64xf32>, tensor<2x8xf64>, tensor<2x8xf64>) outs(%out, %row, %row : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>) {indexing_maps = [#outs, #rows]}
  return
}

// -----

#outs = affine_map<(s, m, e) -> (s, m, e)>
#rows = affine_map<(s, m, e) -> (s, m)>
func.func @m3_rank(%outs: tensor<2x8x64xf32>, %rows: tensor<2x8xf32>, %out: tensor<2x8x64xf32>, %row: tensor<8xf32>) {
  // expected-error @+1 {{[M3] expected out of rank 2, got 'tensor<2x8x64xf32>'}}
  %0:3 = relattn.merge ins(%outs, %rows, %rows : tensor<2x8x64xf32>, tensor<2x8xf32>, tensor<2x8xf32>) outs(%out, %row, %row : tensor<2x8x64xf32>, tensor<8xf32>, tensor<8xf32>) {indexing_maps = [#outs, #rows]}
  return
}

// -----

#outs = affine_map<(s, m, e) -> (s, m, e)>
#rows = affine_map<(s, m, e) -> (s, m)>
func.func @m3_size(%outs: tensor<2x8x64xf32>, %rows: tensor<2x8xf32>, %out: tensor<8x64xf32>, %row: tensor<9xf32>) {
  // expected-error @+1 {{[M3] max has 9 where another operand has 8}}
  %0:3 = relattn.merge ins(%outs, %rows, %rows : tensor<2x8x64xf32>, tensor<2x8xf32>, tensor<2x8xf32>) outs(%out, %row, %row : tensor<8x64xf32>, tensor<9xf32>, tensor<9xf32>) {indexing_maps = [#outs, #rows]}
  return
}
