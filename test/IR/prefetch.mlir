// RUN: relattn-opt %s --canonicalize --cse --split-input-file --verify-diagnostics | FileCheck %s
// relattn.prefetch: what it takes, and functions named after the constraint that
// they break. It stays, twice, though nothing uses it.

// CHECK-LABEL: func @prefetch
// CHECK: relattn.prefetch %arg0 : tensor<?x64xf32>
// CHECK: relattn.prefetch %arg0 : tensor<?x64xf32>
// CHECK: relattn.prefetch write %arg1 : tensor<8x3xi1>
// CHECK: relattn.prefetch write %arg2 {hint} : memref<?x64xbf16, strided<[?, ?], offset: ?>>
func.func @prefetch(%keys: tensor<?x64xf32>, %mask: tensor<8x3xi1>, %buffer: memref<?x64xbf16, strided<[?, ?], offset: ?>>) {
  relattn.prefetch %keys : tensor<?x64xf32>
  relattn.prefetch %keys : tensor<?x64xf32>
  relattn.prefetch write %mask : tensor<8x3xi1>
  relattn.prefetch write %buffer {hint} : memref<?x64xbf16, strided<[?, ?], offset: ?>>
  return
}

// -----

func.func @p1_rank(%rows: tensor<64xf32>) {
  // expected-error @+1 {{'relattn.prefetch' op [P1] expected rows of rank 2 with a static number of columns, got 'tensor<64xf32>'}}
  relattn.prefetch %rows : tensor<64xf32>
  return
}

// -----

func.func @p1_columns(%rows: memref<8x?xf32>) {
  // expected-error @+1 {{[P1] expected rows of rank 2 with a static number of columns, got 'memref<8x?xf32>'}}
  relattn.prefetch write %rows : memref<8x?xf32>
  return
}
