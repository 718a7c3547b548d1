// RUN: relattn-opt %s --relattn-to-cpu | FileCheck %s --check-prefixes=CHECK,NONE,TUNED
// RUN: relattn-opt %s --relattn-to-cpu="schedule=reference threads=none" | FileCheck %s --check-prefixes=CHECK,NONE,REFERENCE
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | FileCheck %s --check-prefixes=CHECK,OPENMP,TUNED
// RUN: relattn-opt %s --relattn-to-cpu="schedule=reference threads=openmp" | FileCheck %s --check-prefixes=CHECK,OPENMP,REFERENCE
// RUN: not relattn-opt %s --relattn-to-cpu=threads=tbb 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: relattn-opt --help | FileCheck %s --check-prefix=HELP

// RUN: relattn-opt %s --relattn-to-cpu=target-cpu=haswell | FileCheck %s --check-prefix=CPU
// RUN: relattn-opt %s --relattn-to-cpu="target-cpu=x86-64-v4 target-features=+avx512bf16" | FileCheck %s --check-prefix=WIDE
// CPU: llvm.func @layer({{.*}}passthrough = {{\[\[}}"target-cpu", "haswell"]]
// WIDE: llvm.func @layer({{.*}}passthrough = {{\[\[}}"target-cpu", "x86-64-v4"], ["target-features", "+avx512bf16"], ["prefer-vector-width", "512"]]
// BAD: Cannot find option named 'tbb'
// HELP: --relattn-to-cpu
// HELP-SAME: Lower a whole module with attention to the LLVM dialect for a CPU
// HELP: --schedule={{.*}}
// HELP: =tuned
// HELP: =reference
// HELP: --target-cpu=
// HELP: --target-features=
// HELP: --threads={{.*}}
// HELP: =openmp

// The whole module: what is around attention too.
// bf16 is computed in f32: LLVM would call what older run-time libraries lack.
// CHECK-LABEL: llvm.func @layer
// CHECK-NOT: llvm.fadd {{.*}} : bf16
// NONE-NOT: omp.
// OPENMP: omp.parallel
// OPENMP: omp.wsloop
// REFERENCE: llvm.intr.exp2
// TUNED: llvm.call @relattn_tile
// NONE-NOT: omp.
// CHECK-LABEL: llvm.func @_mlir_ciface_layer
func.func @layer(%q: tensor<1x2x4x8xbf16>, %k: tensor<1x2x4x8xbf16>, %slopes: tensor<2xf32>) -> tensor<1x2x4x8xbf16> attributes {llvm.emit_c_interface} {
  %doubled = arith.addf %q, %q : tensor<1x2x4x8xbf16>
  %init = tensor.empty() : tensor<1x2x4x8xbf16>
  %out = relattn.attention causal ins(%doubled, %k, %k : tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>)
    bias(#relattn.alibi, %slopes : tensor<2xf32>) outs(%init : tensor<1x2x4x8xbf16>)
  return %out : tensor<1x2x4x8xbf16>
}
