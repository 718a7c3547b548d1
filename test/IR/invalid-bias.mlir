// RUN: relattn-opt %s --split-input-file --verify-diagnostics
// relattn.bucket, relattn.bias_strip and relattn.bias: functions are named
// after the op and the constraint that they break.

func.func @bucket_c1(%o: tensor<4xi64>) {
  // expected-error @+1 {{[C1] expected a bucketing, got #relattn.alibi}}
  %0 = relattn.bucket #relattn.alibi %o : tensor<4xi64> -> tensor<4xi64>
  return
}

// -----

func.func @bucket_c2(%o: i64) {
  // expected-error @+1 {{[C2] the largest bucket id, 128, does not fit 'i8'}}
  %0 = relattn.bucket #relattn.clip<lo = -64, hi = 64> %o : i64 -> i8
  return
}

// -----

func.func @bucket_shapes(%o: tensor<4xi64>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %0 = relattn.bucket #relattn.clip<lo = -64, hi = 64> %o : tensor<4xi64> -> tensor<5xi64>
  return
}

// -----

func.func @bucket_float(%o: tensor<4xf32>) {
  // expected-error @+1 {{operand #0 must be signless integer or index, or ranked tensor of them}}
  %0 = relattn.bucket #relattn.clip<lo = -64, hi = 64> %o : tensor<4xf32> -> tensor<4xi64>
  return
}

// -----

func.func @bias_strip_c1_dense(%t: tensor<4x4xf32>, %z: index, %init: tensor<1x7xf32>) {
  // expected-error @+1 {{[C1] expected a function of the offset other than a strip, got #relattn.dense<(m, n)>}}
  %0 = relattn.bias_strip #relattn.dense<(m, n)> ins(%t : tensor<4x4xf32>) zero(%z) outs(%init : tensor<1x7xf32>)
  return
}

// -----

func.func @bias_strip_c1_strip(%t: tensor<1x7xf32>, %z: index, %init: tensor<1x7xf32>) {
  // expected-error @+1 {{[C1] expected a function of the offset other than a strip, got #relattn.strip}}
  %0 = relattn.bias_strip #relattn.strip ins(%t : tensor<1x7xf32>) zero(%z) outs(%init : tensor<1x7xf32>)
  return
}

// -----

func.func @bias_strip_c2_integer(%t: tensor<4xi32>, %z: index, %init: tensor<4x7xi32>) {
  // expected-error @+1 {{[C2] expected a bias of f16, bf16, f32 or f64, got 'i32'}}
  %0 = relattn.bias_strip #relattn.alibi ins(%t : tensor<4xi32>) zero(%z) outs(%init : tensor<4x7xi32>)
  return
}

// -----

func.func @bias_strip_c2_result(%t: tensor<4xf32>, %z: index, %init: tensor<4x7xf16>) {
  // expected-error @+1 {{[C2] expected a result of 'f32', got 'f16'}}
  %0 = relattn.bias_strip #relattn.alibi ins(%t : tensor<4xf32>) zero(%z) outs(%init : tensor<4x7xf16>)
  return
}

// -----

func.func @bias_strip_c3_heads(%t: tensor<4xf32>, %z: index, %init: tensor<3x7xf32>) {
  // expected-error @+1 {{[C3] there are 4 slopes but H = G x R is 3}}
  %0 = relattn.bias_strip #relattn.alibi ins(%t : tensor<4xf32>) zero(%z) outs(%init : tensor<3x7xf32>)
  return
}

// -----

func.func @bias_strip_c3_rank(%t: tensor<4xf32>, %z: index, %init: tensor<1x4x7xf32>) {
  // expected-error @+1 {{[C3] expected a result [H, L] or [L], got rank 3}}
  %0 = relattn.bias_strip #relattn.alibi ins(%t : tensor<4xf32>) zero(%z) outs(%init : tensor<1x4x7xf32>)
  return
}

// -----

