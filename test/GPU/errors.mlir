// RUN: split-file %s %t
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu=chip=gfx90a 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: unknown chip 'gfx90a' of target=nvvm: expected one such as sm_80, sm_90a or sm_120
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu='target=rocdl chip=sm_80' 2>&1 | FileCheck %s --check-prefix=AMD
// AMD: error: unknown chip 'sm_80' of target=rocdl: expected one such as gfx90a or gfx942
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu=chip=sm_61 2>&1 | FileCheck %s --check-prefix=OLD
// OLD: error: chip sm_61 is older than sm_70, the first one that kernels are made for
// RUN: not env PATH=/nowhere relattn-opt %t/ok.mlir --relattn-to-gpu=format=binary 2>&1 | FileCheck %s --check-prefix=PTXAS
// PTXAS: error: format=binary needs ptxas, which is not on PATH; format=isa does not
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu='keys=128 warps=8 chip=sm_86' 2>&1 | FileCheck %s --check-prefix=SHARED
// SHARED: error: the mma schedule cannot take tiles of {{[0-9]+}} bytes of shared memory, of which the chip has 101376: fewer keys or rows need less
// RUN: relattn-opt %t/wide.mlir --relattn-to-gpu=chip=sm_75 -o /dev/null
// RUN: not relattn-opt %t/tile-of-keys.mlir --relattn-convert-tiles-to-gpu='matrix-units=false shared-bytes=4096' 2>&1 | FileCheck %s --check-prefix=SIMT
// SIMT: error: the simt schedule cannot take tiles of 12288 bytes of shared memory, of which the chip has 4096
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu='target=spirv chip=metal' 2>&1 | FileCheck %s --check-prefix=SPIRV
// SPIRV: error: unknown chip 'metal' of target=spirv: expected opencl or vulkan
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu='target=spirv format=llvm' 2>&1 | FileCheck %s --check-prefix=BITCODE
// BITCODE: error: target=spirv has no LLVM bitcode: format=isa and format=binary give a SPIR-V module
// RUN: not relattn-opt %t/ok.mlir --relattn-convert-kernels-to-spirv=chip=metal 2>&1 | FileCheck %s --check-prefix=API
// API: error: unknown chip 'metal': expected opencl or vulkan
// RUN: relattn-opt %t/kernels.mlir --relattn-convert-kernels-to-spirv --verify-diagnostics --split-input-file
// RUN: relattn-opt %t/twice.mlir --relattn-convert-kernels-to-spirv --verify-diagnostics --split-input-file
// RUN: relattn-opt %t/many.mlir --relattn-convert-kernels-to-spirv=chip=vulkan --verify-diagnostics
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu='warps=0' 2>&1 | FileCheck %s --check-prefix=SIZES
// SIZES: error: expected tile sizes of at least 1
// RUN: not relattn-opt %t/ok.mlir --relattn-to-gpu='keys=24' 2>&1 | FileCheck %s --check-prefix=KEYS
// KEYS: error: the mma schedule cannot take d, e or a number of keys of 24: it takes multiples of 16 up to 128
// RUN: relattn-opt %t/refused.mlir --relattn-to-gpu --verify-diagnostics --split-input-file
// RUN: relattn-opt %t/tiles.mlir --relattn-convert-tiles-to-gpu='warps=1 row-tiles=1' --verify-diagnostics --split-input-file

//--- ok.mlir
func.func @ok(%q: tensor<?x64xf16>, %k: tensor<?x64xf16>, %v: tensor<?x64xf16>, %o: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x64xf16>, tensor<?x64xf16>, tensor<?x64xf16>) outs(%o : tensor<?x64xf16>)
  return %0 : tensor<?x64xf16>
}

//--- wide.mlir
func.func @wide(%q: tensor<?x256xf64>, %k: tensor<?x256xf64>, %v: tensor<?x256xf64>, %o: tensor<?x256xf64>) -> tensor<?x256xf64> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x256xf64>, tensor<?x256xf64>, tensor<?x256xf64>) outs(%o : tensor<?x256xf64>)
  return %0 : tensor<?x256xf64>
}

