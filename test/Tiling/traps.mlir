// What a missed trap leaves behind: allocations, masked operations and copies of
// tiles in the loops of a worker. Two copies of the running maximum, a vector
// each, are what the schedule costs.
// RUN: relattn-opt %s --relattn-to-cpu="threads=openmp workers=1" --mlir-disable-threading -o /dev/null --mlir-print-ir-after=relattn-lower-tiles-to-loops 2>&1 | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu="threads=openmp workers=1 target-cpu=x86-64-v4" --mlir-disable-threading -o /dev/null --mlir-print-ir-after=relattn-lower-tiles-to-loops 2>&1 | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu="threads=openmp workers=1 target-cpu=sapphirerapids matrix-unit=highest" --mlir-disable-threading -o /dev/null --mlir-print-ir-after=relattn-lower-tiles-to-loops 2>&1 | FileCheck %s --check-prefix=AMX
// RUN: relattn-opt %s --relattn-to-cpu="threads=openmp workers=1" | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=LLVM
// RUN: relattn-opt %s --relattn-to-cpu="threads=openmp workers=1" --mlir-disable-threading -o /dev/null --mlir-print-ir-after=relattn-vectorize-tiles 2>&1 | FileCheck %s --check-prefix=NARROW
// LLVM-NOT: @memrefCopy
// LLVM-NOT: llvm.masked

// CHECK-LABEL: func.func @bidirectional
// CHECK: scf.forall ({{.*}}) in (2, 12, %{{.*}})
// CHECK-NOT: memref.alloc(
// CHECK-NOT: vector.mask
// CHECK-NOT: memref.copy
// CHECK-NOT: linalg.
// CHECK: return
// Keys and values are split into pairs in place.
// AMX-LABEL: func.func @bidirectional
// AMX: scf.forall
// AMX-NOT: memref.copy
// AMX-NOT: linalg.
// AMX: memref.alloc(
// AMX-NOT: memref.alloc(
// AMX: scf.forall
// AMX: scf.forall ({{.*}}) in (2, 12, %{{.*}})
// AMX-NOT: memref.alloc(
// AMX-NOT: vector.mask
// AMX-NOT: memref.copy
// AMX-NOT: linalg.
// AMX: return
func.func @bidirectional(%q: tensor<2x12x?x64xf32>, %k: tensor<2x12x?x64xf32>, %table: tensor<32x12xf32>, %init: tensor<2x12x?x64xf32>) -> tensor<2x12x?x64xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<2x12x?x64xf32>, tensor<2x12x?x64xf32>, tensor<2x12x?x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %table : tensor<32x12xf32>) outs(%init : tensor<2x12x?x64xf32>)
  return %out : tensor<2x12x?x64xf32>
}

// CHECK-LABEL: func.func @causal_bshd
// CHECK: memref.alloc(%{{.*}}) {{.*}} : memref<2x8x?x40xf32>
// CHECK: scf.forall
// CHECK-NOT: memref.alloc(
// CHECK-NOT: vector.mask
// CHECK-NOT: memref.copy
// CHECK-NOT: linalg.
// CHECK: return
func.func @causal_bshd(%q: tensor<2x?x8x40xf32>, %slopes: tensor<8xf32>, %init: tensor<2x?x8x40xf32>) -> tensor<2x?x8x40xf32> {
  %out = relattn.attention causal maps((b, m, g, d), (b, n, g, d), (b, n, g, e) -> (b, m, g, e))
    ins(%q, %q, %q : tensor<2x?x8x40xf32>, tensor<2x?x8x40xf32>, tensor<2x?x8x40xf32>)
    bias(#relattn.alibi, %slopes : tensor<8xf32>) outs(%init : tensor<2x?x8x40xf32>)
  return %out : tensor<2x?x8x40xf32>
}

// Narrow floats are converted as vectors, and transposed while they are wide.
// NARROW-LABEL: func.func @masked_bf16
// NARROW-NOT: vector.transpose {{.*}}bf16
// NARROW: arith.extf %{{.*}} : vector<8x8xbf16> to vector<8x8xf32>
// NARROW-NOT: vector.transpose {{.*}}bf16
// NARROW: vector.transpose {{.*}} : vector<8x8xf32> to vector<8x8xf32>
// NARROW: arith.truncf %{{.*}} : vector<8x8xf32> to vector<8x8xbf16>
// NARROW-NOT: vector.transpose {{.*}}bf16
// NARROW: vector.transfer_write %{{.*}} : vector<8x8xbf16>
// NARROW-NOT: vector.transpose {{.*}}bf16
// NARROW: return
// CHECK-LABEL: func.func @masked_bf16
// CHECK: scf.forall
// CHECK-NOT: memref.alloc(
// CHECK-NOT: vector.mask
// CHECK-NOT: memref.copy
// CHECK-NOT: linalg.
// CHECK: return
func.func @masked_bf16(%q: tensor<8x?x64xbf16>, %mask: tensor<?x?xi1>, %init: tensor<8x?x64xbf16>) -> tensor<8x?x64xbf16> {
  %out = relattn.attention ins(%q, %q, %q : tensor<8x?x64xbf16>, tensor<8x?x64xbf16>, tensor<8x?x64xbf16>)
    mask(%mask (m, n) : tensor<?x?xi1>) outs(%init : tensor<8x?x64xbf16>)
  return %out : tensor<8x?x64xbf16>
}

// CHECK-LABEL: func.func @log_sum_exp
// CHECK: scf.forall
// CHECK-NOT: memref.alloc(
// CHECK-NOT: vector.mask
// CHECK-NOT: memref.copy
// CHECK-NOT: linalg.
// CHECK: return
func.func @log_sum_exp(%q: tensor<8x?x64xf32>, %init: tensor<8x?x64xf32>, %lse: tensor<8x?xf32>) -> (tensor<8x?x64xf32>, tensor<8x?xf32>) {
  %out:2 = relattn.attention ins(%q, %q, %q : tensor<8x?x64xf32>, tensor<8x?x64xf32>, tensor<8x?x64xf32>)
    outs(%init, %lse : tensor<8x?x64xf32>, tensor<8x?xf32>)
  return %out#0, %out#1 : tensor<8x?x64xf32>, tensor<8x?xf32>
}

// A row's horizontal maximum and sum, and its strip, are loops over scalars.
// CHECK-LABEL: func.func @decode
// CHECK: scf.forall
// CHECK-NOT: memref.alloc(
// CHECK-NOT: vector.mask
// CHECK-NOT: linalg.
// CHECK: return
func.func @decode(%q: tensor<12x1x64xf32>, %k: tensor<12x?x64xf32>, %table: tensor<32x12xf32>, %offset: index, %init: tensor<12x1x64xf32>) -> tensor<12x1x64xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<12x1x64xf32>, tensor<12x?x64xf32>, tensor<12x?x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x12xf32>) query_offset(%offset : index) outs(%init : tensor<12x1x64xf32>)
  return %out : tensor<12x1x64xf32>
}
