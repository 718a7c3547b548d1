// RUN: relattn-opt %s --relattn-expand-exp | FileCheck %s --check-prefixes=CHECK,FMA
// RUN: relattn-opt %s --relattn-expand-exp=fma=false | FileCheck %s --check-prefixes=CHECK,PARTS
// RUN: relattn-opt %s --relattn-expand-exp=avx512 | FileCheck %s --check-prefix=AVX512
// RUN: relattn-opt %s --relattn-to-cpu="target-cpu=sapphirerapids" | FileCheck %s --check-prefix=INTEL
// RUN: relattn-opt %s --relattn-to-cpu="target-cpu=znver4" | FileCheck %s --check-prefix=OTHER
// RUN: relattn-opt %s --relattn-to-cpu="target-cpu=znver5" | FileCheck %s --check-prefix=OTHER
// RUN: relattn-opt %s --relattn-to-cpu="target-cpu=sapphirerapids target-features=-avx512dq" | FileCheck %s --check-prefix=OTHER
// INTEL: llvm.x86.avx512.mask.scalef.ps.512
// OTHER-NOT: llvm.x86

// Clamped, scaled by 2^n, whose exponent is shifted into its place.
// CHECK-LABEL: func @registers
// CHECK: %[[LOW:.*]] = arith.cmpf ogt, %{{.*}}, %arg0
// CHECK: %[[X:.*]] = arith.select %[[LOW]], %{{.*}}, %arg0
// CHECK: %[[N:.*]] = arith.subf
// CHECK: arith.mulf %[[N]], %{{.*}} fastmath<contract>
// CHECK: %[[F:.*]] = arith.addf %{{.*}}, %[[X]] fastmath<contract>
// PARTS: arith.mulf %[[N]], %{{.*}} fastmath<contract>
// PARTS: arith.addf %{{.*}}, %[[F]] fastmath<contract>
// FMA-COUNT-5: arith.addf {{.*}} fastmath<contract> : vector<32xf32>
// FMA-NOT: arith.addf
// CHECK: arith.shli
// CHECK: arith.mulf
// CHECK-NOT: math.exp

// In registers of 16.
// AVX512-LABEL: func @registers
// AVX512: %[[FIRST:.*]] = vector.extract_strided_slice %arg0 {offsets = [0], sizes = [16], strides = [1]}
// AVX512: %[[T:.*]] = arith.mulf %[[FIRST]]
// AVX512: %[[F:.*]] = llvm.call_intrinsic "llvm.x86.avx512.mask.reduce.ps.512"(%[[T]],
// AVX512-COUNT-5: arith.addf {{.*}} fastmath<contract> : vector<16xf32>
// AVX512: %[[KEPT:.*]] = arith.cmpf uge, %[[T]]
// AVX512: %[[MASK:.*]] = llvm.bitcast %[[KEPT]] : vector<16xi1> to i16
// AVX512: %[[POWER:.*]] = llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(%{{.*}}, %[[T]], %{{.*}}, %[[MASK]],
// AVX512: vector.insert_strided_slice %[[POWER]], %{{.*}} {offsets = [0], strides = [1]} : vector<16xf32> into vector<32xf32>
// AVX512: vector.extract_strided_slice %arg0 {offsets = [16]
// AVX512: vector.insert_strided_slice {{.*}} {offsets = [16]
// AVX512-NOT: math.exp
func.func @registers(%x: vector<32xf32>) -> vector<32xf32> {
  %e = math.exp %x {relattn.bounded} : vector<32xf32>
  return %e : vector<32xf32>
}

// AVX512-LABEL: func @register
// AVX512-NOT: vector.
// AVX512: llvm.call_intrinsic
// AVX512-NOT: vector.
// AVX512: return
func.func @register(%x: vector<16xf32>) -> vector<16xf32> {
  %e = math.exp %x {relattn.bounded} : vector<16xf32>
  return %e : vector<16xf32>
}

// Not of whole registers, of another type or rank, scalable: as without the instructions.
// CHECK-LABEL: func @others
// CHECK-COUNT-6: arith.shli
// CHECK-NOT: math.exp
// AVX512-LABEL: func @others
// AVX512-NOT: llvm.call_intrinsic
// AVX512-COUNT-6: arith.shli
// AVX512-NOT: math.exp
func.func @others(%a: f32, %b: vector<8xf32>, %c: vector<24xf32>, %d: vector<16xf64>, %e: vector<2x16xf32>, %f: vector<[16]xf32>) -> (f32, vector<8xf32>, vector<24xf32>, vector<16xf64>, vector<2x16xf32>, vector<[16]xf32>) {
  %0 = math.exp %a {relattn.bounded} : f32
  %1 = math.exp %b {relattn.bounded} : vector<8xf32>
  %2 = math.exp %c {relattn.bounded} : vector<24xf32>
  %3 = math.exp %d {relattn.bounded} : vector<16xf64>
  %4 = math.exp %e {relattn.bounded} : vector<2x16xf32>
  %5 = math.exp %f {relattn.bounded} : vector<[16]xf32>
  return %0, %1, %2, %3, %4, %5 : f32, vector<8xf32>, vector<24xf32>, vector<16xf64>, vector<2x16xf32>, vector<[16]xf32>
}

// Types without an expansion, and the exponentials of others.
// CHECK-LABEL: func @not_ours
// CHECK-COUNT-2: math.exp
// AVX512-LABEL: func @not_ours
// AVX512-COUNT-2: math.exp
func.func @not_ours(%a: vector<16xf32>, %b: vector<16xbf16>) -> (vector<16xf32>, vector<16xbf16>) {
  %0 = math.exp %a : vector<16xf32>
  %1 = math.exp %b {relattn.bounded} : vector<16xbf16>
  return %0, %1 : vector<16xf32>, vector<16xbf16>
}