//--- tile-of-keys.mlir
#mk = affine_map<(m, n, d) -> (m, d)>
#nk = affine_map<(m, n, d) -> (n, d)>
#mn = affine_map<(m, n, d) -> (m, n)>
#mne = affine_map<(m, e, n) -> (m, n)>
#ne = affine_map<(m, e, n) -> (n, e)>
#me = affine_map<(m, e, n) -> (m, e)>
func.func @keys(%q: memref<32x16xf32>, %k: memref<64x16xf32>, %v: memref<64x16xf32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c64 = arith.constant 64 : index
  scf.forall (%i) in (4) {
    %query = memref.alloc() : memref<32x16xf32>
    %scores = memref.alloc() : memref<32x32xf32>
    %out = memref.alloc() : memref<32x16xf32>
    memref.copy %q, %query : memref<32x16xf32> to memref<32x16xf32>
    scf.for %j = %c0 to %c64 step %c32 {
      %kt = memref.subview %k[%j, 0] [32, 16] [1, 1] : memref<64x16xf32> to memref<32x16xf32, strided<[16, 1], offset: ?>>
      %vt = memref.subview %v[%j, 0] [32, 16] [1, 1] : memref<64x16xf32> to memref<32x16xf32, strided<[16, 1], offset: ?>>
      linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%query, %kt : memref<32x16xf32>, memref<32x16xf32, strided<[16, 1], offset: ?>>) outs(%scores : memref<32x32xf32>) attrs = {relattn.tile = "scores"} {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %0 = arith.mulf %a, %b : f32
        %1 = arith.addf %c, %0 : f32
        linalg.yield %1 : f32
      }
      linalg.generic {indexing_maps = [#mne, #ne, #me], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%scores, %vt : memref<32x32xf32>, memref<32x16xf32, strided<[16, 1], offset: ?>>) outs(%out : memref<32x16xf32>) attrs = {relattn.tile = "values"} {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %0 = arith.mulf %a, %b : f32
        %1 = arith.addf %c, %0 : f32
        linalg.yield %1 : f32
      }
    }
  }
  return
}

