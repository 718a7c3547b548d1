// The verifier knows the outside scheme's number of buckets.
// RUN: relattn-opt %s --load-dialect-plugin=%toy_plugin --verify-diagnostics
func.func @c9_table_of_an_outside_scheme(%q: tensor<4x8xf32>, %table: tensor<4x1xf32>) {
  // expected-error @+1 {{[C9] the table has 4 rows but the bucketing has 3 buckets}}
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#toy.sides, %table : tensor<4x1xf32>) outs(%q : tensor<4x8xf32>)
  return
}