func.func @bias_strip_c3_shared(%t: tensor<4xf32>, %z: index, %init: tensor<7xf32>) {
  // expected-error @+1 {{[C3] a result [L] needs a table [num_buckets] that the heads share}}
  %0 = relattn.bias_strip #relattn.alibi ins(%t : tensor<4xf32>) zero(%z) outs(%init : tensor<7xf32>)
  return
}

// -----

func.func @bias_c1(%t: tensor<4x4xf32>, %init: tensor<1x4x4xf32>) {
  // expected-error @+1 {{[C1] expected a function of the offset, got #relattn.dense<(m, n)>}}
  %0 = relattn.bias #relattn.dense<(m, n)> ins(%t : tensor<4x4xf32>) outs(%init : tensor<1x4x4xf32>)
  return
}

// -----

func.func @bias_c2(%t: tensor<4xf32>, %init: tensor<4x4x4xf64>) {
  // expected-error @+1 {{[C2] expected a result of 'f32', got 'f64'}}
  %0 = relattn.bias #relattn.alibi ins(%t : tensor<4xf32>) outs(%init : tensor<4x4x4xf64>)
  return
}

// -----

func.func @bias_c3_rank(%t: tensor<4xf32>, %init: tensor<4x4xf32>) {
  // expected-error @+1 {{[C3] expected a result [H, M, N] or [B, H, M, N], got rank 2}}
  %0 = relattn.bias #relattn.alibi ins(%t : tensor<4xf32>) outs(%init : tensor<4x4xf32>)
  return
}

// -----

func.func @bias_c3_table(%t: tensor<31x4xf32>, %init: tensor<4x4x4xf32>) {
  // expected-error @+1 {{[C3] the table has 31 rows but the bucketing has 32 buckets}}
  %0 = relattn.bias #relattn.t5<buckets = 32, max_distance = 128> ins(%t : tensor<31x4xf32>) outs(%init : tensor<4x4x4xf32>)
  return
}

// -----

func.func @bias_c4_needs_zero(%t: tensor<4x9xf32>, %init: tensor<4x4x4xf32>) {
  // expected-error @+1 {{[C4] the scheme needs a zero operand}}
  %0 = relattn.bias #relattn.strip ins(%t : tensor<4x9xf32>) outs(%init : tensor<4x4x4xf32>)
  return
}

// -----

func.func @bias_c4_has_zero(%t: tensor<4xf32>, %z: index, %init: tensor<4x4x4xf32>) {
  // expected-error @+1 {{[C4] has a zero operand that no scheme needs}}
  %0 = relattn.bias #relattn.alibi ins(%t : tensor<4xf32>) zero(%z) outs(%init : tensor<4x4x4xf32>)
  return
}

// -----

func.func @bias_c5_type(%t: tensor<4xf32>, %o: tensor<2xi8>, %init: tensor<2x4x4x4xf32>) {
  // expected-error @+1 {{[C5] expected query_offset to be a 1-D tensor of index, i32 or i64, got 'tensor<2xi8>'}}
  %0 = relattn.bias #relattn.alibi ins(%t : tensor<4xf32>) query_offset(%o : tensor<2xi8>) outs(%init : tensor<2x4x4x4xf32>)
  return
}

// -----

func.func @bias_c5_no_batch(%t: tensor<4xf32>, %o: tensor<2xi64>, %init: tensor<4x4x4xf32>) {
  // expected-error @+1 {{[C5] query_offset has one entry per batch entry but the result has no B}}
  %0 = relattn.bias #relattn.alibi ins(%t : tensor<4xf32>) query_offset(%o : tensor<2xi64>) outs(%init : tensor<4x4x4xf32>)
  return
}

// -----

func.func @bias_c5_size(%t: tensor<4xf32>, %o: tensor<3xi64>, %init: tensor<2x4x4x4xf32>) {
  // expected-error @+1 {{[C5] query_offset has 3 entries but B is 2}}
  %0 = relattn.bias #relattn.alibi ins(%t : tensor<4xf32>) query_offset(%o : tensor<3xi64>) outs(%init : tensor<2x4x4x4xf32>)
  return
}