//--- kernels.mlir
module attributes {gpu.container_module} {
  gpu.module @strided {
    gpu.func @k(%x: memref<4xf32, strided<[2]>>) kernel {
      gpu.return
    }
  }
  func.func @f(%x: memref<4xf32, strided<[2]>>) {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{a buffer of a SPIR-V kernel has to be contiguous}}
    gpu.launch_func @strided::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32, strided<[2]>>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @number {
    gpu.func @k(%x: f32) kernel {
      gpu.return
    }
  }
  func.func @f(%x: f32) {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{an argument of a SPIR-V kernel has to be a buffer or an index, not 'f32'}}
    gpu.launch_func @number::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : f32)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @block {
    gpu.func @k() kernel {
      gpu.return
    }
  }
  func.func @f(%n: index) {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{the size of a SPIR-V kernel's workgroup has to be constant}}
    gpu.launch_func @block::@k blocks in (%c1, %c1, %c1) threads in (%n, %c1, %c1)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @constant {
    memref.global constant @big : memref<5000xf32> = dense<0.0>
    gpu.func @k(%x: memref<1xf32>) kernel {
      %c0 = arith.constant 0 : index
      // expected-error @+1 {{a kernel takes constants of up to 4096 elements: larger ones are for its arguments}}
      %0 = memref.get_global @big : memref<5000xf32>
      %1 = memref.load %0[%c0] : memref<5000xf32>
      memref.store %1, %x[%c0] : memref<1xf32>
      gpu.return
    }
  }
  func.func @f(%x: memref<1xf32>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @constant::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<1xf32>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @bf16 {
    gpu.func @k(%x: memref<1xbf16>) kernel {
      %c0 = arith.constant 0 : index
      %0 = memref.load %x[%c0] : memref<1xbf16>
      // expected-error @+1 {{SPIR-V has no bf16 to compute with}}
      %1 = arith.addf %0, %0 : bf16
      memref.store %1, %x[%c0] : memref<1xbf16>
      gpu.return
    }
  }
  func.func @f(%x: memref<1xbf16>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @bf16::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<1xbf16>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @use {
    gpu.func @k(%x: memref<4xf32>) kernel {
      // expected-error @+1 {{a SPIR-V kernel can only load and store}}
      %0 = memref.subview %x[1] [2] [1] : memref<4xf32> to memref<2xf32, strided<[1], offset: 1>>
      gpu.return
    }
  }
  func.func @f(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @use::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
    return
  }
}

//--- twice.mlir
module attributes {gpu.container_module} {
  gpu.module @twice {
    gpu.func @k(%x: memref<1xf32>) kernel {
      gpu.return
    }
  }
  func.func @f(%x: memref<1xf32>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @twice::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<1xf32>)
    // expected-error @+1 {{a SPIR-V kernel has one launch}}
    gpu.launch_func @twice::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<1xf32>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @wide {
    gpu.func @k(%x: memref<1xi64>) kernel {
      %c0 = arith.constant 0 : index
      %c = arith.constant 0 : i64
      // expected-error @+1 {{a SPIR-V kernel cannot store integers of 64 bits}}
      memref.store %c, %x[%c0] : memref<1xi64>
      gpu.return
    }
  }
  func.func @f(%x: memref<1xi64>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @wide::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<1xi64>)
    return
  }
}

//--- many.mlir
module attributes {gpu.container_module} {
  // expected-error @+1 {{a Vulkan kernel of 33 sizes and other indices: it can be told 32}}
  gpu.module @many {
    gpu.func @k(%a0: index, %a1: index, %a2: index, %a3: index, %a4: index, %a5: index, %a6: index, %a7: index, %a8: index, %a9: index, %a10: index, %a11: index, %a12: index, %a13: index, %a14: index, %a15: index, %a16: index, %a17: index, %a18: index, %a19: index, %a20: index, %a21: index, %a22: index, %a23: index, %a24: index, %a25: index, %a26: index, %a27: index, %a28: index, %a29: index, %a30: index, %a31: index, %a32: index, %x: memref<1xindex>) kernel {
      gpu.return
    }
  }
  func.func @f(%a0: index, %a1: index, %a2: index, %a3: index, %a4: index, %a5: index, %a6: index, %a7: index, %a8: index, %a9: index, %a10: index, %a11: index, %a12: index, %a13: index, %a14: index, %a15: index, %a16: index, %a17: index, %a18: index, %a19: index, %a20: index, %a21: index, %a22: index, %a23: index, %a24: index, %a25: index, %a26: index, %a27: index, %a28: index, %a29: index, %a30: index, %a31: index, %a32: index, %x: memref<1xindex>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @many::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%a0 : index, %a1 : index, %a2 : index, %a3 : index, %a4 : index, %a5 : index, %a6 : index, %a7 : index, %a8 : index, %a9 : index, %a10 : index, %a11 : index, %a12 : index, %a13 : index, %a14 : index, %a15 : index, %a16 : index, %a17 : index, %a18 : index, %a19 : index, %a20 : index, %a21 : index, %a22 : index, %a23 : index, %a24 : index, %a25 : index, %a26 : index, %a27 : index, %a28 : index, %a29 : index, %a30 : index, %a31 : index, %a32 : index, %x : memref<1xindex>)
    return
  }
}

//--- refused.mlir
func.func @depth(%q: tensor<?x264xf16>, %k: tensor<?x264xf16>, %v: tensor<?x64xf16>, %o: tensor<?x64xf16>) -> tensor<?x64xf16> {
  // expected-error @+1 {{'relattn.attention' op has no schedule on a GPU: d or e is larger than 256}}
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x264xf16>, tensor<?x264xf16>, tensor<?x64xf16>) outs(%o : tensor<?x64xf16>)
  return %0 : tensor<?x64xf16>
}

