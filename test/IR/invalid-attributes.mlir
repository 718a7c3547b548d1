// RUN: relattn-opt %s --split-input-file --verify-diagnostics
// C14: every parameter and its rule.

// expected-error @+1 {{[C14] buckets must be in [4, 65536] when bidirectional, got 2}}
func.func private @f() attributes {a = #relattn.t5<buckets = 2, max_distance = 128, bidirectional>}

// -----

// expected-error @+1 {{[C14] buckets must be in [2, 65536] when one-sided, got 1}}
func.func private @f() attributes {a = #relattn.t5<buckets = 1, max_distance = 128>}

// -----

// expected-error @+1 {{[C14] buckets must be in [2, 65536] when one-sided, got -32}}
func.func private @f() attributes {a = #relattn.t5<buckets = -32, max_distance = 128>}

// -----

// expected-error @+1 {{[C14] buckets must be even when bidirectional, got 33}}
func.func private @f() attributes {a = #relattn.t5<buckets = 33, max_distance = 128, bidirectional>}

// -----

// expected-error @+1 {{[C14] max_distance must be in [9, 2147483647], above the 8 exact buckets of a direction, got 8}}
func.func private @f() attributes {a = #relattn.t5<buckets = 32, max_distance = 8, bidirectional>}

// -----

// expected-error @+1 {{[C14] max_distance must be in [17, 2147483647], above the 16 exact buckets of a direction, got 2147483648}}
func.func private @f() attributes {a = #relattn.t5<buckets = 32, max_distance = 2147483648>}

// -----

// expected-error @+1 {{expected 'buckets'}}
func.func private @f() attributes {a = #relattn.t5<rows = 32, max_distance = 128>}

// -----

// expected-error @+1 {{expected 'bidirectional'}}
func.func private @f() attributes {a = #relattn.t5<buckets = 32, max_distance = 128, both>}

// -----

// expected-error @+1 {{[C14] lo must not exceed hi, got lo = 3, hi = 2}}
func.func private @f() attributes {a = #relattn.clip<lo = 3, hi = 2>}

// -----

// expected-error @+1 {{[C14] hi - lo must be below 16777216, got lo = -8388608, hi = 8388608}}
func.func private @f() attributes {a = #relattn.clip<lo = -8388608, hi = 8388608>}

// -----

// expected-error @+1 {{[C14] starts must increase strictly, got 0 before 0}}
func.func private @f() attributes {a = #relattn.steps<buckets = 3, starts = [0, 0], ids = [0, 1, 2]>}

// -----

// expected-error @+1 {{[C14] ids must have one entry more than starts, got 1 ids and 1 starts}}
func.func private @f() attributes {a = #relattn.steps<buckets = 3, starts = [0], ids = [0]>}

// -----

// expected-error @+1 {{[C14] ids must have one entry more than starts, got 0 ids and 0 starts}}
func.func private @f() attributes {a = #relattn.steps<buckets = 3, starts = [], ids = []>}

// -----

// expected-error @+1 {{[C14] ids must be in [0, 3), got 3}}
func.func private @f() attributes {a = #relattn.steps<buckets = 3, starts = [0], ids = [0, 3]>}

// -----

// expected-error @+1 {{[C14] buckets must be in [1, 16777216], got 0}}
func.func private @f() attributes {a = #relattn.steps<buckets = 0, starts = [], ids = [0]>}

// -----

// expected-error @+1 {{unknown attribute `swin` in dialect `relattn`}}
func.func private @f() attributes {a = #relattn.swin<3>}

// -----

// expected-error @+1 {{expected a dimension, one of b, g, r, m, n, d, e; got 'h'}}
func.func private @f() attributes {a = #relattn.dense<(b, h, m, n)>}

// -----

// expected-error @+1 {{dimension 'n' occurs twice}}
func.func private @f() attributes {a = #relattn.dense<(n, n)>}

// -----

// expected-error @+1 {{expected integer value}}
func.func private @f() attributes {a = #relattn.band<x, 0>}

// -----

func.func @negative_size(%q: tensor<4x8xf32>) {
  // A negative size is no type: the parser of tensors refuses it.
  // expected-error @+1 {{expected}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<-4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @no_scheme(%q: tensor<4x8xf32>, %b: tensor<4x4xf32>) {
  // expected-error @+2 {{expected a bias scheme, got #relattn.band<*, 0>}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.band<*, 0>, %b : tensor<4x4xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @two_queries(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{expected query, key and value}}
  %0 = relattn.attention ins(%q, %q : tensor<4x8xf32>, tensor<4x8xf32>) outs(%q : tensor<4x8xf32>)
  return
}

// -----

func.func @rank_without_default_layout(%q: tensor<8xf32>) {
  // expected-error @+1 {{an output of rank 1 has no default layout, write maps(...)}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) outs(%q : tensor<8xf32>)
  return
}

// -----

func.func @unranked(%q: tensor<*xf32>) {
  // expected-error @+1 {{expected ranked tensors, got 'tensor<*xf32>'}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) outs(%q : tensor<*xf32>)
  return
}

// -----

func.func @three_destinations(%q: tensor<4x8xf32>) {
  // expected-error @+2 {{expected one or two destinations}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    outs(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
  return
}

// -----

func.func @scale_is_a_number(%q: tensor<4x8xf32>) {
  // expected-error @+1 {{invalid kind of attribute specified}}
  %0 = relattn.attention scale("x") ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%q : tensor<4x8xf32>)
  return
}