// -----

func.func @dynamic(%q: tensor<?x?xf16>, %k: tensor<?x?xf16>, %v: tensor<?x64xf16>, %o: tensor<?x64xf16>) -> tensor<?x64xf16> {
  // expected-error @+1 {{'relattn.attention' op has no schedule on a GPU: the sizes of d and e are not static}}
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x?xf16>, tensor<?x?xf16>, tensor<?x64xf16>) outs(%o : tensor<?x64xf16>)
  return %0 : tensor<?x64xf16>
}

// -----

func.func @unit(%q: tensor<1x?x?xf32>, %k: tensor<1x?x?xf32>, %v: tensor<?x?x8xf32>, %o: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  // expected-error @+1 {{'relattn.attention' op has no schedule on a GPU: a batch dimension is inside of d or e of size 1 and of m or n}}
  %0 = relattn.attention maps((d, m, b), (d, n, b), (b, n, e) -> (b, m, e)) ins(%q, %k, %v : tensor<1x?x?xf32>, tensor<1x?x?xf32>, tensor<?x?x8xf32>) outs(%o : tensor<?x?x8xf32>)
  return %0 : tensor<?x?x8xf32>
}

// -----

// What is not attention has no kernel yet.
func.func @other(%x: tensor<8xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{host code that reads or writes the GPU's memory}}
  %0 = tensor.extract %x[%c0] : tensor<8xf32>
  return %0 : f32
}

//--- tiles.mlir
#mk = affine_map<(m, n, d) -> (m, d)>
#nk = affine_map<(m, n, d) -> (n, d)>
#mn = affine_map<(m, n, d) -> (m, n)>
func.func @alone(%q: memref<16x16xf16>, %k: memref<16x16xf16>) {
  scf.forall (%i) in (4) {
    %scores = memref.alloc() : memref<16x16xf32>
    // expected-error @+1 {{the mma schedule cannot take a product outside of a loop over keys}}
    linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : memref<16x16xf16>, memref<16x16xf16>) outs(%scores : memref<16x16xf32>) attrs = {relattn.tile = "scores"} {
    ^bb0(%a: f16, %b: f16, %c: f32):
      %0 = arith.extf %a : f16 to f32
      %1 = arith.extf %b : f16 to f32
      %2 = arith.mulf %0, %1 : f32
      %3 = arith.addf %c, %2 : f32
      linalg.yield %3 : f32
    }
  }
  return
}

// -----

func.func @rows() {
  scf.forall (%i) in (4) {
    // expected-error @+1 {{the mma schedule cannot take a tile of 8 rows where the schedule has 16}}
    %tile = memref.alloc() : memref<8x16xf32>
    %c = arith.constant 0.0 : f32
    linalg.fill ins(%c : f32) outs(%tile : memref<8x16xf32>)
  }
  return
}

// -----

func.func @unknown(%n: index) {
  scf.forall (%i) in (4) {
    // expected-error @+1 {{the mma schedule cannot take a buffer of unknown size}}
    %tile = memref.alloc(%n) : memref<?xf32>
    %c = arith.constant 0.0 : f32
    linalg.fill ins(%c : f32) outs(%tile : memref<?xf32>)
  }
  return
}

// -----

func.func @reduced(%x: memref<4x8xf32>, %y: memref<4xf32>) {
  scf.forall (%i) in (4) {
    // expected-error @+1 {{the mma schedule cannot take a reduction over memory}}
    linalg.reduce ins(%x : memref<4x8xf32>) outs(%y : memref<4xf32>) dimensions = [1]
      (%a: f32, %b: f32) {
        %0 = arith.addf %a, %b : f32
        linalg.yield %0 : f32
      }
  }
  return
}
